"""The plain-socket peers in examples/python converse with each other, and with bare sockets."""

import contextlib
import os
import pathlib
import re
import socket
import subprocess
import sys
import unittest

PEERS = pathlib.Path(os.environ["SLUICE_SOURCE"], "examples", "python")
TIMEOUT = 30


class Program:
    """A peer that runs, and is killed if the test leaves it behind."""

    def __init__(self, name, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, "-B", str(PEERS / name), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=os.environ | {"PYTHONUTF8": "1"},
        )

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        self.process.kill()
        self.process.communicate()

    def say(self, text):
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def read_line(self):
        return self.process.stdout.readline()

    def end(self, said=None):
        """Says the last words, closes its input and waits. Its status, stdout and stderr."""
        output, errors = self.process.communicate(said, timeout=TIMEOUT)
        return self.process.returncode, output, errors


@contextlib.contextmanager
def server():
    with Program("talk_server.py", 0) as program:
        line = program.process.stderr.readline()
        found = re.fullmatch(r"listening on 127\.0\.0\.1:(\d+)\n", line)
        if not found:
            raise AssertionError(f"not the line that was promised: {line!r}")
        yield program, int(found[1])


def call(port):
    return socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)


class Peers(unittest.TestCase):
    def test_take_turns_until_the_client_says_exit(self):
        with server() as (here, port), Program("talk_client.py", "127.0.0.1", port) as there:
            there.say("hello\n")
            self.assertRegex(here.read_line(), r"\A\[Client 127\.0\.0\.1:\d+\] connected\n\Z")
            self.assertRegex(here.read_line(), r"\A\[Client 127\.0\.0\.1:\d+\]: hello\n\Z")
            here.say("hi\n")
            self.assertEqual(there.read_line(), f"[Server 127.0.0.1:{port}]: hi\n")
            there.say("grüß dich 🙂\n")
            self.assertRegex(here.read_line(), r": grüß dich 🙂\n\Z")
            here.say("ciao\n")
            self.assertEqual(there.read_line(), f"[Server 127.0.0.1:{port}]: ciao\n")
            self.assertEqual(there.end("exit\n"), (0, "", ""))
            status, output, errors = here.end()
            self.assertEqual((status, errors), (0, ""))
            self.assertRegex(output, r"\A\[Client \S+\]: exit\n\Z")

    def test_the_server_may_say_exit(self):
        with server() as (here, port), Program("talk_client.py", "127.0.0.1", port) as there:
            there.say("hello\n")
            self.assertEqual(here.end("exit\n")[0], 0)
            self.assertEqual(there.end(), (0, f"[Server 127.0.0.1:{port}]: exit\n", ""))

    def test_the_end_of_input_says_exit(self):
        with server() as (here, port), Program("talk_client.py", "127.0.0.1", port) as there:
            self.assertEqual(there.end(), (0, "", ""))
            self.assertRegex(here.end()[1], r"\]: exit\n\Z")

    def test_an_empty_line_is_not_a_turn(self):
        with server() as (here, port), call(port) as client:
            client.sendall(b"a")
            here.say("\n\n  \nb\n")
            self.assertEqual(client.recv(1024), b"b")

    def test_messages_are_unterminated_and_may_be_large(self):
        with server() as (here, port), call(port) as client:
            client.sendall(b"a")
            here.say("x" * 60000 + "\n")
            got = b""
            while len(got) < 60000:
                got += client.recv(65536)
            self.assertEqual(got, b"x" * 60000)

    def test_a_peer_that_goes_away_is_said(self):
        with server() as (here, port):
            call(port).close()
            status, _, errors = here.end()
            self.assertEqual((status, errors), (1, "the client went away\n"))
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            with Program("talk_client.py", "127.0.0.1", port) as there:
                there.say("hello\n")
                peer, _ = listener.accept()
                self.assertEqual(peer.recv(1024), b"hello")
                peer.close()
                self.assertEqual(there.end(), (1, "", "the server went away\n"))

    def test_a_refused_connection_is_reported(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        with Program("talk_client.py", "127.0.0.1", port) as there:
            status, output, errors = there.end()
            self.assertEqual((status, output), (1, ""))
            self.assertIn("refused", errors)


if __name__ == "__main__":
    unittest.main()
