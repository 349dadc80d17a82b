"""The rows of area pool in Python: what ours is compared with."""

import multiprocessing
import statistics
import time


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
