#!/usr/bin/env python3
"""Calls a server and converses with it in turn, over a plain socket: talk_client.py [HOST] [PORT]

One send is one message, with nothing added to it. We speak first; "exit" from either side ends the
conversation, and so does the end of our input.
"""

import socket
import sys


def next_line():
    """What the user says. An empty line cannot be sent: it would be no bytes at all."""
    for line in sys.stdin:
        if line.strip():
            return line.rstrip("\r\n")
    return "exit"


def converse(server, name):
    while True:
        message = next_line()
        server.sendall(message.encode("utf-8", "replace"))
        if message == "exit":
            return
        data = server.recv(65536)
        if not data:
            sys.exit("the server went away")
        answer = data.decode("utf-8", "replace").rstrip("\r\n")
        print(f"[Server {name}]: {answer}", flush=True)
        if answer == "exit":
            return


def main():
    host = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1"
    port = int(sys.argv[2]) if len(sys.argv) > 2 else 5000
    with socket.create_connection((host, port)) as server:
        converse(server, "{}:{}".format(*server.getpeername()))


if __name__ == "__main__":
    try:
        main()
    except OSError as problem:
        sys.exit(f"the conversation failed: {problem}")
    except KeyboardInterrupt:
        sys.exit(130)
