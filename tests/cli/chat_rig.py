"""Runs `sluice chat serve`, and members that are nothing but sockets, read line by line."""

import contextlib
import os
import pathlib
import re
import socket

from talk_rig import SLUICE, TIMEOUT, Ended, Program, Socket


class ChatServer(Program):
    """`sluice chat serve` on a port of the kernel's choice."""

    def __init__(self, engine, *flags, **options):
        super().__init__(
            SLUICE, "chat", "serve", "--listen", "127.0.0.1:0", "--engine", engine,
            *flags, **options,
        )
        try:
            found = self.expect_stderr(r"listening on 127\.0\.0\.1:(\d+) \((\w+), (\w+)\)")
        except Ended:
            super().__exit__()
            raise
        self.port = int(found[1])
        self.model, self.engine = found[2], found[3]
        self.pid = self.process.pid

    def memory(self):
        """What it holds of memory, its rooms' logs included: KiB (proc(5), VmRSS)."""
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return int(re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)[1])

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))


class Member(Socket):
    """A connected client; `greeted` waits until it is in the lobby."""

    def __init__(self, port, small=False):
        connecting = socket.socket(socket.AF_INET if isinstance(port, int) else socket.AF_UNIX)
        if small:
            # Settled when the connection is made (tcp(7)).
            connecting.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connecting.settimeout(TIMEOUT)
        # At a Unix socket, `port` is its name.
        connecting.connect(("127.0.0.1", port) if isinstance(port, int) else port)
        super().__init__(connecting)
        self.waiting = b""

    def greeted(self):
        line = self.line()
        assert line.startswith("* welcome, you are "), line
        return self

    def say(self, line):
        self.send(line.encode() + b"\n")

    def line(self):
        """The next line without its end; None at the end of the stream."""
        while b"\n" not in self.waiting:
            more = self.socket.recv(65536)
            if not more:
                return None
            self.waiting += more
        line, _, self.waiting = self.waiting.partition(b"\n")
        return line.decode()

    def until(self, words):
        """Lines up to the first that matches the regular expression, that one included."""
        lines = []
        while True:
            try:
                line = self.line()
            except TimeoutError:
                raise TimeoutError(f"nothing more came after {lines[-3:]}") from None
            if line is None:
                raise Ended(f"the connection ended after {lines[-3:]}")
            lines.append(line)
            if re.search(words, line):
                return lines


@contextlib.contextmanager
def members(server, count):
    """Greeted members, each of which knows of those that came later. For one shard: on several,
    a newcomer may be greeted before the room knows of it."""
    with contextlib.ExitStack() as all_of_them:
        met = []
        for number in range(1, count + 1):
            met.append(all_of_them.enter_context(Member(server.port)).greeted())
            for earlier in met[:-1]:
                line = earlier.line()
                assert line == f"* Client {number} has joined", line
        yield met
