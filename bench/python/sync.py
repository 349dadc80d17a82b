"""The rows of area sync in Python: what ours is compared with."""

import multiprocessing
import time


def pairs(kind):
    lock = getattr(multiprocessing, kind)()
    count = 200_000
    started = time.perf_counter()
    for _ in range(count):
        lock.acquire()
        lock.release()
    return [(time.perf_counter() - started) / count * 1e9]


def array(count):
    shared = multiprocessing.Array("q", range(count))
    buffer = [0] * count
    with shared:
        data = shared.get_obj()
        summed = per_item(count, lambda: sum(data))
    raw = multiprocessing.RawArray("q", range(count))

    def copy():
        buffer[:] = raw[:]

    return [summed, per_item(count, copy)]


def per_item(count, work):
    """What the fastest of several runs takes, in nanoseconds for each item."""
    times = []
    for _ in range(5):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times) * 1e9 / count
