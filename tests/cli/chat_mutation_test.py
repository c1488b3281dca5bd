"""A client that mutates what chat clients say to `sluice chat serve`: whatever comes, in
whatever pieces, the server goes on serving others, ends on request, and does not grow.

SLUICE_MUTATION_SECONDS is how long each server is tried (2), SLUICE_MUTATION_SEED what is drawn from."""

import itertools
import random
import select
import socket
import struct
import threading
import time
import unittest

from chat_rig import ChatServer, Member
from mutation_knobs import SEED, seconds
from talk_rig import TERMINATE, TIMEOUT, TalkTest, on_every_loop, sanitized, wait_until

SECONDS = seconds(2)
AT_ONCE = 6

SEEDS = [
    b"hello\n", b"/nick bob\n", b"/nick \xd0\xb0lice\n", b"/join attic\r\n", b"/who\n", b"/rooms\n",
    b"/me waves\n", b"/msg Client 1 psst\n", b"/help\n", b"/say /quit\n", b"//text\n", b"/usr/bin/ls\n",
    b"exit 3\n", b"\n\r\n\r\r\n", b"x" * 5000 + b"\n", b"\xff\xf4\xff\xfd\x06", b"\x00\x01\x1b[2J\n",
    b"\xe2\x80\xae\xf0\x9f\x98\x80\n", b"/msg a b c d e f g h i j k l m n o p q r s t u\n", b"/quit now\n",
    b"/nick Jose\xcc\x81\n", b"/join " + b"r" * 40 + b"\n", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"exit\n",
    "/nick \ufdfa".encode() + "\ufdfa".encode() * 31 + b"\n", b"/nick " + b"\xcc\x81" * 200 + b"\n",
]


def mutated(choice):
    """Some of what clients say, with bytes changed, left out, doubled and put in."""
    said = bytearray(b"".join(choice.choices(SEEDS, k=choice.randint(1, 30))))
    for _ in range(choice.choice((0, 0, 1, 4, 32))):
        at = choice.randrange(len(said) + 1)
        what = choice.randrange(5)
        if what == 0 and at < len(said):
            said[at] = choice.randrange(256)
        elif what == 1:
            del said[at : at + choice.randint(1, 40)]
        elif what == 2:
            said[at:at] = choice.randbytes(choice.randint(1, 60))
        elif what == 3:
            said[at:at] = said[at : at + choice.randint(1, 400)]
        else:
            said[at:at] = choice.choice(SEEDS)
    return bytes(said)


def short_session(port, choice):
    """One connection: split anywhere, read or not, ended in one of the ways in which clients end."""
    with socket.socket() as client:
        client.settimeout(TIMEOUT)
        if choice.randrange(4) == 0:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", port))
        said = mutated(choice)
        try:
            while said:
                length = choice.choice((1, 2, 7, 100, len(said)))
                client.sendall(said[:length])
                said = said[length:]
                if choice.randrange(8) == 0 and select.select([client], [], [], 0)[0]:
                    client.recv(4096)
            end = choice.randrange(4)
            if end == 0:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif end == 1:
                client.shutdown(socket.SHUT_WR)
                while client.recv(65536):
                    pass
        except (ConnectionResetError, BrokenPipeError):
            pass  # It has left by what it said.


class Mutations(TalkTest):
    @on_every_loop
    def test_whatever_is_said_the_others_are_served_and_nothing_stays(self, engine):
        with ChatServer(
            engine, "--quiet", "--workers", "2", "--log-format", "json", "--max-rooms", "20",
            "--window", "64K", "--history", "20",
        ) as server:
            with Member(server.port).greeted() as ann, Member(server.port).greeted() as bob:
                # In a room of their own, so that they receive from each other alone.
                for member in (ann, bob):
                    member.say("/join quiet")
                    member.until("you are in room quiet")
                sizes = []
                for half in range(2):
                    until = time.monotonic() + SECONDS / 2
                    failed = []

                    def sessions(first, half=half, until=until, failed=failed):
                        try:
                            for n in itertools.count(first, AT_ONCE):
                                short_session(server.port, random.Random(f"{SEED} {half} {n}"))
                                if time.monotonic() > until:
                                    return
                        except OSError as problem:
                            failed.append(problem)

                    threads = [
                        threading.Thread(target=sessions, args=(n,)) for n in range(AT_ONCE)
                    ]
                    for thread in threads:
                        thread.start()
                    for n in range(20):
                        ann.say(f"ping {half} {n}")
                        bob.until(rf"\]: ping {half} {n}$")
                        bob.say(f"pong {half} {n}")
                        ann.until(rf"\]: pong {half} {n}$")
                    for thread in threads:
                        thread.join()
                    self.assertEqual(failed, [])

                    def alone():
                        bob.say("/rooms")
                        return bob.until(r"^\* rooms: ")[-1] == "* rooms: quiet (2)"

                    wait_until(alone, "all visits were over")
                    sizes.append(server.memory())
                if not sanitized():
                    # What a room keeps of its history, a buffer here and there: not a share of each.
                    self.assertLess(sizes[1] - sizes[0], 2048)
            server.signal(TERMINATE)
            self.assert_ends(server, 0)


if __name__ == "__main__":
    unittest.main()
