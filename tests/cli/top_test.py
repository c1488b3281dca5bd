"""sluice top as a person and as a script see it."""

import contextlib
import fcntl
import json
import os
import pathlib
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import unittest

from metrics_rig import LOOPS, Server
from talk_rig import ENVIRONMENT, SLUICE, TIMEOUT, TalkTest, free_port, side_by_side, wait_until

SEQUENCE = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])")


class Screen:
    """A terminal of that size: understands what top writes, and refuses all else."""

    def __init__(self, columns, rows):
        self.columns, self.rows = columns, rows
        self.lines = [""] * rows
        self.row = 0
        self.column = 0
        self.sequences = set()

    def resize(self, columns, rows):
        self.columns, self.rows = columns, rows
        self.lines = ([line[:columns] for line in self.lines] + [""] * rows)[:rows]

    def write(self, text):
        at = 0
        while at < len(text):
            if text[at] == "\x1b":
                found = SEQUENCE.match(text, at)
                if not found:
                    raise AssertionError(f"no sequence of a terminal: {text[at:at + 10]!r}")
                self.act(found[1], found[2])
                at = found.end()
            else:
                self.put(text[at])
                at += 1

    def put(self, character):
        if character == "\r":
            self.column = 0
        elif character == "\n":
            self.row = min(self.row + 1, self.rows - 1)
        else:
            if self.column >= self.columns:
                raise AssertionError(f"a line is wider than {self.columns}: {self.lines[self.row]!r}")
            line = self.lines[self.row].ljust(self.column)
            self.lines[self.row] = line[: self.column] + character + line[self.column + 1 :]
            self.column += 1

    def act(self, parameters, final):
        self.sequences.add(parameters + final)
        if final == "H":
            row, _, _ = parameters.partition(";")
            self.row, self.column = min(int(row or 1), self.rows) - 1, 0
        elif final == "K":
            self.lines[self.row] = self.lines[self.row][: self.column]
        elif final == "J":
            if parameters == "2":
                self.lines = [""] * self.rows
            else:
                self.lines[self.row] = self.lines[self.row][: self.column]
                self.lines[self.row + 1 :] = [""] * (self.rows - self.row - 1)
        elif final not in "mhl":
            raise AssertionError(f"an unknown sequence: {parameters}{final}")


class Top:
    """sluice top on a pseudo-terminal."""

    def __init__(self, *words, columns=80, rows=24, **variables):
        self.master, self.slave = pty.openpty()
        self.screen = Screen(columns, rows)
        self.set_size(columns, rows)
        self.before = termios.tcgetattr(self.slave)
        self.process = subprocess.Popen(
            [SLUICE, "top", *map(str, words)],
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env=ENVIRONMENT | {"TERM": "xterm"} | variables,
        )

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)

    def set_size(self, columns, rows):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.master, text.encode())

    def read(self):
        if not select.select([self.master], [], [], TIMEOUT)[0]:
            raise AssertionError(f"nothing came in {TIMEOUT} s: {self.screen.lines}")
        self.screen.write(os.read(self.master, 65536).decode())

    def read_until(self, text):
        while not any(text in line for line in self.screen.lines):
            self.read()

    def end(self):
        """The status, once it has ended; what it wrote last is on the screen."""

        def ended():
            while select.select([self.master], [], [], 0)[0]:
                self.read()
            return self.process.poll() is not None

        wait_until(ended, "it ended")
        return self.process.returncode


class OnATerminal(TalkTest):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def serve(self, *words, **options):
        doors = [w for d in ("--chat", "--http", "--raw", "--compute") for w in (d, "127.0.0.1:0")]
        return Server("serve", "--files", self.folder, *doors, *words, **options)

    def test_is_drawn_at_any_size_on_every_engine(self):
        def check(variant):
            with self.serve(*variant) as server, Top(server.metrics) as top:
                top.read_until("requests")
                top.read_until("door")
                top.read_until("q quits")
                self.assertTrue(top.screen.lines[0].startswith("sluice "))
                self.assertEqual(top.screen.lines[1], "ready")
                # Smaller: what it draws from here on fits, or the screen would refuse it.
                top.screen.resize(40, 10)
                top.screen.sequences.clear()
                top.set_size(40, 10)
                while "2J" not in top.screen.sequences:
                    with contextlib.suppress(AssertionError):  # of the size before, if it was late
                        top.read()
                top.read_until("q quits")
                self.assertEqual(len(top.screen.lines), 10)
                self.assertTrue(top.screen.lines[9].startswith("q quits"))
                top.type("q")
                self.assertEqual(top.end(), 0)

        side_by_side(self, [({"variant": v}, v) for v in LOOPS], check)

    def test_the_terminal_is_as_before(self):
        with self.serve() as server:
            for leaving, status in (("q", 0), ("\x03", 130)):
                with self.subTest(leaving=leaving), Top(server.metrics) as top:
                    top.read_until("q quits")
                    self.assertNotEqual(termios.tcgetattr(top.slave), top.before)
                    top.type(leaving)
                    self.assertEqual(top.end(), status)
                    self.assertEqual(termios.tcgetattr(top.slave), top.before)

    def test_colours_are_left_out_where_they_are_not_wanted(self):
        with self.serve() as server:
            for variables, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
                with Top(server.metrics, **variables) as top:
                    top.read_until("ready")
                    found = any(each.endswith("m") for each in top.screen.sequences)
                    self.assertEqual(found, coloured)

    def test_a_server_that_is_gone_is_awaited(self):
        port = free_port()
        with contextlib.ExitStack() as stack:
            server = stack.enter_context(self.serve(metrics=f"127.0.0.1:{port}"))
            top = stack.enter_context(Top(port))
            top.read_until("ready")
            server.signal(signal.SIGTERM)
            self.assert_ends(server, 0)
            top.read_until("gone, and tried again: ")
            stack.enter_context(self.serve(metrics=f"127.0.0.1:{port}"))
            top.read_until("ready")
            top.type("q")
            self.assertEqual(top.end(), 0)

    def test_draining_is_shown(self):
        with self.serve("--grace", "1h") as server, Top(server.metrics) as top:
            top.read_until("ready")
            with socket.create_connection(("127.0.0.1", server.ports[0])) as peer:
                peer.sendall(b"PUT /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab")
                wait_until(lambda: server.scrape()["sluice_http_transfers"] == 1, "it is sent")
                server.signal(signal.SIGTERM)
                top.read_until("not ready")


class InAScript(TalkTest):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def run_top(self, *words):
        return subprocess.run(
            [SLUICE, "top", *map(str, words)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT,
            env=ENVIRONMENT,
        )

    def test_a_snapshot_is_printed(self):
        with Server("compute", "serve", "--listen", "127.0.0.1:0") as server:
            for address in (
                server.metrics,
                f"127.0.0.1:{server.metrics}",
                f"http://127.0.0.1:{server.metrics}/metrics",
            ):
                done = self.run_top(address)
                self.assertEqual((done.returncode, done.stderr), (0, b""))
                self.assertNotIn(b"\x1b", done.stdout)
                self.assertIn(b"\nquestions ", done.stdout)
                self.assertIn(b"\nlisten ", done.stdout)
            done = self.run_top(server.metrics, "--json", "--interval", "100ms")
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            seen = json.loads(done.stdout)
            self.assertEqual(seen["server"]["model"], "event")
            self.assertIs(seen["server"]["ready"], True)
            self.assertEqual([door["name"] for door in seen["doors"]], ["listen"])
            self.assertIn("questions", [each["name"] for each in seen["activities"]])

    def test_over_tls(self):
        state = {"XDG_STATE_HOME": str(self.folder)}
        with Server(
            "compute", "serve", "--listen", "127.0.0.1:0", "--tls", variables=state
        ) as server:
            fingerprint = re.search("fingerprint ([0-9a-f]{64})", "".join(server.err.seen))[1]
            done = self.run_top(
                f"https://127.0.0.1:{server.metrics}", "--fingerprint", fingerprint, "--once"
            )
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            self.assertIn(b"\nhandshakes ", done.stdout)

    def test_no_server_is_unreachable(self):
        done = self.run_top(free_port())
        self.assertEqual((done.returncode, done.stdout), (3, b""))
        self.assertIn(b"cannot connect to 127.0.0.1:", done.stderr)

    def test_another_server_is_refused(self):
        (self.folder / "metrics").write_bytes(b"<html>\n")
        with Server("files", "serve", self.folder, "--http", "127.0.0.1:0") as server:
            done = self.run_top(server.ports[0])
            self.assertEqual((done.returncode, done.stdout), (1, b""))
            self.assertIn(b"line 1 is no metric", done.stderr)
            (self.folder / "metrics").unlink()
            done = self.run_top(server.ports[0])
            self.assertEqual((done.returncode, done.stdout), (1, b""))
            self.assertIn(b"does not show its metrics: 404", done.stderr)


if __name__ == "__main__":
    unittest.main()
