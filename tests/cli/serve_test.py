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


if __name__ == "__main__":
    unittest.main()
