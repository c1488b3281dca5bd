"""A client that says anything, cut anywhere, with pauses, and ends in every way there is.

What it does is drawn from a seed. It never waits long for an answer, and never judges one: what is
tested is that the server keeps running.
"""

import contextlib
import random
import socket
import struct
import threading
import time

WORDS = (
    b"10", b"20", b"0", b"-1", b"99999999999999999999", b"3.5", b"\n", b"\n", b"\n", b"\r\n",
    b"\r\0", b"\r", b"\0", b"exit", b"exit\n", b"hello", b"gr\xc3\xbc\xc3\x9f", b"\xc3", b"\xf0\x9f",
    b"\xff", b"\xff\xff", b"\xff\xf4\xff\xfd\x06", b"\xff\xfa\x18\0", b"\xff\xf0", b"\xff\xfb\x01",
    b"\x1b[2J", b" " * 300, b"7" * 5000, b"\n" * 2000, b"5\n" * 500,
)
LONGEST = 200_000  # more than any limit of a line


class Mutator:
    def __init__(self, port, seed):
        self.port = port
        self.random = random.Random(seed)
        self.conversations = 0

    def run(self, until):
        while time.monotonic() < until:
            with contextlib.suppress(OSError):
                self.converse()
            self.conversations += 1

    def converse(self):
        with socket.create_connection(("127.0.0.1", self.port), timeout=1) as peer:
            if self.random.random() < 0.7:
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for piece in self.pieces(self.say()):
                peer.settimeout(0.05)  # a server that reads no more is not waited for
                peer.sendall(piece)
                if self.random.random() < 0.02:
                    time.sleep(self.random.choice((0.001, 0.02, 0.06)))
                if self.random.random() < 0.1:
                    self.listen(peer, 0.001)
            self.part(peer)

    def say(self):
        draw = self.random.random()
        if draw < 0.02:
            return bytes(self.random.choice(b"0x\n\xff") for _ in range(LONGEST))
        if draw < 0.04:
            return b"1" * LONGEST
        if draw < 0.2:
            return self.random.randbytes(self.random.randrange(2000))
        said = bytearray()
        for _ in range(self.random.randrange(30)):
            said += self.random.choice(WORDS)
        for _ in range(self.random.choice((0, 0, 1, 3)) if said else 0):
            said[self.random.randrange(len(said))] = self.random.randrange(256)
        return bytes(said)

    def pieces(self, data):
        most = self.random.choice((1, 3, 20, 1000, len(data) or 1))
        at = 0
        while at < len(data):
            # A byte at a time only for so long.
            size = self.random.randint(1, most) if at < 500 else len(data)
            yield data[at : at + size]
            at += size

    def part(self, peer):
        way = self.random.random()
        if way < 0.3:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif way < 0.7:
            peer.shutdown(socket.SHUT_WR)
            self.listen(peer, 0.1)
        elif way < 0.8:
            time.sleep(0.06)

    def listen(self, peer, timeout):
        peer.settimeout(timeout)
        with contextlib.suppress(TimeoutError):
            while peer.recv(self.random.choice((1, 100, 65536))):
                pass


def mutate(port, seconds, seed, clients=4):
    """Lets some at a server for `seconds`; how many conversations there were."""
    until = time.monotonic() + seconds
    mutators = [Mutator(port, seed * 1000 + number) for number in range(clients)]
    threads = [threading.Thread(target=each.run, args=(until,), daemon=True) for each in mutators]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return sum(each.conversations for each in mutators)
