"""Writes the corpus: what real Pythons say on a stream, one direction of one conversation a file.

    python3.11 generate.py && python3.13 generate.py

Each Python adds the files that bear its version. A listener and a client run in two threads, each
with a tap on what it writes, so a file holds the very bytes of the wire. The key is `corpus key`.
"""
import os
import socket
import struct
import sys
import threading
from multiprocessing import AuthenticationError, connection

HERE = os.path.dirname(os.path.abspath(__file__))
VERSION = "%d.%d" % sys.version_info[:2]
KEY = b"corpus key"
NEW = sys.version_info >= (3, 12)
DIGESTS = ["sha256", "sha384", "sha3_256", "sha3_384", "md5"] if NEW else ["md5"]


class Tap(connection.Connection):
    """A connection that keeps what it writes."""

    def __init__(self, end):
        super().__init__(end.detach())
        self.written = b""

    def _send(self, buf, *args, **kwargs):
        self.written += bytes(buf)
        super()._send(buf, *args, **kwargs)


def write(name, data):
    with open(os.path.join(HERE, "%s-%s.bin" % (VERSION, name)), "wb") as file:
        file.write(data)


def pair():
    return [Tap(end) for end in socket.socketpair()]


def handshake(name, digest, client_key):
    listener, client = pair()
    asked = {"digest_name": digest} if NEW else {}

    def listen():
        try:
            connection.deliver_challenge(listener, KEY, **asked)
            connection.answer_challenge(listener, KEY)
        except AuthenticationError:
            pass
        listener.close()

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        connection.answer_challenge(client, client_key)
        connection.deliver_challenge(client, client_key, **asked)
    except (AuthenticationError, EOFError):
        pass
    thread.join()
    write(name + "-listener", listener.written)
    write(name + "-client", client.written)


def frames():
    one, other = pair()
    for length in (0, 1, 100, 300):
        one.send_bytes(bytes(index % 251 for index in range(length)))
    write("frames-bytes", one.written)
    for value in ([1, 2.25, None], {"a": "b"}, "text"):
        other.send(value)
    write("frames-objects", other.written)


def crafted():
    """Forms that nobody sends in small: Python's for more than 2 GiB, and ours with handles."""
    write("frames-long-form", struct.pack("!iQ", -1, 5) + b"hello" + struct.pack("!iQ", -1, 0))
    write("frames-handles", struct.pack("!iIQ", -2, 1, 3) + b"abc" + struct.pack("!i", 1) + b"x")


for digest in DIGESTS:
    handshake("handshake-" + digest, digest, KEY)
handshake("handshake-wrong-key", DIGESTS[0], b"another key")
frames()
if NEW:
    crafted()
