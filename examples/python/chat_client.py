#!/usr/bin/env python3
"""Joins a chat over a plain socket: chat_client.py [HOST] [PORT]

One thread prints what the others say, as it comes; this one sends what is typed, a message a line,
with nothing added. "exit" or the end of our input leaves.
"""

import socket
import sys
import threading
import time


def print_what_comes(server, over):
    """Until the server closes. A read may end within a message: what comes is passed on as it is."""
    try:
        while data := server.recv(65536):
            text = data.decode("utf-8", "replace")
            print(text, end="" if text.endswith("\n") else "\n", flush=True)
    except OSError as problem:
        print(f"the server is gone: {problem}", file=sys.stderr)
    over.set()


def chat(server):
    over = threading.Event()
    threading.Thread(target=print_what_comes, args=(server, over), daemon=True).start()
    for line in sys.stdin:
        message = line.strip()
        if over.is_set():
            sys.exit("the server closed the connection")
        if message == "exit":
            break
        if message:
            server.sendall(message.encode("utf-8", "replace"))
            time.sleep(0.1)  # without ends, only time keeps two messages apart
    server.shutdown(socket.SHUT_WR)
    over.wait(5)  # for what is still on its way to us


def main():
    host = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1"
    port = int(sys.argv[2]) if len(sys.argv) > 2 else 5000
    with socket.create_connection((host, port)) as server:
        chat(server)


if __name__ == "__main__":
    try:
        main()
    except OSError as problem:
        sys.exit(f"the chat failed: {problem}")
    except KeyboardInterrupt:
        sys.exit(130)
