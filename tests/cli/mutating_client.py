"""A client that says almost the right thing: known requests, changed at random and split at random.

Many connections at once, some of which end their side, some reset. The same seed says the same."""

import contextlib
import random
import select
import socket
import struct
import time

TOGETHER = 24
SLOW = 500  # a byte at a time, 200 KB would take minutes


def mutate(seeds, chance):
    """A few of the seeds one after another, with bytes of them changed."""
    data = bytearray(b"".join(chance.choices(seeds, k=chance.randint(1, 4))))
    for _ in range(chance.choice((0, 1, 1, 2, 4, 16))):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(7):
            case 0:
                data[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                del data[at : at + chance.choice((1, 2, 8, 64))]
            case 2:
                data[at:at] = chance.choice((b"\r\n", b"\n", b"\0", b" ", b":", b",", b"0", b"9" * 20))
            case 3:
                data[at:at] = data[at : at + chance.choice((1, 8, 64))]
            case 4:
                data[at:at] = bytes([chance.randrange(256)]) * chance.choice((1, 200, 20_000))
            case 5:
                data[at : at + 1] = bytes([chance.choice(data or b"\0") ^ 1 << chance.randrange(8)])
            case 6:
                other = chance.choice(seeds)
                data[at:at] = other[chance.randrange(len(other)) :]
    return bytes(data)


class Conversation:
    """One connection, until the server or the client ends it."""

    def __init__(self, port, data, chance):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.left = data
        self.chance = chance
        self.step = chance.choice((1, 3, 20, 100, 100_000))
        self.slow = SLOW  # bytes that are sent in such steps
        self.end = chance.choice(("end", "end", "wait", "reset", "close"))
        self.answer = b""

    def fileno(self):
        return self.socket.fileno()

    def go_on(self, readable):
        """False when it is over."""
        try:
            if readable:
                more = self.socket.recv(1 << 16)
                self.answer = (self.answer + more)[:64]
                if not more:
                    return False
            if not self.left:
                return self.end in ("end", "wait")
            step = self.step if self.slow > 0 else len(self.left)
            sent = self.socket.send(self.left[: self.chance.randint(1, step)])
            self.left = self.left[sent:]
            self.slow -= sent
            if not self.left and self.end == "end":
                self.socket.shutdown(socket.SHUT_WR)
            if not self.left and self.end == "reset":
                off = struct.pack("ii", 1, 0)
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, off)
        except BlockingIOError:
            pass
        except OSError:
            return False
        return True


def talk(port, seeds, seconds, seed, check=lambda answer: None):
    """For so long; `check` is given the beginning of each connection's answer. Connections made."""
    chance = random.Random(seed)
    until = time.monotonic() + seconds
    open_ones, made = [], 0
    with contextlib.ExitStack() as sockets:
        while time.monotonic() < until or open_ones:
            while len(open_ones) < TOGETHER and time.monotonic() < until:
                # One seed for each connection: the order in which they go on is not ours.
                one = random.Random(chance.getrandbits(64))
                open_ones.append(Conversation(port, mutate(seeds, one), one))
                sockets.callback(open_ones[-1].socket.close)
                made += 1
            ready, writable, _ = select.select(
                open_ones, [c for c in open_ones if c.left], [], 0.05
            )
            wanted = set(ready) | set(writable)
            for each in [c for c in open_ones if c in wanted or not c.left]:
                if not each.go_on(each in ready):
                    each.socket.close()
                    check(each.answer)
                    open_ones.remove(each)
    return made
