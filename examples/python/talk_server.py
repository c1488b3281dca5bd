#!/usr/bin/env python3
"""Waits for one client and converses with it in turn, over a plain socket: talk_server.py [PORT]

One send is one message, with nothing added to it. The client speaks first; "exit" from either side
ends the conversation, and so does the end of our input.
"""

import socket
import sys


def next_line():
    """What the operator answers. An empty line cannot be sent: it would be no bytes at all."""
    for line in sys.stdin:
        if line.strip():
            return line.rstrip("\r\n")
    return "exit"


def converse(peer, name):
    while True:
        data = peer.recv(65536)
        if not data:
            sys.exit("the client went away")
        message = data.decode("utf-8", "replace").rstrip("\r\n")
        print(f"[Client {name}]: {message}", flush=True)
        if message == "exit":
            return
        answer = next_line()
        peer.sendall(answer.encode("utf-8", "replace"))
        if answer == "exit":
            return


def main():
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    with socket.create_server(("127.0.0.1", port)) as listener:
        print("listening on {}:{}".format(*listener.getsockname()), file=sys.stderr, flush=True)
        peer, (host, number) = listener.accept()
        with peer:
            print(f"[Client {host}:{number}] connected", flush=True)
            converse(peer, f"{host}:{number}")


if __name__ == "__main__":
    try:
        main()
    except OSError as problem:
        sys.exit(f"the conversation failed: {problem}")
    except KeyboardInterrupt:
        sys.exit(130)
