#!/usr/bin/env python3
"""Passes on what each client says to all the others, over plain sockets: chat_server.py [PORT]

select() waits for all clients at once. One recv is one message and one send is one message, with
nothing added; "exit", or closing, leaves. What is said is also printed here.
"""

import select
import socket
import sys


class Chat:
    def __init__(self, listener):
        self.listener = listener
        self.names = {}  # of the clients, by their sockets
        self.arrivals = 0

    def serve(self):
        while True:
            readable, _, _ = select.select([self.listener, *self.names], [], [])
            for ready in readable:
                if ready is self.listener:
                    self.welcome()
                elif ready in self.names:  # and not gone since select()
                    self.receive(ready)

    def welcome(self):
        client, (host, port) = self.listener.accept()
        client.settimeout(1)  # one who does not read must not keep the others waiting for long
        self.arrivals += 1
        self.names[client] = f"Client {self.arrivals}"
        print(f"<< {self.names[client]} connected from {host}:{port} >>", flush=True)

    def receive(self, client):
        try:
            data = client.recv(65536)
        except OSError:
            data = b""
        message = data.decode("utf-8", "replace").strip()
        if not data or message == "exit":
            self.part_from(client)
        elif message:
            line = f"[{self.names[client]}]: {message}"
            print(line, flush=True)
            self.tell_others(client, line.encode())

    def tell_others(self, speaker, data):
        for client in [each for each in self.names if each is not speaker]:
            try:
                client.sendall(data)
            except OSError:
                self.part_from(client)

    def part_from(self, client):
        print(f"<< {self.names.pop(client)} disconnected >>", flush=True)
        client.close()


def main():
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    with socket.create_server(("127.0.0.1", port)) as listener:
        print("listening on {}:{}".format(*listener.getsockname()), file=sys.stderr, flush=True)
        Chat(listener).serve()


if __name__ == "__main__":
    try:
        main()
    except OSError as problem:
        sys.exit(f"the chat failed: {problem}")
    except KeyboardInterrupt:
        sys.exit(130)
