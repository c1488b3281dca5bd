#!/usr/bin/env python3
"""Downloads from plain sockets and says how long each took: download_client.py PORT [PORT]...

Against two offers of one file it is the classic demonstration of zero-copy:
    sluice files offer FILE --listen 8081 --strategy read-send &
    sluice files offer FILE --listen 8082 --strategy sendfile-cork &
    download_client.py 8081 8082
"""

import socket
import sys
import time


def download(port):
    """All bytes up to the end: how many, and in how many seconds."""
    size = 0
    buffer = bytearray(1 << 20)
    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", port)) as server:
        while count := server.recv_into(buffer):
            size += count
    return size, time.monotonic() - begun


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    for port in map(int, sys.argv[1:]):
        size, seconds = download(port)
        print(f"port {port}: {size} bytes in {seconds:.3f} s, {size / seconds / 2**20:.0f} MiB/s")


if __name__ == "__main__":
    try:
        main()
    except OSError as problem:
        sys.exit(f"the download failed: {problem}")
    except KeyboardInterrupt:
        sys.exit(130)
