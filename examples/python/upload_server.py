#!/usr/bin/env python3
"""Stores what is uploaded over plain sockets: upload_server.py FOLDER [PORT]

Each connection's stream becomes a file, under its name only once the stream has ended; then the
connection is closed in order. One that breaks leaves nothing; one that cannot be kept is reset.
    sluice files put FILE tcp://127.0.0.1:5001
"""

import os
import pathlib
import socket
import struct
import sys
import threading


def receive(client, hidden):
    """How many bytes came until the end of the stream."""
    size = 0
    buffer = bytearray(1 << 20)
    with open(hidden, "wb") as file:
        while count := client.recv_into(buffer):
            file.write(memoryview(buffer)[:count])
            size += count
        file.flush()
        os.fsync(file.fileno())
    return size


def store(client, folder, number):
    hidden = folder / f".upload-{number}"
    name = folder / f"upload-{number}"
    with client:
        try:
            size = receive(client, hidden)
            hidden.rename(name)
            print(f"Received {size} bytes from [Client {number}] as {name.name}", flush=True)
        except OSError as problem:
            # Closed in order, it would look kept.
            off = struct.pack("ii", 1, 0)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, off)
            hidden.unlink(missing_ok=True)
            print(f"Lost [Client {number}]: {problem}", flush=True)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    port = int(sys.argv[2]) if len(sys.argv) > 2 else 5001
    with socket.create_server(("127.0.0.1", port)) as listener:
        print("listening on 127.0.0.1:%d" % listener.getsockname()[1], file=sys.stderr, flush=True)
        number = 0
        while True:
            client, _ = listener.accept()
            number += 1
            threading.Thread(target=store, args=(client, folder, number), daemon=True).start()


if __name__ == "__main__":
    try:
        main()
    except OSError as problem:
        sys.exit(f"the server failed: {problem}")
    except KeyboardInterrupt:
        sys.exit(130)
