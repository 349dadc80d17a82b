"""The rows in Python: what ours is compared with.

Kept running as a server, so that its rounds stand between ours. One line on stdin is one order,
one line on stdout answers it with figures. The only argument is how many MiB this process touches
before it serves.

    start METHOD COUNT      start and join an empty function
    idle METHOD             weigh an idle child
    echo one|two COUNT      a number to a child and back, both on one core or each on its own
    flow LENGTH COUNT       messages to a child, each on a core of its own
    pairs LOCK              acquire and release
    array COUNT             go through an array of that many numbers
    queue small|LENGTH PAIRS COUNT
                            items through a queue, from so many processes to as many
    trip onecore|cross COUNT
                            a number through a queue and back through another
    pool ROW                what that row does with a pool
    manager KIND CLIENTS COUNT  calls of so many clients, each so many
"""

import sys

import connection
import manager
import pool
import queues
import start
import sync


def figures(order, *words):
    if order == "start":
        return start.start_and_join(words[0], int(words[1]))
    if order == "idle":
        return start.idle_memory(words[0])
    if order == "echo":
        return connection.echo(words[0], int(words[1]))
    if order == "flow":
        return connection.flow(int(words[0]), int(words[1]))
    if order == "pairs":
        return sync.pairs(words[0])
    if order == "array":
        return sync.array(int(words[0]))
    if order == "queue":
        return queues.flow(words[0], int(words[1]), int(words[2]))
    if order == "trip":
        return queues.trip(words[0], int(words[1]))
    if order == "pool":
        return pool.use_pool(words[0])
    if order == "manager":
        return manager.calls(words[0], int(words[1]), int(words[2]))
    raise ValueError(f"unknown order {order!r}")


def main():
    touched = bytearray(int(sys.argv[1]) << 20)
    touched[::4096] = b"\1" * len(touched[::4096])
    version = ".".join(map(str, sys.version_info[:3]))
    print("CPython", version, flush=True)
    for order in sys.stdin:
        print(*figures(*order.split()), flush=True)


if __name__ == "__main__":
    main()
