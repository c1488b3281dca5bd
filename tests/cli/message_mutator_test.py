"""Clients that say anything: no server of messages ends, hangs, or keeps what they cost.

SLUICE_MUTATION_SECONDS is how long each server is tried (0.8); SLUICE_MUTATION_SEED what is drawn from.
"""

import unittest

from compute_rig import ComputeTest, on_every_model
from message_mutator import mutate
from mutation_knobs import SEED, seconds
from talk_rig import Server as TalkServer
from talk_rig import TalkTest, call, on_every_engine, sanitized, wait_until

SECONDS = seconds(0.8)
GROWTH = 8 * 1024  # KiB: what an allocator keeps of four clients with messages of the limit


class Compute(ComputeTest):
    @on_every_model
    def test_of_every_model_and_work(self, serve):
        for work in ("fib", "echo"):
            self.mutate(serve, work)

    def mutate(self, serve, work):
        with serve("--work", work, "--limit", "20", "--quiet") as server:
            self.check(server, work)
            mutate(server.port, SECONDS / 4, SEED)
            before = server.memory()
            open_before = None if server.model == "event" else len(server.descriptors())
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
    @on_every_engine
    def test_the_server_keeps_running(self, engine):
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
