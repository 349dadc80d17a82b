"""The other end that talks objects: connect ADDRESS KEY, or listen FAMILY KEY.

Sends all kinds of values, which have to come back; sends what no end of ours takes, and has to be
told why; then tells of each object that it gets what `repr` shows, until the end.
"""
import ast, collections, datetime, decimal, math, multiprocessing.managers as managers
import os, pickle, queue, struct, sys, tempfile
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Listener


def nested(depth, of=list):
    value = of()
    for _ in range(depth - 1):
        value = of([value])
    return value


def same(a, b):
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return struct.pack("d", a) == struct.pack("d", b)
    if isinstance(a, BaseException):
        return same(a.__reduce__(), b.__reduce__())
    if isinstance(a, managers.Token):
        return same(a.__getstate__(), b.__getstate__())
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return same(list(a.items()), list(b.items()))
    return a == b


class Evil:
    """Runs a program wherever it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, ("touch " + self.path,)


shared = ["shared"]
noted = ValueError("x")
noted.note = "attributes travel"

PLAIN = [
    None, True, False, 0, 1, -1, 255, 256, 65535, 65536, 2**31 - 1, 2**31, -(2**31), 2**63 - 1,
    2**63, -(2**63), -(2**63) - 1, 2**64, 10**100, -(10**100), 2**20000, 0.0, -0.0, 0.1, 5e-324,
    1.5e300, math.inf, -math.inf, math.nan, "", "h\xe9llo \u20ac \U0001f600 \0", "\ud800",
    "a\udc80\udcffb", "x" * 70000, b"", bytes(range(256)), b"\xff" * 70000, bytearray(b"ab"),
    bytearray(70000), [], [1, [2, [3]]], (), (1,), (1, 2, 3, 4), {}, {1: 2}, {"a": [1.5, None]},
    {(1, "x"): {}, None: 0}, set(), {1, "a", (2, 3)}, frozenset(), {frozenset([1]), 2},
    nested(100), nested(100, tuple), list(range(3000)), {i: str(i) for i in range(3000)},
    [shared] * 10, {"a": shared, "b": shared}, (shared, [shared]), ["y" * 1000] * 100,
    ValueError(), ValueError("x"), KeyError("x", 1), OSError(2, "no", "path"), StopIteration(3),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), noted, ValueError([ValueError("inner")]),
    queue.Empty(), queue.Full(), managers.RemoteError("Traceback"), AuthenticationError("digest"),
    int, str, dict, type(None), object, KeyError, Exception, queue.Empty, managers.RemoteError, ...,
    managers.Token("list", ("127.0.0.1", 5000), "7f00"), 1 + 2j, range(3), slice(1, None, 2),
    collections.OrderedDict(b=1, a=[2]), ("#RETURN", {"nested": [1, (2,)]}),
]


def plain(connection):
    for value in PLAIN:
        connection.send(value)
        copy = connection.recv()
        assert same(copy, value), (copy, value)
        for protocol in range(2, 6):
            connection.send_bytes(pickle.dumps(value, protocol))
            copy = connection.recv()
            assert same(copy, value), (protocol, copy, value)


def deepest(connection):
    connection.send(nested(512))
    value, depth = connection.recv(), 1
    while value:
        (value,), depth = value, depth + 1
    assert depth == 512


def large(connection):
    value = os.urandom(1 << 20) * 64
    connection.send(value)
    assert connection.recv() == value


def recursive():
    value_list, value_dict, value_tuple = [], {}, ([],)
    value_list.append(value_list)
    value_dict["self"] = value_dict
    value_tuple[0].append(value_tuple)
    return value_list, value_dict, value_tuple


def laughs():
    value = "lol"
    for _ in range(60):
        value = [value, value]
    return value


def refused(connection):
    path = os.path.join(tempfile.mkdtemp(), "executed")
    cases = [(value, "value contains itself") for value in recursive()]
    cases += [
        (laughs(), "pickle has more than"),
        (nested(513), "value is nested more than 512 levels deep"),
        (os.system, "global `posix.system` is not one that may be read"),
        (eval, "global `builtins.eval` is not one that may be read"),
        (decimal.Decimal("1.5"), "global `decimal.Decimal` is not one that may be read"),
        ([1, {"day": datetime.date(2020, 1, 1)}], "global `datetime.date` is not one that may be read"),
        (Evil(path), "global `posix.system` is not one that may be read"),
        ("x".upper, "getattr` is not one that may be read"),
    ]
    for value, reason in cases:
        connection.send(value)
        answer = connection.recv()
        assert isinstance(answer, ValueError) and reason in answer.args[0], (answer, reason)
        connection.send("still there")
        assert connection.recv() == "still there"
    assert not os.path.exists(path)
    os.rmdir(os.path.dirname(path))


def talk(connection):
    plain(connection)
    deepest(connection)
    large(connection)
    refused(connection)
    connection.send("now you")
    while True:
        try:
            value = connection.recv()
        except EOFError:
            return
        text = "%s: %r" % (type(value).__name__, value)
        connection.send(text.encode("utf-8", "surrogatepass"))


def main(what, where, key=None):
    key = key and key.encode()
    # For the deepest of the values; some versions count their C code, too.
    sys.setrecursionlimit(10000)
    try:
        if what == "connect":
            with Client(ast.literal_eval(where), authkey=key) as connection:
                talk(connection)
        else:
            with Listener(family=where, authkey=key) as listener:
                address = listener.address
                print("%s:%d" % address if where == "AF_INET" else address, flush=True)
                with listener.accept() as connection:
                    talk(connection)
    except AuthenticationError:
        print("AuthenticationError", flush=True)


main(*sys.argv[1:])
