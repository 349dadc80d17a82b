"""The Python end of python.rs: blobs with a length before them, on standard input and output."""
import collections, math, multiprocessing, multiprocessing.managers as managers
import multiprocessing.context, pickle, queue, struct, sys

source, sink = sys.stdin.buffer, sys.stdout.buffer


def send(blob):
    sink.write(struct.pack("<Q", len(blob)))
    sink.write(blob)
    sink.flush()


def recv():
    head = source.read(8)
    if len(head) < 8:
        sys.exit(0)
    (size,) = struct.unpack("<Q", head)
    blob = source.read(size)
    assert len(blob) == size
    return blob


def same(a, b):
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return struct.pack("d", a) == struct.pack("d", b) or math.isnan(a) and math.isnan(b)
    if isinstance(a, BaseException):
        return same(a.__reduce__(), b.__reduce__())
    if isinstance(a, managers.Token):
        return same(a.__getstate__(), b.__getstate__())
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return same(list(a.items()), list(b.items()))
    return a == b


def nested(depth):
    value = None
    for _ in range(depth):
        value = [value]
    return value


def noted():
    error = ValueError("x")
    error.note = ["attributes", "travel"]
    return error


# What `repr` shows and we show alike.
PLAIN = [
    None, True, False, 0, 1, -1, 255, 256, 65535, 65536, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1,
    2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64, 10**100, -(10**100), 2**2039 - 1, 2**2039,
    -(2**2039), 10**4000, 0.0, -0.0, 0.1, 1e15, 1e16, 123456789012345680.0, 1e-4, 1e-5, 5e-324, 1.5e300,
    math.inf, -math.inf, math.nan, "", "it's", 'it"s', "both ' and \"", "back\\slash\n\r\t\0\x7f",
    "h\xe9llo \u20ac \U0001f600 \u200b \u3000 \xad \u2028 \ue000 e\u0301", "\ud800", "a\udc80\udcffb", "x" * 255,
    "x" * 256, "\u20ac" * 30000, b"", b"'", b"\"'", bytes(range(256)), b"x" * 255, b"x" * 256,
    b"\xff" * 70000, bytearray(), bytearray(b"a'b"), bytearray(70000), [], [1], [[], [[]]], (), (1,),
    (1, 2), (1, 2, 3), (1, 2, 3, 4), {}, {1: 2}, {"a": [1.5, None], (1, "x"): {}}, set(), {1}, {"a"},
    {1, 2, 3}, frozenset(), frozenset([1]), {frozenset([(1, 2)]): set()}, nested(100),
    list(range(3000)), {i: str(i) for i in range(3000)}, set(range(3000)), frozenset(range(3000)),
    ["y" * 1000 for _ in range(300)], [{"name": i, "value": None} for i in range(2000)],
    ("#RETURN", {"nested": [1, (2,)]}), ("0x7f", "append", (1,), {}), [b"same"] * 10,
    ValueError(), ValueError("x"), KeyError("x", 1), OSError(2, "no"), OSError(2, "no", "path"),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), ImportError("x", name="n", path="p"),
    AttributeError("x"), StopIteration(3), SystemExit(1), noted(), queue.Empty(), queue.Full(),
    managers.RemoteError("Traceback"), multiprocessing.context.AuthenticationError("digest"),
    multiprocessing.context.BufferTooShort(b"message"), ValueError([ValueError("inner")]),
    int, str, list, dict, tuple, object, type, ValueError, Exception, ..., NotImplemented,
    managers.Token("list", ("127.0.0.1", 5000), "7f00"), [managers.Token("dict", "/tmp/x", "1")] * 2,
    collections.OrderedDict(),
]

# What is read and written, but shown in a way of its own, or not at all by some versions.
OTHER = [
    collections.OrderedDict(a=1, b=[2]), 2**200000, -(2**200000) + 1, type(None), type(...), 1 + 2j,
    range(3), slice(1, None, 2), queue.Empty, queue.Full, managers.RemoteError,
]
if sys.version_info >= (3, 11):
    OTHER.append(ExceptionGroup("group", [ValueError(1), KeyError("k")]))


def recursive_list():
    value = []
    value.append(value)
    return value


def recursive_tuple():
    value = ([],)
    value[0].append(value)
    return value


def recursive_dict():
    value = {}
    value["self"] = value
    return value


def laughs():
    value = "lol"
    for _ in range(60):
        value = [value, value]
    return value


def refused():
    import datetime, decimal, os

    yield recursive_list(), b"value contains itself"
    yield recursive_tuple(), b"value contains itself"
    yield recursive_dict(), b"value contains itself"
    yield laughs(), b"pickle has more than"
    yield nested(513), b"value is nested more than 512 levels deep"
    yield datetime.date(2020, 1, 1), b"global `datetime.date` is not one that may be read"
    yield decimal.Decimal(1), b"global `decimal.Decimal` is not one that may be read"
    yield os.system, b"global `%s.system` is not one that may be read" % os.name.encode()
    yield eval, b"is not one that may be read"
    yield "x".upper, b"getattr` is not one that may be read"


def shown(value):
    try:
        return repr(value).encode("utf-8", "surrogatepass")
    except ValueError:
        return b""


def zoo():
    for plain, values in ((True, PLAIN), (False, OTHER)):
        for value in values:
            for protocol in range(2, 6):
                blob = pickle.dumps(value, protocol)
                # Some names have no counterpart in Python 2, where protocol 2 comes from.
                expected = pickle.loads(blob)
                # An `OSError` picks its subclass by its number, and hides its file names.
                exact = plain and not isinstance(expected, OSError)
                send(shown(expected) if exact else b"")
                send(blob)
                for theirs in range(2, 6):
                    copy = pickle.loads(recv())
                    assert same(copy, expected), (protocol, theirs, copy, expected)
    send(b"")
    send(b"")


def errors():
    for value, text in refused():
        for protocol in range(2, 6):
            send(text)
            send(pickle.dumps(value, protocol))
    send(b"")


def echo():
    while True:
        value = pickle.loads(recv())
        send(shown(value))
        for protocol in range(2, 6):
            send(pickle.dumps(value, protocol))


sys.setrecursionlimit(10000)
{"zoo": zoo, "errors": errors, "echo": echo}[sys.argv[1]]()
