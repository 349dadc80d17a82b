"""The rows of area queue in Python: what ours is compared with."""

import multiprocessing
import os
import time

context = multiprocessing.get_context("fork")
# As they are before the first pinning.
cores = sorted(os.sched_getaffinity(0))


def flow(item, pairs, count):
    """Items from processes on one core to as many on another."""
    value = None if item == "small" else b"m" * int(item)
    items, go, ends = context.Queue(), context.Event(), context.SimpleQueue()
    share = count // pairs
    children = [context.Process(target=put, args=(items, go, value, share)) for _ in range(pairs)]
    children += [context.Process(target=take, args=(items, ends, share)) for _ in range(pairs)]
    for child in children:
        child.start()
    time.sleep(0.02)
    started = time.clock_gettime(time.CLOCK_MONOTONIC)
    go.set()
    seconds = max(ends.get() for _ in range(pairs)) - started
    for child in children:
        child.join()
    rate = share * pairs / seconds
    return [rate / 1e6 if value is None or len(value) < 4096 else rate * len(value) / (1 << 30)]


def put(items, go, value, count):
    os.sched_setaffinity(0, {cores[0]})
    go.wait()
    for number in range(count):
        items.put(number % 100 if value is None else value)


def take(items, ends, count):
    os.sched_setaffinity(0, {cores[1]})
    for _ in range(count):
        items.get()
    ends.put(time.clock_gettime(time.CLOCK_MONOTONIC))


def trip(seats, count):
    """A number through one queue and back through another."""
    there, back = context.Queue(), context.Queue()
    os.sched_setaffinity(0, {cores[0]})
    core = cores[0] if seats == "onecore" else cores[1]
    child = context.Process(target=answer, args=(there, back, core, count))
    child.start()
    started = time.perf_counter()
    for number in range(count):
        there.put(number)
        back.get()
    seconds = time.perf_counter() - started
    child.join()
    os.sched_setaffinity(0, cores)
    return [seconds * 1e6 / count]


def answer(there, back, core, count):
    os.sched_setaffinity(0, {core})
    for _ in range(count):
        back.put(there.get())
