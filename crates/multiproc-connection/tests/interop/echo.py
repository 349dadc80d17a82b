"""The other end: connect ADDRESS [KEY], or listen FAMILY KEY; echoes bytes until the end.

Or huge ADDRESS MORE: sends MORE bytes than 2 GiB, and says what came back.
"""
import ast
import sys
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Listener


def echo(connection):
    while True:
        try:
            message = connection.recv_bytes()
        except EOFError:
            return
        connection.send_bytes(message)


def huge(address, more):
    message = bytearray((1 << 31) + more)
    message[0], message[-1] = ord("<"), ord(">")
    with Client(address) as connection:
        connection.send_bytes(message)
        del message
        got = connection.recv_bytes()
    print(len(got), chr(got[0]), chr(got[-1]), flush=True)


def main(what, where, key=None):
    if what == "huge":
        return huge(ast.literal_eval(where), int(key))
    key = key and key.encode()
    try:
        if what == "connect":
            with Client(ast.literal_eval(where), authkey=key) as connection:
                echo(connection)
        else:
            with Listener(family=where, authkey=key) as listener:
                address = listener.address
                print("%s:%d" % address if where == "AF_INET" else address, flush=True)
                with listener.accept() as connection:
                    echo(connection)
    except AuthenticationError:
        print("AuthenticationError", flush=True)


main(*sys.argv[1:])
