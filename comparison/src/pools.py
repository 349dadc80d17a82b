"""What one of Python's pools takes: numbers in chunks, calls of one number, one call after the other, its whole life."""

import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import Pool


def square(x):
    return x * x


def timed(work):
    begin = time.perf_counter()
    work()
    return (time.perf_counter() - begin) * 1e3


def life(make, call):
    pool = make()
    call(pool, 3)
    if isinstance(pool, ProcessPoolExecutor):
        pool.shutdown()
    else:
        pool.close()
        pool.join()


def main(name, workers, many, chunks, single, calls):
    if name == "Pool":
        make = lambda: Pool(workers)
        call = lambda pool, x: pool.apply(square, (x,))
        squares = lambda pool, count, size: pool.map(square, range(count), size)
    else:
        make = lambda: ProcessPoolExecutor(workers)
        call = lambda pool, x: pool.submit(square, x).result()
        squares = lambda pool, count, size: list(pool.map(square, range(count), chunksize=size))
    rounds = []
    for _ in range(3):
        with make() as pool:
            squares(pool, 1000, 100)
            rounds.append(
                (
                    timed(lambda: squares(pool, many, many // chunks)),
                    timed(lambda: squares(pool, single, 1)),
                    timed(lambda: [call(pool, x) for x in range(calls)]) * 1e3 / calls,
                    timed(lambda: life(make, call)),
                )
            )
    print(*map(statistics.median, zip(*rounds)))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
