"""The raw endpoint under clients that stream anything and end in every way: it keeps running, keeps
what ended in order, and gives back what it held.

SLUICE_MUTATION_SECONDS (0.5) says for how long each server is tried, SLUICE_MUTATION_SEED how."""

import hashlib
import os
import pathlib
import re
import tempfile
import unittest

import mutating_client
from compute_rig import memory_of
from files_raw_test import DATA, FileServer, upload
from mutation_knobs import SEED, seconds
from talk_rig import TERMINATE, TalkTest, loops, sanitized, wait_until

SECONDS = seconds(0.5)
# What comes to this endpoint although it is meant for another, and streams of all kinds of lengths.
SEEDS = [
    b"\0", b"x" * 4095, b"x" * 4096, b"x" * 4097, os.urandom(70_000), b"\n" * 300, b"/quit\n",
    b"PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", b"\xff\xf4\xff\xfd\x06", b"\x16\x03\x01",
    bytes(200_000), b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 65_537, bytes(range(256)) * 50,
]  # fmt: skip
MODELS = [("--model", "fork"), ("--model", "thread"), ("--model", "pool")]


def descriptors(server):
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))


class Mutation(TalkTest):
    def test_the_server_keeps_running_stores_and_returns_what_it_held(self):
        for flags in [("--engine", engine) for engine in loops()] + MODELS:
            with self.subTest(flags=flags, seed=SEED), tempfile.TemporaryDirectory() as folder:
                self.mutate(pathlib.Path(folder), *flags)

    def test_what_is_counted_and_dropped_is_no_different(self):
        for engine in ("epoll", "uring"):
            if engine in loops():
                with self.subTest(engine=engine, seed=SEED), tempfile.TemporaryDirectory() as folder:
                    self.mutate(pathlib.Path(folder), "--engine", engine, "--discard")

    def mutate(self, folder, *flags):
        kept = "--discard" not in flags
        with FileServer(
            "serve", folder, "--raw", "127.0.0.1:0", "--no-sync", "--idle-time", "300ms",
            "--body-time", "300ms", "--max-size", "300K", *flags,
        ) as server:  # fmt: skip
            self.talk(server, SECONDS / 4, folder)
            before = descriptors(server), memory_of(server.process.pid)
            self.assertGreater(self.talk(server, SECONDS, folder), 10)
            self.assertEqual(upload(server.port, DATA[:250_000]), b"")
            wait_until(lambda: descriptors(server) <= before[0] + 4, "no descriptor is left open")
            if not sanitized():
                self.assertLess(memory_of(server.process.pid) - before[1], 16 * 1024)
            wait_until(lambda: not list(folder.glob(".*")), "nothing is left of what was not kept")
            server.signal(TERMINATE)
            said = server.out.rest()
            self.assert_ends(server, 0)
            for size, name, digest in re.findall(r"^Received (\d+) bytes .* as (\S+) \(sha256 (\w{64})\)$", said, re.M):
                data = (folder / name).read_bytes() if (folder / name).exists() else None
                if data is not None:
                    self.assertEqual((len(data), hashlib.sha256(data).hexdigest()), (int(size), digest))
            if kept:
                self.assertIn("Received 250000 bytes", said)

    def talk(self, server, seconds, folder):
        def check(answer):
            self.assertEqual(answer, b"")  # This endpoint says nothing.

        return mutating_client.talk(server.port, SEEDS, seconds, SEED, check)


if __name__ == "__main__":
    unittest.main()
