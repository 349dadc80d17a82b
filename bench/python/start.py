"""The rows of area start in Python: what ours is compared with."""

import multiprocessing
import statistics
import time


def empty():
    pass


def idle(ready):
    ready.send_bytes(b"r")
    while True:
        ready.recv_bytes()


def start_and_join(method, count):
    context = multiprocessing.get_context(method)
    if method == "forkserver":  # The first start is also the start of the server.
        run(context)
    return [statistics.median(run(context) for _ in range(count))]


def run(context):
    started = time.perf_counter()
    child = context.Process(target=empty)
    child.start()
    child.join()
    return (time.perf_counter() - started) * 1e6


def idle_memory(method):
    context = multiprocessing.get_context(method)
    ours, theirs = context.Pipe()
    child = context.Process(target=idle, args=(theirs,))
    child.start()
    ours.recv_bytes()
    kilobytes = {}
    with open(f"/proc/{child.pid}/smaps_rollup") as lines:
        for line in lines:
            words = line.split()
            if words[-1] == "kB":
                kilobytes[words[0]] = int(words[1])
    child.kill()
    child.join()
    return [kilobytes["Rss:"] * 1024 / 1e6, kilobytes["Pss:"] * 1024 / 1e6]
