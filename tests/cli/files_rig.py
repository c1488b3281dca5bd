"""A fake HTTP server that answers as a test wants it to, and `sluice files put` and `get`."""

import base64
import contextlib
import hashlib
import socket
import struct
import threading

from talk_rig import SLUICE, TIMEOUT, Program, engines


def digest_of(data):
    """The value of a Repr-Digest field."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"


class Cut(Exception):
    """Ends a connection by a reset."""


class Request:
    """A request as it came: method, target, fields with names in small letters."""

    def __init__(self, connection, lines):
        self.connection = connection
        self.file = lines
        self.method, self.target, _ = lines.readline().decode().split(" ")
        self.fields = {}
        while (line := lines.readline().decode().rstrip("\r\n")) != "":
            name, _, value = line.partition(":")
            self.fields[name.lower()] = value.strip()
        self.trailer = {}
        self.body = b""

    def __getitem__(self, name):
        return self.fields.get(name)

    def read(self, size):
        """So many bytes of the body, or fewer where the client went away."""
        more = self.file.read(size)
        self.body += more
        return more

    def read_body(self):
        """All of it, by length or in chunks."""
        if "expect" in self.fields:
            self.connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if "content-length" in self.fields:
            self.read(int(self["content-length"]))
            return self.body
        while size := int(self.file.readline(), 16):
            self.read(size)
            self.file.readline()
        while (line := self.file.readline().decode().rstrip("\r\n")) != "":
            name, _, value = line.partition(":")
            self.trailer[name.lower()] = value.strip()
        return self.body

    def reply(self, status, body=b"", **fields):
        """Names of fields are written with an underscore for the hyphen."""
        fields = {"Content_Length": len(body)} | fields
        head = "".join(
            f"{name.replace('_', '-')}: {value}\r\n"
            for name, value in fields.items()
            if value is not None
        )
        self.connection.sendall(f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body)

    def cut(self):
        """Resets the connection."""
        raise Cut


class Fake:
    """Each request is answered by the next of `answers`, the last of them again and again. OPTIONS
    is answered as our server does, and not counted, unless `takes_parts` is false: then it is a
    request like all others."""

    def __init__(self, *answers, takes_parts=True):
        self.answers = list(answers)
        self.takes_parts = takes_parts
        self.requests = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.problem = None
        self.thread = threading.Thread(target=self.serve, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *raised):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(TIMEOUT)
        # It explains what else may have gone wrong since.
        if self.problem:
            raise self.problem

    def url(self, path="/"):
        return f"http://127.0.0.1:{self.port}{path}"

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.settimeout(TIMEOUT)
            with connection, contextlib.suppress(ConnectionError):
                try:
                    self.converse(connection)
                except Cut:
                    off = struct.pack("ii", 1, 0)
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, off)
                except ConnectionError:
                    raise
                except Exception as problem:  # a mistake in a test, reported by its thread
                    self.problem = problem
                    self.listener.close()
                    return

    def converse(self, connection):
        with connection.makefile("rb") as lines:
            while lines.peek(1):
                request = Request(connection, lines)
                if self.takes_parts and request.method == "OPTIONS":
                    request.reply("204 No Content", Content_Length=None, Accept_Content_Range="bytes")
                    continue
                self.requests.append(request)
                answer = self.answers[0]
                if len(self.answers) > 1:
                    self.answers.pop(0)
                if answer(request) == "close":
                    return


class Plain(Fake):
    """A server that takes every PUT for a whole file, as nginx's dav module and Apache do: into
    `files`, when all of the body has come. Cuts the first `cuts` bodies after a million bytes."""

    def __init__(self, cuts=0, options="405 Method Not Allowed"):
        super().__init__(self.answer, takes_parts=False)
        self.files = {}
        self.cuts = cuts
        self.options = options
        self.stored = []

    def answer(self, request):
        if request.method == "OPTIONS":
            if self.options is None:
                request.cut()
            request.reply(self.options, b"<html>no</html>", Content_Type="text/html")
            return None
        if self.cuts and int(request["content-length"]) > 1_000_000:
            self.cuts -= 1
            request.connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.read(1_000_000)
            request.cut()
        body = request.read_body()
        there = request.target in self.files
        self.files[request.target] = body
        self.stored.append(len(body))
        request.reply("204 No Content" if there else "201 Created", Content_Length=None if there else 0)
        return None


def put(*words, engine="epoll", **options):
    return Program(SLUICE, "files", "put", *words, "--engine", engine, **options)


def get(*words, engine="epoll", **options):
    return Program(SLUICE, "files", "get", *words, "--engine", engine, **options)


def an_engine():
    """One that can wait for several things."""
    return "epoll" if "epoll" in engines() else engines()[0]
