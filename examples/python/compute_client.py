#!/usr/bin/env python3
"""Asks a server for fib(N), again and again, over a plain socket: compute_client.py [HOST [PORT [N [TIMES]]]]

One send is one question, with nothing added to it; one receive is its answer.
"""

import socket
import sys


def main():
    host = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1"
    port = int(sys.argv[2]) if len(sys.argv) > 2 else 2999
    number = sys.argv[3] if len(sys.argv) > 3 else "30"
    times = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    with socket.create_connection((host, port)) as server:
        for _ in range(times):
            server.sendall(number.encode())
            answer = server.recv(1024)
            if not answer:
                sys.exit("the server went away")
            print(f"function({number}): {answer.decode().rstrip()}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except OSError as problem:
        sys.exit(f"asking failed: {problem}")
    except KeyboardInterrupt:
        sys.exit(130)
