"""The rows of area connection in Python: what ours is compared with."""

import multiprocessing
import os
import time


def echo(seats, count):
    ours, theirs, child = connect(send_back, seats)
    exchange(ours, 100)
    started = time.perf_counter()
    exchange(ours, count)
    seconds = time.perf_counter() - started
    ours.close()
    child.join()
    return [seconds * 1e6 / count]


def flow(length, count):
    ours, theirs, child = connect(take_all, "two", count)
    message = b"m" * length
    ours.send_bytes(message)
    ours.recv()
    started = time.perf_counter()
    for _ in range(count):
        ours.send_bytes(message)
    ours.recv()
    seconds = time.perf_counter() - started
    ours.close()
    child.join()
    messages = count / seconds
    return [messages / 1e6 if length < 4096 else messages * length / (1 << 30)]


def exchange(ours, count):
    for number in range(count):
        ours.send(number)
        if ours.recv() != number:
            raise ValueError(f"{number} came back as another")


def connect(target, seats, *args):
    """Starts a child at the other end of a pipe, and seats both."""
    cores = connect.cores
    os.sched_setaffinity(0, {cores[0]})
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    core = cores[0] if seats == "one" else cores[1]
    child = context.Process(target=target, args=(ours, theirs, core, *args))
    child.start()
    theirs.close()
    return ours, theirs, child


# As they are before the first pinning.
connect.cores = sorted(os.sched_getaffinity(0))


def send_back(other, ours, core):
    other.close()
    os.sched_setaffinity(0, {core})
    try:
        while True:
            ours.send(ours.recv())
    except EOFError:
        pass


def take_all(other, ours, core, count):
    other.close()
    os.sched_setaffinity(0, {core})
    ours.recv_bytes()
    ours.send(None)
    for _ in range(count):
        ours.recv_bytes()
    ours.send(None)
