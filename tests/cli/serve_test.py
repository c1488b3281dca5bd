"""All services in one process: each at its endpoint, and one signal ends them all."""

import contextlib
import pathlib
import re
import signal
import socket
import tempfile
import unittest

from talk_rig import SLUICE, Program

ENDPOINTS = ("--chat", "--http", "--raw", "--compute")


def address(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


class AllServices:
    """`sluice serve` on free ports, in a folder of its own."""

    def __init__(self, folder, *flags):
        self.folder = folder
        endpoints = [word for endpoint in ENDPOINTS for word in (endpoint, "127.0.0.1:0")]
        where = ("--files", pathlib.Path(folder, "kept"))
        self.program = Program(SLUICE, "serve", *endpoints, *where, *flags, stdin=None)
        said = self.program.expect_stderr(r"^(files over HTTP on .*, chat on .*)$")
        self.places = dict(place.split(" on ") for place in said[1].split(", "))

    def call(self, endpoint):
        return socket.create_connection(address(self.places[endpoint]), timeout=30)


class Serve(unittest.TestCase):
    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())

    def test_every_endpoint_serves_and_one_signal_ends_all(self):
        for engine in ("epoll", "auto"):
            server = AllServices(self.folder, "--engine", engine)
            with server.program:
                self.assertEqual(len(server.places), len(ENDPOINTS))
                with server.call("compute") as client:
                    client.sendall(b"20\n")
                    self.assertEqual(client.recv(100), b"10946\n")
                with server.call("raw files") as client:
                    client.sendall(b"kept whole")
                    client.shutdown(socket.SHUT_WR)
                    self.assertEqual(client.recv(1), b"")
                received = server.program.read_line()
                name = re.match(r"Received 10 bytes from \[Client 1\] as (\S+) ", received)
                self.assertIsNotNone(name, received)
                with server.call("files over HTTP") as client:
                    fields = "Host: here\r\nConnection: close"
                    client.sendall(f"GET /{name[1]} HTTP/1.1\r\n{fields}\r\n\r\n".encode())
                    answer = client.makefile("rb").read()
                    self.assertTrue(answer.startswith(b"HTTP/1.1 200 "), answer)
                    self.assertTrue(answer.endswith(b"\r\n\r\nkept whole"), answer)
                with contextlib.ExitStack() as both:
                    # One after another, so that each has its number.
                    one = both.enter_context(server.call("chat"))
                    stream = one.makefile("rb")
                    self.assertIn(b"you are Client 1 ", stream.readline())
                    two = both.enter_context(server.call("chat"))
                    self.assertIn(b"you are Client 2 ", two.makefile("rb").readline())
                    two.sendall(b"hello\n")
                    for line in stream:
                        if line == b"[Client 2]: hello\n":
                            break
                    server.program.signal(signal.SIGTERM)
                    rest = stream.read()
                    self.assertTrue(rest.endswith(b"* the server is going down\n"), rest)
                self.assertEqual(server.program.end()[0], 0)

    def test_an_address_in_use_is_reported_and_nothing_is_left(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            for endpoint in ENDPOINTS:
                endpoints = dict.fromkeys(ENDPOINTS, 0) | {endpoint: port}
                flags = [word for name, where in endpoints.items() for word in (name, where)]
                flags += ["--files", self.folder]
                with Program(SLUICE, "serve", *flags, stdin=None) as program:
                    status, _, errors = program.end()
                    self.assertEqual(status, 1)
                    self.assertIn(f"127.0.0.1:{port}", errors)
                    self.assertIn(f"with {endpoint}", errors)

    def test_other_models_are_refused_in_words(self):
        for model in ("sync", "fork", "thread", "pool"):
            with Program(SLUICE, "serve", "--model", model, stdin=None) as program:
                status, _, errors = program.end()
                self.assertEqual(status, 2)
                self.assertIn(f"--model {model} cannot carry a chat", errors)


class Parts(unittest.TestCase):
    """The settings of each part, parts that are off, and several of a kind."""

    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())

    def serve(self, *flags):
        program = self.enterContext(
            Program(SLUICE, "serve", *flags, stdin=None, cwd=self.folder)
        )
        said = program.expect_stderr(r"^(.* on 127\.0\.0\.1:\d+, .*)$")[1]
        return program, dict(place.split(" on ") for place in said.split(", "))

    def refused(self, *flags):
        with Program(SLUICE, "serve", *flags, stdin=None, cwd=self.folder) as program:
            status, _, errors = program.end()
            self.assertEqual(status, 2, errors)
            return errors

    def test_a_part_takes_the_flags_of_its_own_command(self):
        for engine in ("epoll", "auto"):
            _, places = self.serve(
                "--engine", engine, "--raw", "off", "--chat", "off",
                "--files.max-size", "10", "--http", "127.0.0.1:0",
                "--compute.work", "echo", "--compute.max-line", "8", "--compute", "127.0.0.1:0",
            )  # fmt: skip
            self.assertEqual(sorted(places), ["compute", "files over HTTP"])
            with socket.create_connection(address(places["compute"]), timeout=30) as client:
                client.sendall(b"echo\n")
                self.assertEqual(client.recv(100), b"echo\n")
                client.sendall(b"123456789\n")
                self.assertIn(b"too long", client.recv(100))
            with socket.create_connection(address(places["files over HTTP"]), timeout=30) as client:
                head = "PUT /a HTTP/1.1\r\nHost: here\r\nContent-Length: 11\r\n\r\n"
                client.sendall(head.encode())
                self.assertIn(b"HTTP/1.1 413 ", client.recv(100))

    def test_several_of_a_kind_share_nothing_but_the_process(self):
        for engine in ("epoll", "auto"):
            program, places = self.serve(
                "--engine", engine, "--raw", "off", "--files.docs.read-only",
                "--chat", "127.0.0.1:0", "--chat.team.listen", "127.0.0.1:0",
                "--chat.team.max-line", "8",
                "--http", "127.0.0.1:0", "--files.docs.http", "127.0.0.1:0",
                "--files.docs.dir", "docs",
                "--compute", "127.0.0.1:0", "--compute.calc.listen", "127.0.0.1:0",
                "--compute.calc.exec", "sh -c 'while read q; do echo \"$q!\"; done'",
            )  # fmt: skip
            self.assertEqual(
                sorted(places),
                ["chat", "chat.team", "compute", "compute.calc", "files over HTTP",
                 "files.docs over HTTP"],
            )  # fmt: skip
            for name, answer in (("compute", b"10946\n"), ("compute.calc", b"20!\n")):
                with socket.create_connection(address(places[name]), timeout=30) as client:
                    client.sendall(b"20\n")
                    self.assertEqual(client.recv(100), answer)
            for name, status in (("files over HTTP", b"201"), ("files.docs over HTTP", b"403")):
                with socket.create_connection(address(places[name]), timeout=30) as client:
                    head = f"PUT /{engine} HTTP/1.1\r\nHost: here\r\nContent-Length: 1\r\n\r\nx"
                    client.sendall(head.encode())
                    self.assertIn(b"HTTP/1.1 " + status, client.recv(100))
            self.assertTrue(pathlib.Path(self.folder, "sluice-files", engine).exists())
            self.assertFalse(pathlib.Path(self.folder, "docs", engine).exists())
            for name in ("chat", "chat.team"):
                # Each chat counts its own members.
                with socket.create_connection(address(places[name]), timeout=30) as client:
                    self.assertIn(b"you are Client 1 ", client.makefile("rb").readline())
            program.signal(signal.SIGTERM)
            self.assertEqual(program.end()[0], 0)

    def test_without_a_chat_any_model_goes(self):
        _, places = self.serve("--model", "thread", "--chat", "off", "--raw", "127.0.0.1:0",
                               "--http", "off", "--compute", "127.0.0.1:0")  # fmt: skip
        self.assertEqual(sorted(places), ["compute", "raw files"])

    def test_what_does_not_go_together_is_said(self):
        self.assertIn("every part is off", self.refused("--chat", "off", "--files", "off",
                                                         "--compute", "off"))  # fmt: skip
        self.assertIn("chat.team lacks --chat.team.listen", self.refused("--chat.team.rate", "5"))
        self.assertIn("files.docs lacks --files.docs.dir DIR",
                      self.refused("--files.docs.http", "0"))  # fmt: skip
        self.assertIn("files.docs lacks --files.docs.http ADDRESS",
                      self.refused("--files.docs.dir", "d"))  # fmt: skip
        self.assertIn("--chat.window 5 KiB is too small for --chat.max-line 4 KiB",
                      self.refused("--chat.window", "5K"))  # fmt: skip
        self.assertIn("there is no '--chat.raet'; did you mean --chat.rate?",
                      self.refused("--chat.raet", "5"))  # fmt: skip
        self.assertIn("there is no '--chat.team.raet'",
                      self.refused("--chat.team.raet", "5"))  # fmt: skip
        self.assertIn("--raw only takes files", self.refused("--raw", "0", "--read-only"))
        self.assertIn("opens a quote", self.refused("--compute.exec", "a 'b"))


if __name__ == "__main__":
    unittest.main()
