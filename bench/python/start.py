"""The rows in Python: what ours is compared with.

Kept running as a server, so that its rounds stand between ours. One line on stdin is one order,
`METHOD COUNT`, `idle METHOD`, `pairs LOCK`, `array COUNT` or `pool ROW`; one line on stdout answers it with figures. The
only argument is how many MiB this process touches before it serves.
"""

import multiprocessing
import statistics
import sys
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


def pairs(kind):
    lock = getattr(multiprocessing, kind)()
    count = 200_000
    started = time.perf_counter()
    for _ in range(count):
        lock.acquire()
        lock.release()
    return [(time.perf_counter() - started) / count * 1e9]


def square(x):
    return x * x


def same(x):
    return x


def burn(spins):
    value = 1
    for turn in range(spins):
        value = value * 31 % 1000003
    return value


def milliseconds(function):
    started = time.perf_counter()
    function()
    return (time.perf_counter() - started) * 1e3


def use_pool(name):
    if name.startswith("life."):
        context = multiprocessing.get_context(name.removeprefix("life."))
        return [statistics.median(milliseconds(lambda: life(context)) for _ in range(3))]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        pool.map(square, range(1000))
        return [POOLS[name](pool)]


def life(context):
    pool = context.Pool(4)
    pool.apply(square, (3,))
    pool.close()
    pool.join()


def parked(pool):
    figures = []
    for x in range(20):
        time.sleep(0.005)
        figures.append(milliseconds(lambda: pool.apply(square, (x,))) * 1e3)
    return statistics.median(figures)


def efficiency(pool):
    spins = 1000
    while milliseconds(lambda: burn(spins)) < 1:
        spins += spins // 8
    ideal = milliseconds(lambda: [burn(spins) for _ in range(100)]) * 5 / 2
    return ideal / milliseconds(lambda: pool.map(burn, [spins] * 500))


POOLS = {
    "map1m": lambda pool: milliseconds(lambda: pool.map(square, range(1_000_000))),
    "single50k": lambda pool: milliseconds(lambda: pool.map(square, range(50_000), 1)),
    "imap_unordered50k": lambda pool: milliseconds(
        lambda: sum(1 for _ in pool.imap_unordered(square, range(50_000)))
    ),
    "hot": lambda pool: milliseconds(lambda: [pool.apply(square, (x,)) for x in range(200)]) * 5,
    "parked": parked,
    "cpu": efficiency,
    "bytes100m": lambda pool: milliseconds(lambda: pool.apply(same, (b"x" * 100_000_000,))),
}


def main():
    touched = bytearray(int(sys.argv[1]) << 20)
    touched[::4096] = b"\1" * len(touched[::4096])
    version = ".".join(map(str, sys.version_info[:3]))
    print("CPython", version, flush=True)
    for order in sys.stdin:
        first, second = order.split()
        if first == "idle":
            figures = idle_memory(second)
        elif first == "array":
            figures = array(int(second))
        elif first == "pairs":
            figures = pairs(second)
        elif first == "pool":
            figures = use_pool(second)
        else:
            figures = start_and_join(first, int(second))
        print(*figures, flush=True)


if __name__ == "__main__":
    main()
