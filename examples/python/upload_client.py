#!/usr/bin/env python3
"""Uploads a file over a plain socket: upload_client.py FILE [PORT]

The stream's end is the file's end. The server closes in order once it has kept the file; a reset
says that it has not.
"""

import socket
import sys
import time


def upload(path, port):
    """How many bytes, and in how many seconds until the server had them all."""
    begun = time.monotonic()
    with open(path, "rb") as file, socket.create_connection(("127.0.0.1", port)) as server:
        size = server.sendfile(file)
        server.shutdown(socket.SHUT_WR)
        while server.recv(65536):
            pass
    return size, time.monotonic() - begun


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    port = int(sys.argv[2]) if len(sys.argv) > 2 else 5001
    size, seconds = upload(sys.argv[1], port)
    print(f"{size} bytes in {seconds:.3f} s, {size / seconds / 2**20:.0f} MiB/s")


if __name__ == "__main__":
    try:
        main()
    except OSError as problem:
        sys.exit(f"the upload failed: {problem}")
    except KeyboardInterrupt:
        sys.exit(130)
