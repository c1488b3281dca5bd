"""The HTTP endpoint under a client that says almost the right thing: the server keeps running, and
returns all it held.

SLUICE_MUTATION_SECONDS (2) says for how long each engine is tried, SLUICE_MUTATION_SEED how."""

import os
import pathlib
import time
import unittest

import mutating_client
from compute_rig import memory_of
from files_http_rig import SMALL, HttpServer, HttpTest, engines
from mutation_knobs import SEED, seconds
from talk_rig import sanitized

SECONDS = seconds(2)
CORPUS = pathlib.Path(os.environ["SLUICE_SOURCE"], "fuzz", "corpus", "http_service")


def descriptors(server):
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))


class Mutation(HttpTest):
    def test_the_server_keeps_running_answers_and_returns_what_it_held(self):
        seeds = []
        for file in sorted(CORPUS.iterdir()):
            data = file.read_bytes()
            seeds.append(data[1 + (data[0] & 7) :])
        for engine in ("epoll", "uring"):
            if engine not in engines():
                continue
            store = self.folder / engine
            (store / "d").mkdir(parents=True)
            (store / "a").write_bytes(b"hello\n")
            (store / "large").write_bytes(bytes(200_000))
            with self.subTest(engine=engine, seed=SEED), HttpServer(
                store, "--engine", engine, "--head-time", "200ms", "--body-time", "200ms",
                "--idle-time", "200ms", "--allow-delete", "--quota", "64M", "--quiet",
            ) as server:
                self.talk(server, seeds, SECONDS / 4)
                before = descriptors(server), memory_of(server.process.pid)
                made = self.talk(server, seeds, SECONDS)
                self.assertGreater(made, 10)
                self.assertEqual(server.put("/alive", SMALL)[0], 201)
                self.assertEqual(server.get("/alive")[2], SMALL)
                until = time.monotonic() + 10
                while descriptors(server) > before[0] + 4 and time.monotonic() < until:
                    time.sleep(0.05)
                self.assertLessEqual(descriptors(server), before[0] + 4)
                if not sanitized():
                    self.assertLess(memory_of(server.process.pid) - before[1], 16 * 1024)

    def talk(self, server, seeds, seconds):
        def check(answer):
            self.assertTrue(b"HTTP/1.1 ".startswith(answer[:9]) or answer.startswith(b"HTTP/1.1 "), answer)

        return mutating_client.talk(server.port, seeds, seconds, SEED, check)


if __name__ == "__main__":
    unittest.main()
