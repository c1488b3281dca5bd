"""Starts servers as a service manager does, and loads them while they are replaced."""

import asyncio
import contextlib
import pathlib
import re
import socket
import sys
import threading

from talk_rig import TIMEOUT

# Puts descriptors at 3 and up, says so as sd_listen_fds(3) has it, and becomes the program.
LAUNCH = """
import fcntl, os, sys
given = [int(word) for word in sys.argv[1].split(",") if word]
high = [fcntl.fcntl(each, fcntl.F_DUPFD, 100) for each in given]
for at, each in enumerate(high):
    os.dup2(each, 3 + at)
os.closerange(3 + len(high), 200)
os.environ["LISTEN_FDS"] = str(len(high))
os.environ["LISTEN_PID"] = str(os.getpid())
if sys.argv[2]:
    os.environ["LISTEN_FDNAMES"] = sys.argv[2]
os.execv(sys.argv[3], sys.argv[3:])
"""


def given(sockets, names=()):
    """The words before those of a program that gets these sockets, and the option of Program."""
    numbers = [each.fileno() for each in sockets]
    words = [sys.executable, "-c", LAUNCH, ",".join(map(str, numbers)), ":".join(names)]
    return words, {"pass_fds": numbers}


def listening(address=("127.0.0.1", 0), backlog=4096, **options):
    return socket.create_server(address, backlog=backlog, **options)


class Manager:
    """What a service manager hears by NOTIFY_SOCKET."""

    def __init__(self, name):
        self.name = name
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + name[1:] if name.startswith("@") else name)
        self.socket.settimeout(TIMEOUT)

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        self.socket.close()

    @property
    def variables(self):
        return {"NOTIFY_SOCKET": self.name}

    def next(self):
        """The next message: its variables, but those of the watchdog."""
        while True:
            text = self.socket.recv(65536).decode()
            if text != "WATCHDOG=1":
                return dict(line.split("=", 1) for line in text.split("\n"))

    def next_with_sender(self):
        """The same, and the process that sent it (unix(7), SCM_CREDENTIALS)."""
        while True:
            text, [(_, _, who)], _, _ = self.socket.recvmsg(65536, socket.CMSG_SPACE(12))
            if text != b"WATCHDOG=1":
                said = dict(line.split("=", 1) for line in text.decode().split("\n"))
                return said, int.from_bytes(who[:4], sys.byteorder)

    def waiting(self):
        """All messages that have come."""
        self.socket.setblocking(False)
        found = []
        with contextlib.suppress(BlockingIOError):
            while True:
                found.append(self.socket.recv(65536).decode())
        self.socket.settimeout(TIMEOUT)
        return found


class Load:
    """Clients of an HTTP server that ask again and again, on connections that are kept as long as
    the server says, until they are told to end. Counts what no client may see."""

    REQUEST = b"GET /file HTTP/1.1\r\nHost: localhost\r\n\r\n"
    LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)

    def __init__(self, where, clients, pause, body, kept=True):
        self.where, self.pause, self.body = where, pause, body
        self.request = self.REQUEST
        if not kept:
            self.request = self.request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        self.answers = self.refused = self.half = self.lost = self.again = 0
        self.problems = []
        self.ended = False
        self.clients = clients
        self.thread = threading.Thread(target=lambda: asyncio.run(self.run()), daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *problem):
        self.ended = True
        self.thread.join(TIMEOUT)

    async def run(self):
        await asyncio.gather(*(self.client(number) for number in range(self.clients)))

    async def client(self, number):
        await asyncio.sleep(self.pause * number / self.clients)
        while not self.ended:
            try:
                if isinstance(self.where, str):
                    reader, writer = await asyncio.open_unix_connection(self.where)
                else:
                    reader, writer = await asyncio.open_connection(*self.where)
            except OSError as problem:
                self.refused += 1
                self.problems.append(f"connect: {problem!r}")
                await asyncio.sleep(0.05)
                continue
            await self.ask(reader, writer)
            writer.close()

    async def ask(self, reader, writer):
        """On one connection, until it ends. Only one that was used before may end without an
        answer: its client asks again (RFC 9112, section 9.3.1)."""
        asked = 0
        while not self.ended:
            head = b""
            try:
                writer.write(self.request)
                await writer.drain()
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), TIMEOUT)
                length = int(self.LENGTH.search(head)[1])
                body = await asyncio.wait_for(reader.readexactly(length), TIMEOUT)
            except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError) as problem:
                partial = head or getattr(problem, "partial", b"")
                if partial:
                    self.half += 1
                elif asked:
                    self.again += 1
                else:
                    self.lost += 1
                if partial or not asked:
                    self.problems.append(f"after {asked} answers and {partial!r}: {problem!r}")
                return
            if not head.startswith(b"HTTP/1.1 200 ") or body != self.body:
                self.half += 1
                self.problems.append(f"another answer: {head!r}")
            self.answers += 1
            asked += 1
            if b"\r\nconnection: close\r\n" in head.lower():
                return
            await asyncio.sleep(self.pause)

    def check(self, test, at_least):
        test.assertEqual((self.refused, self.half, self.lost), (0, 0, 0), self.problems[:5])
        test.assertGreater(self.answers, at_least)


def process_is_there(pid):
    """Whether it runs, and is no zombie."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
