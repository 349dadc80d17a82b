"""The other end: connect ADDRESS [KEY], or listen FAMILY KEY; echoes bytes until the end."""
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


def main(what, where, key=None):
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
