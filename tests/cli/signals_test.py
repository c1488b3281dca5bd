"""What SIGHUP and SIGUSR1 do to every server, on a terminal and without one."""

import contextlib
import fcntl
import json
import os
import pathlib
import pty
import re
import signal
import socket
import subprocess
import tempfile
import termios
import unittest

from talk_rig import ENVIRONMENT, SLUICE, TIMEOUT, Program, TalkTest, engines, loops, side_by_side

LOOPS = [("--engine", engine) for engine in loops()]
ALL = [("--model", name) for name in ("sync", "fork", "thread", "pool")] + LOOPS


class Server(Program):
    """In a session of its own, without a terminal."""

    def __init__(self, *words, **options):
        super().__init__(SLUICE, *words, stdin=subprocess.DEVNULL, start_new_session=True, **options)
        self.port = int(self.expect_stderr(r"listening on 127\.0\.0\.1:(\d+) ")[1])


class Signals(TalkTest):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def on_every_server(self, check):
        """Calls `check(command, counter)` for all servers at once."""
        file = self.folder / "file"
        file.write_bytes(b"hello")
        listen = ("--listen", "127.0.0.1:0")
        endpoints = [w for d in ("--chat", "--http", "--raw", "--compute") for w in (d, "127.0.0.1:0")]
        cases = []
        for command, variants, counter in (
            (("talk", "serve", *listen), [("--engine", e) for e in engines()], "conversations"),
            (("talk", "serve", "--echo", "--keep", *listen), ALL[1:4], "accepted"),
            (("chat", "serve", *listen), LOOPS, "members"),
            (("files", "serve", self.folder, "--http", "127.0.0.1:0"), ALL, "requests"),
            (("files", "offer", file, *listen), ALL, "served"),
            (("compute", "serve", *listen), ALL, "at_once"),
            (("serve", "--files", self.folder, *endpoints), LOOPS, "members"),
        ):
            for variant in variants:
                name = {"command": command, "variant": variant}
                cases.append((name, ((*command, *variant), counter)))
        side_by_side(self, cases, lambda case: check(*case))

    def test_none_ends_a_server(self):
        def check(command, counter):
            with Server(*command) as server:
                server.signal(signal.SIGHUP)
                server.expect_stderr("SIGHUP: the configuration was read again")
                server.signal(signal.SIGUSR1)
                server.expect_stderr(rf"^  {counter} +\d+  ")
                server.signal(signal.SIGTERM)
                self.assert_ends(server, 0)

        self.on_every_server(check)

    def test_counters_are_json(self):
        def check(command, counter):
            with Server(*command, "--log-format", "json") as server:
                server.signal(signal.SIGUSR1)
                while True:
                    line = json.loads(server.err.next())
                    if counter in line.get("counters", {}):
                        self.assertIsInstance(line["counters"][counter], int)
                        break
                server.signal(signal.SIGTERM)
                self.assert_ends(server, 0)

        self.on_every_server(check)

    def test_children_receive_them_too(self):
        command = ("compute", "serve", "--listen", "127.0.0.1:0", "--model", "fork")
        with Server(*command) as server:
            with socket.create_connection(("127.0.0.1", server.port), TIMEOUT) as client:
                for _ in range(2):
                    client.sendall(b"1\n")
                    self.assertEqual(client.recv(10), b"1\n")
                    for number in (signal.SIGHUP, signal.SIGUSR1):
                        os.killpg(server.process.pid, number)
            server.signal(signal.SIGTERM)
            self.assert_ends(server, 0)


class Configuration(TalkTest):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.file = self.folder / "sluice.conf"

    def serve(self, *flags):
        return Server("compute", "serve", "--listen", "127.0.0.1:0", "--config", self.file, *flags)

    def test_its_log_level_is_taken_over(self):
        self.file.write_text("log-level = error\n")
        with self.serve() as server:
            server.signal(signal.SIGHUP)
            # Of two signals that are pending, the handler of the later one runs first; what it has
            # posted is over once another has been handled.
            for _ in range(2):
                server.signal(signal.SIGUSR1)
                server.expect_stderr("^  at_once")
                self.assertRegex(server.err.next(), "worked_on")
            self.file.write_text("[compute.serve]\nlog-level = info\n")
            server.signal(signal.SIGHUP)
            server.expect_stderr(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+[+-]\d\d:\d\d info: SIGHUP")
            server.signal(signal.SIGTERM)
            said = self.assert_ends(server, 0)
            self.assertEqual(len(re.findall("SIGHUP", said)), 1)

    def test_what_it_cannot_take_over_is_said(self):
        self.file.write_text("max-clients = 10\ngrace = 1s\n[compute.serve]\nqueue = 5\n")
        with self.serve("--grace", "2s") as server:
            self.file.write_text("max-clients = 10\ngrace = 3s\nlimit = 30\n")
            server.signal(signal.SIGHUP)
            server.expect_stderr(
                "warning: SIGHUP: what the configuration says of limit, queue counts from the "
                "next start of the server"
            )

    def test_a_flag_is_stronger(self):
        self.file.write_text("log-level = error\n")
        with self.serve("--log-level", "info") as server:
            server.signal(signal.SIGHUP)
            server.expect_stderr("info: SIGHUP")

    def test_a_mistake_changes_nothing(self):
        self.file.write_text("log-level = info\n")
        with self.serve() as server:
            self.file.write_text("log-level = much\n")
            server.signal(signal.SIGHUP)
            server.expect_stderr("SIGHUP: .*'much' is none of .*; all stays as it was")
            self.file.unlink()
            server.signal(signal.SIGHUP)
            server.expect_stderr("SIGHUP: cannot read the configuration .*; all stays as it was")
            server.signal(signal.SIGTERM)
            self.assert_ends(server, 0, err="served 0 clients")


class Terminal(unittest.TestCase):
    """A server whose controlling terminal is a pty, of which the test has the other end."""

    def start(self, *prefix):
        """The process, the terminal's other end, and the server's port."""
        ours, theirs = pty.openpty()

        def take_terminal():
            os.setsid()
            fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

        process = subprocess.Popen(
            [*prefix, SLUICE, "compute", "serve", "--listen", "127.0.0.1:0"],
            stdin=theirs,
            stdout=theirs,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
            # nohup(1) writes a file there.
            cwd=self.enterContext(tempfile.TemporaryDirectory()),
            preexec_fn=take_terminal,
        )
        os.close(theirs)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        for line in process.stderr:
            if found := re.match(rb"listening on 127\.0\.0\.1:(\d+) ", line):
                return process, ours, int(found[1])
        raise AssertionError("it never listened")

    def ask(self, port):
        with socket.create_connection(("127.0.0.1", port), TIMEOUT) as client:
            client.sendall(b"1\n")
            self.assertEqual(client.recv(10), b"1\n")

    def test_a_server_whose_terminal_is_there_goes_on(self):
        process, terminal, port = self.start()
        process.send_signal(signal.SIGHUP)
        self.assertIn(b"the configuration was read again", process.stderr.readline())
        self.ask(port)
        os.close(terminal)
        self.assertEqual(process.wait(TIMEOUT), 0)

    def test_the_end_of_the_terminal_drains(self):
        process, terminal, port = self.start()
        with socket.create_connection(("127.0.0.1", port), TIMEOUT) as client:
            client.sendall(b"1\n")
            self.assertEqual(client.recv(10), b"1\n")
            os.close(terminal)
            self.assertEqual(client.recv(10), b"")
        self.assertEqual(process.wait(TIMEOUT), 0)
        self.assertIn(b"SIGHUP: the terminal is gone", process.stderr.read())

    def test_under_nohup_it_goes_on(self):
        process, terminal, port = self.start("nohup")
        os.close(terminal)
        self.assertIn(b"the configuration was read again", process.stderr.readline())
        self.ask(port)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(TIMEOUT), 0)


class Transfers(TalkTest):
    def test_what_lasts_is_said_and_what_a_stop_waits_for(self):
        put = b"PUT /late HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhello"
        endpoints = (
            (("--http",), put, " late"),
            (("--raw",), b"hello", ""),
            (("--discard", "--raw"), b"hello", ""),
        )
        with contextlib.ExitStack() as all:
            running = []
            # All of them at a time, for each takes two seconds to be said.
            for variant in ALL:
                for endpoint, words, name in endpoints:
                    folder = all.enter_context(tempfile.TemporaryDirectory())
                    where = (folder, *endpoint, "127.0.0.1:0")
                    command = ("files", "serve", *where, "--no-sync", *variant)
                    limits = ("--grace", "100ms", "--body-time", "10m")
                    server = all.enter_context(Server(*command, *limits))
                    client = socket.create_connection(("127.0.0.1", server.port), TIMEOUT)
                    all.enter_context(client).sendall(words)
                    running.append((variant, server, name))
            for variant, server, name in running:
                with self.subTest(variant, name=name):
                    server.expect_stderr(rf"info: \[Client 1\] goes on sending{name}: 5 B so far")
                    server.signal(signal.SIGTERM)
                    server.expect_stderr(r"info: stopping: 1 transfer may go on for 0.1 s")
                    self.assert_ends(server, 0)


class Reports(TalkTest):
    def test_what_was_acknowledged_is_reported_whatever_ends_the_server(self):
        size = 96 << 20
        piece = bytes(1 << 20)
        for variant in ALL:
            with self.subTest(variant), tempfile.TemporaryDirectory() as folder:
                command = ("files", "serve", folder, "--raw", "127.0.0.1:0", "--no-sync", *variant)
                with Server(*command, "--grace", "10ms") as server:
                    with socket.create_connection(("127.0.0.1", server.port), TIMEOUT) as client:
                        for _ in range(size // len(piece)):
                            client.sendall(piece)
                        client.shutdown(socket.SHUT_WR)
                        self.assertEqual(client.recv(1), b"")
                    server.signal(signal.SIGTERM)
                    status, out, _ = server.end()
                    self.assertEqual(status, 0)
                    self.assertRegex(out, rf"^Received {size} bytes from \[Client 1\] as upload-")


if __name__ == "__main__":
    unittest.main()
