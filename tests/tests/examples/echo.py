"""The other end of the echo programs: send KEY ADDRESS, bad KEY ADDRESS, or serve KEY FAMILY."""
import ast, os, queue, sys
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Listener


def nested(depth):
    value = []
    for _ in range(depth - 1):
        value = [value]
    return value


VALUES = [
    None, True, 0, -(2**63) - 1, 10**100, 0.5, "h\xe9llo", "a\udc80b", b"bytes", bytearray(b"b"),
    [1, [2]], (1, "x"), {"a": {"b": None}}, {1, 2}, frozenset([1]), nested(100), ["shared"] * 10,
    int, KeyError, b"x" * (64 << 20),
]
EXCEPTIONS = [ValueError("x"), OSError(2, "no"), queue.Empty(), queue.Full()]


def send(key, where):
    with Client(ast.literal_eval(where), authkey=key) as connection:
        for value in VALUES:
            connection.send(value)
            copy = connection.recv()
            assert type(copy) is type(value) and copy == value, (copy, value)
        for value in EXCEPTIONS:
            connection.send(value)
            copy = connection.recv()
            assert type(copy) is type(value) and copy.args == value.args, (copy, value)


def bad(key, where):
    recursive = []
    recursive.append(recursive)
    for value in recursive, nested(513), os.system, eval:
        with Client(ast.literal_eval(where), authkey=key) as connection:
            connection.send(value)
            try:
                sys.exit("got %r" % (connection.recv(),))
            except (EOFError, ConnectionResetError):
                pass


def serve(key, family):
    with Listener(family=family, authkey=key) as listener:
        address = listener.address
        print("%s:%d" % address if family == "AF_INET" else address, flush=True)
        with listener.accept() as connection:
            while True:
                try:
                    connection.send(connection.recv())
                except EOFError:
                    return


# For the value that is deeper than ours may be.
sys.setrecursionlimit(10000)
try:
    {"send": send, "bad": bad, "serve": serve}[sys.argv[1]](sys.argv[2].encode(), sys.argv[3])
except AuthenticationError:
    sys.exit("AuthenticationError")
