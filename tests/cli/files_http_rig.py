"""Runs `sluice files serve --http`, and asks it by http.client and by plain sockets."""

import base64
import contextlib
import functools
import hashlib
import http.client
import os
import pathlib
import re
import signal
import socket
import tempfile

from talk_rig import SLUICE, TIMEOUT, Ended, Program, TalkTest, engines, side_by_side

MODELS = {
    "sync": ("--model", "sync"),
    "fork": ("--model", "fork"),
    "thread": ("--model", "thread"),
    "pool": ("--model", "pool"),
    "event on epoll": ("--engine", "epoll"),
    "event on io_uring": ("--engine", "uring"),
}
SMALL = b"hello, world\n"
DATA = os.urandom(3_000_001)


def digest_of(data):
    """The value of Repr-Digest."""
    return "sha-256=:" + base64.b64encode(hashlib.sha256(data).digest()).decode() + ":"


class HttpServer(Program):
    """On a port of the kernel's choice."""

    def __init__(self, directory, *flags, http="127.0.0.1:0", sync=False, **options):
        if not sync:
            flags = ("--no-sync", *flags)
        super().__init__(SLUICE, "files", "serve", directory, "--create", "--http", http, *flags, **options)
        try:
            found = self.expect_stderr(r"^listening on 127\.0\.0\.1:(\d+) \((\w+), (\w+)\)$")
        except Ended:
            super().__exit__()
            raise
        self.port = int(found[1])

    def open(self):
        return contextlib.closing(
            http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
        )

    def ask(self, method, path, body=None, headers=()):
        """One request on a connection of its own: the status, the fields, the body."""
        with self.open() as connection:
            return ask(connection, method, path, body, headers)

    def put(self, path, body, **headers):
        return self.ask("PUT", path, body, {k.replace("_", "-"): v for k, v in headers.items()})

    def get(self, path, **headers):
        return self.ask("GET", path, None, {k.replace("_", "-"): v for k, v in headers.items()})

    def dial(self):
        connected = socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return contextlib.closing(connected)

    def say(self, *pieces, end=False):
        """Sends bytes as they are, each piece in a packet, and gives what comes back to the end."""
        with self.dial() as peer:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                for piece in pieces:
                    peer.sendall(piece)
                if end:
                    peer.shutdown(socket.SHUT_WR)
            return receive_to_end(peer)

    def counters(self):
        """Stops it, and gives what it has counted; for one that was started with --stats."""
        self.signal(signal.SIGTERM)
        status, _, errors = self.end()
        assert status == 0, (status, errors)
        lines = re.findall(r"^  (\w+) +(\d+)  ", errors, re.MULTILINE)
        return {name: int(value) for name, value in lines}


def ask(connection, method, path, body=None, headers=()):
    connection.request(method, path, body, dict(headers))
    answer = connection.getresponse()
    return answer.status, answer.headers, answer.read()


def receive_to_end(peer):
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while more := peer.recv(65536):
            data += more
    return data


def statuses(answers):
    """Of answers whose bodies look like none."""
    return [int(number) for number in re.findall(rb"HTTP/1\.1 (\d{3}) ", answers)]


def on_every_model(test=None, *, how=side_by_side, but=()):
    """Runs a test once a model, with its flags and a directory of its own."""
    if test is None:
        return functools.partial(on_every_model, how=how, but=but)

    @functools.wraps(test)
    def on_each(self):
        def run(flags):
            with tempfile.TemporaryDirectory() as folder:
                test(self, flags, pathlib.Path(folder))

        works = lambda flags: flags[0] != "--engine" or flags[1] in engines()
        cases = [
            ({"model": name}, flags)
            for name, flags in MODELS.items()
            if name not in but and works(flags)
        ]
        how(self, cases, run)

    return on_each


class HttpTest(TalkTest):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def visible(self, folder=None):
        """Names of files, those that are hidden left out."""
        return sorted(p.name for p in (folder or self.folder).iterdir() if p.name[0] != ".")
