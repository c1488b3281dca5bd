"""Clients that say anything: no server of messages ends, hangs, or keeps what they cost.

SLUICE_MUTATE_SECONDS is how long each server is tried (0.8); SLUICE_MUTATE_SEED what is drawn from.
"""

import os
import unittest

from compute_rig import ComputeTest, Server, models, sanitized
from message_mutator import mutate
from talk_rig import Server as TalkServer
from talk_rig import TalkTest, call, engines, wait_until

SECONDS = float(os.environ.get("SLUICE_MUTATE_SECONDS", "0.8"))
SEED = int(os.environ.get("SLUICE_MUTATE_SEED", "1"))
GROWTH = 8 * 1024  # KiB: what an allocator keeps of four clients with messages of the limit


class Compute(ComputeTest):
    def test_of_every_model_and_work(self):
        for model, engine in models():
            for work in ("fib", "echo"):
                with self.subTest(model=model, engine=engine, work=work):
                    self.mutate(model, engine, work)

    def mutate(self, model, engine, work):
        flags = ("--work", work, "--limit", "20", "--quiet")
        with Server(model, *flags, engine=engine) as server:
            self.check(server, work)
            mutate(server.port, SECONDS / 4, SEED)
            before = server.memory()
            open_before = None if model == "event" else len(server.descriptors())
            self.assertGreater(mutate(server.port, SECONDS, SEED + 1), 0)
            self.check(server, work)
            wait_until(lambda: not server.children(), "no process of a client is left")
            if open_before is not None:
                wait_until(
                    lambda: len(server.descriptors()) <= open_before, "no descriptor is left open"
                )
            if not sanitized():
                self.assertLess(server.memory() - before, GROWTH)
            self.assert_stops(server)

    def check(self, server, work):
        with call(server.port) as client:
            client.send(b"10\n")
            answer = b"89\n" if work == "fib" else b"10\n"
            self.assertEqual(client.receive(len(answer)), answer)


class Talk(TalkTest):
    def test_on_every_engine(self):
        for engine in engines():
            with self.subTest(engine=engine):
                with TalkServer(engine, "--echo", "--keep") as server:
                    mutate(server.port, SECONDS, SEED)
                    with call(server.port) as client:
                        client.send(b"hello\n")
                        self.assertEqual(client.receive(6), b"hello\n")
                        client.send(b"exit\n")
                        self.assertEqual(client.receive_to_end(), b"")
                    server.signal(15)
                    self.assert_ends(server, 0)


if __name__ == "__main__":
    unittest.main()
