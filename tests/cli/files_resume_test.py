"""`files put` and `files get` with our own server, killed at both ends in the middle of a file."""

import contextlib
import json
import os
import pathlib
import socket
import struct
import tempfile
import threading

from files_rig import get, put
from talk_rig import KILL, SLUICE, TIMEOUT, Program, TalkTest
from talk_rig import on_every_loop, one_by_one, wait_until

DATA = os.urandom(20_000_000)
SOME = 5_000_000


class Relay:
    """Passes bytes on between clients and a server that may change, and holds them up at will."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.target = None
        self.most = None  # bytes that pass, both ways together, before nothing does
        self.passed = 0
        self.held = threading.Event()
        self.lock = threading.Lock()
        self.pairs = []
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.cut()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                self.reset(client)
                continue
            with self.lock:
                self.pairs.append((client, server))
            for a, b in ((client, server), (server, client)):
                threading.Thread(target=self.pass_on, args=(a, b), daemon=True).start()

    def pass_on(self, source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if self.most is not None and self.passed >= self.most:
                    self.held.set()
                    return
                self.passed += len(data)
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    @staticmethod
    def reset(connection):
        off = struct.pack("ii", 1, 0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, off)
        connection.close()

    def hold_after(self, most):
        self.passed, self.most = 0, most
        self.held.clear()

    def wait(self):
        assert self.held.wait(TIMEOUT), "nothing came that could be held up"

    def cut(self):
        """Ends all connections."""
        self.most, self.passed = None, 0
        with self.lock:
            for pair in self.pairs:
                for each in pair:
                    # Wakes the thread that reads it, so that close() is the end of it.
                    with contextlib.suppress(OSError):
                        each.shutdown(socket.SHUT_RD)
                    self.reset(each)
            self.pairs.clear()


class Killed(TalkTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.there = self.folder / "there"
        self.here = self.folder / "here"
        self.here.mkdir()

    def serve(self, relay, engine):
        server = Program(
            SLUICE, "files", "serve", self.there, "--create", "--http", "127.0.0.1:0", "--engine", engine
        )
        relay.target = int(server.expect_stderr(r"^listening on 127\.0\.0\.1:(\d+)")[1])
        return server

    def hidden_bytes(self, folder):
        return sum(path.stat().st_size for path in folder.iterdir() if path.name.startswith("."))

    @on_every_loop(how=one_by_one)
    def test_an_upload_goes_on_after_the_server_was_killed(self, engine):
        source = self.here / "big.bin"
        source.write_bytes(DATA)
        with Relay() as relay, self.serve(relay, engine) as server:
            relay.hold_after(SOME)
            with put(source, f"http://127.0.0.1:{relay.port}/{engine}/", "--progress", "json",
                     engine=engine) as program:  # fmt: skip
                relay.wait()
                wait_until(
                    lambda: self.hidden_bytes(self.there) >= SOME // 2, "a part is on the server"
                )
                server.signal(KILL)
                server.process.wait()
                self.assertFalse((self.there / engine / "big.bin").exists())
                with self.serve(relay, engine):
                    relay.cut()
                    status, out, err = program.end()
        self.assertEqual(status, 0, err)
        self.assertTrue((self.there / engine / "big.bin").read_bytes() == DATA)
        self.assertEqual(self.hidden_bytes(self.there), 0)
        lines = [json.loads(line) for line in err.splitlines()]
        self.assertIn("retry", {line["event"] for line in lines})
        self.assertEqual(lines[-1]["bytes"], len(DATA))
        self.assertLess(relay.passed, len(DATA) - SOME // 4, "it went on, and did not begin anew")

    @on_every_loop(how=one_by_one)
    def test_an_upload_goes_on_after_the_client_was_killed(self, engine):
        source = self.here / "big.bin"
        source.write_bytes(DATA)
        with Relay() as relay, self.serve(relay, engine):
            url = f"http://127.0.0.1:{relay.port}/{engine}"
            relay.hold_after(SOME)
            with put(source, url, engine=engine) as program:
                relay.wait()
                wait_until(
                    lambda: self.hidden_bytes(self.there) >= SOME // 2, "a part is on the server"
                )
                program.signal(KILL)
                program.process.wait()
            self.assertFalse((self.there / engine).exists())
            relay.cut()
            with put(source, url, "--progress", "json", engine=engine) as program:
                status, out, err = program.end()
        self.assertEqual(status, 0, err)
        self.assertGreaterEqual(json.loads(out)["resumed_from"], SOME // 2)
        self.assertTrue((self.there / engine).read_bytes() == DATA)
        self.assertEqual(self.hidden_bytes(self.there), 0)

    @on_every_loop(how=one_by_one)
    def test_a_download_goes_on_after_the_server_was_killed(self, engine):
        self.there.mkdir(exist_ok=True)
        (self.there / "big.bin").write_bytes(DATA)
        target = self.here / engine
        with Relay() as relay, self.serve(relay, engine) as server:
            relay.hold_after(SOME)
            with get(f"http://127.0.0.1:{relay.port}/big.bin", "-o", target, "--progress", "json",
                     engine=engine) as program:  # fmt: skip
                relay.wait()
                server.signal(KILL)
                server.process.wait()
                self.assertFalse(target.exists())
                with self.serve(relay, engine):
                    relay.cut()
                    status, out, err = program.end()
        self.assertEqual(status, 0, err)
        self.assertTrue(target.read_bytes() == DATA)
        done = json.loads(out)
        self.assertTrue(done["verified"])
        self.assertEqual(self.hidden_bytes(self.here), 0)
        # Every byte came once.
        self.assertEqual(json.loads(err.splitlines()[-1])["moved"], len(DATA))

    @on_every_loop(how=one_by_one)
    def test_a_download_goes_on_after_the_client_was_killed(self, engine):
        self.there.mkdir(exist_ok=True)
        (self.there / "big.bin").write_bytes(DATA)
        target = self.here / engine
        with Relay() as relay, self.serve(relay, engine):
            words = (f"http://127.0.0.1:{relay.port}/big.bin", "-o", target)
            relay.hold_after(SOME)
            with get(*words, engine=engine) as program:
                relay.wait()
                wait_until(lambda: self.hidden_bytes(self.here) >= SOME // 2, "a part is here")
                program.signal(KILL)
                program.process.wait()
            self.assertFalse(target.exists())
            relay.cut()
            with get(*words, "--resume", "--progress", "json", engine=engine) as program:
                status, out, err = program.end()
        self.assertEqual(status, 0, err)
        self.assertTrue(target.read_bytes() == DATA)
        self.assertGreaterEqual(json.loads(out)["resumed_from"], SOME // 2)
        self.assertEqual(self.hidden_bytes(self.here), 0)
