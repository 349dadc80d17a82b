"""The Python end: opens what Rust has made, then makes what Rust opens."""

import sys
from multiprocessing import resource_tracker, shared_memory

block, items = sys.argv[1:]


def leave(shm):
    """Opening a block means removing it at the end, in every version unless told otherwise (3.13)."""
    resource_tracker.unregister(shm._name, "shared_memory")


def see(what, expected):
    assert what == expected, (what, expected)


theirs = shared_memory.SharedMemory(block)
leave(theirs)
see(theirs.size, 5000)
see(bytes(theirs.buf[:5]), b"howdy")
theirs.buf[4990:5000] = b"from below"

numbers = shared_memory.ShareableList(name=items)
leave(numbers.shm)
see(list(numbers), ["howdy", b"HoWdY", -273.154, 100, None, True, 42, "ä€"])
see(numbers.format, "8s8sdqxxxxxx?xxxxxxxx?q8s")
numbers[0] = b"python"
numbers[2] = -(2**63)
numbers[4] = "some"
numbers[5] = None
numbers[6] = 0.1

ours = shared_memory.SharedMemory(create=True, size=3000)
ours.buf[:4] = b"made"
made = shared_memory.ShareableList(["a" * 20, b"\x01\x02", 7, False, None, 1e300, ""])
print(ours.name, made.shm.name, flush=True)

sys.stdin.readline()
see(bytes(ours.buf[2995:3000]), b"above")
see(list(made), ["rust", 5, None, "eight", True, b"bytes", "12345678"])
see(made.format, "24sqxxxxxx?x8sxxxxxxx?8s8s")
see(made.count("rust"), 1)
for memory in (ours, made.shm):
    memory.close()
    memory.unlink()
print("done", flush=True)
