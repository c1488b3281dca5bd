"""Sockets of which one process keeps thousands, awaited by asyncio.

A socket is registered once and edge-triggered, with an epoll instance that asyncio's loop watches;
an operation is tried before it is waited for.
"""

import asyncio
import errno
import itertools
import resource
import select
import socket
import struct

IP_BIND_ADDRESS_NO_PORT = 24  # linux/in.h
ANY = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
SOURCES = 60  # client addresses, so that ports in TIME_WAIT do not run out
PATIENCE = 120  # seconds for what is to come at once, on a machine that is busy


class Wrong(Exception):
    """The server did what it must not do."""


class Late(Wrong):
    """It ended a connection, as it may with a client that keeps it waiting."""


def raise_open_files():
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def settle(future):
    if not future.done():
        future.set_result(None)


class Connections:
    """All connections of this process. `over` is set once, by finish(): pauses end then, and those
    that wait for their server look around."""

    def __init__(self):
        self.loop = asyncio.get_running_loop()
        self.epoll = select.epoll()
        self.open = {}
        self.waiting = set()
        self.over = False
        self.sources = itertools.cycle(range(2, 2 + SOURCES))
        self.loop.add_reader(self.epoll.fileno(), self.on_events)

    def on_events(self):
        for descriptor, _ in self.epoll.poll(0, 4096):
            if connection := self.open.get(descriptor):
                connection.wake()

    def finish(self):
        self.over = True
        for waiter in list(self.waiting):
            settle(waiter)

    async def wait(self, until):
        """Until `until` (the loop's time), or finish()."""
        if self.over:
            return
        waiter = self.loop.create_future()
        self.waiting.add(waiter)
        await self.finished(waiter, until)

    async def finished(self, waiter, until):
        timer = self.loop.call_at(until, settle, waiter)
        try:
            await waiter
        finally:
            timer.cancel()
            self.waiting.discard(waiter)

    async def pause(self, seconds):
        await self.wait(self.loop.time() + seconds)

    async def connect(self, port, window=None):
        """`window` is the size of the receive buffer, of which the peer learns (tcp(7))."""
        connection = Connection(self, window)
        try:
            await connection.connect(port)
        except BaseException:
            connection.close()
            raise
        return connection


class Connection:
    __slots__ = ("all", "socket", "waiter", "rest")

    def __init__(self, everyone, window):
        self.all = everyone
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if window:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        self.waiter = None
        self.rest = b""  # received, and not asked for yet

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        self.close()

    def wake(self):
        if self.waiter:
            settle(self.waiter)

    async def event(self, until):
        """Until something may have changed; at finish(), too. False if `until` has passed."""
        if self.all.loop.time() >= until:
            return False
        waiter = self.waiter = self.all.loop.create_future()
        if not self.all.over:
            self.all.waiting.add(waiter)
        try:
            await self.all.finished(waiter, until)
        finally:
            self.waiter = None
        return True

    async def connect(self, port):
        self.socket.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        self.socket.bind((f"127.0.0.{next(self.all.sources)}", 0))
        error = self.socket.connect_ex(("127.0.0.1", port))
        if error not in (0, errno.EINPROGRESS):
            raise OSError(error, "connecting")
        self.all.open[self.socket.fileno()] = self
        self.all.epoll.register(self.socket, ANY)
        until = self.all.loop.time() + PATIENCE
        while True:
            if error := self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                raise OSError(error, "connecting")
            try:
                self.socket.getpeername()
                return
            except OSError:  # ENOTCONN: not yet
                if not await self.event(until):
                    raise Wrong(f"not connected within {PATIENCE} s") from None

    async def receive(self, size=65536, until=None):
        """Up to `size` bytes, b"" at the end of the stream, None at `until`, or when finish() was
        called and nothing is there. Without `until`: in time, or it is wrong."""
        if self.rest:
            data, self.rest = self.rest[:size], self.rest[size:]
            return data
        deadline = self.all.loop.time() + PATIENCE if until is None else until
        was_over = self.all.over
        while True:
            try:
                return self.socket.recv(size)
            except BlockingIOError:
                pass
            if until is not None and self.all.over and not was_over:
                return None
            if not await self.event(deadline):
                if until is None:
                    raise Wrong(f"nothing came within {PATIENCE} s")
                return None

    async def until(self, mark):
        """Everything up to `mark`, which is included."""
        data = bytearray()
        while (end := data.find(mark)) < 0:
            more = await self.receive()
            if not more:
                raise Late(f"the stream ended before {mark!r}, after {bytes(data[-200:])!r}")
            data += more
        end += len(mark)
        self.rest = bytes(data[end:]) + self.rest
        return bytes(data[:end])

    async def exactly(self, size):
        data = bytearray()
        while len(data) < size:
            more = await self.receive(min(65536, size - len(data)))
            if not more:
                raise Late(f"the stream ended after {len(data)} of {size} bytes")
            data += more
        return bytes(data)

    async def to_end(self):
        """Everything up to an orderly end."""
        data = bytearray()
        while more := await self.receive():
            data += more
        return bytes(data)

    async def send(self, data, until=None):
        """Sends all of it; False at `until`, or where nothing moves after finish(). Without
        `until`: in time, or it is wrong."""
        view = memoryview(data)
        while view:
            try:
                view = view[self.socket.send(view) :]
                continue
            except BlockingIOError:
                pass
            deadline = self.all.loop.time() + PATIENCE if until is None else until
            if until is not None and self.all.over:
                return False
            if not await self.event(deadline):
                if until is None:
                    raise Wrong(f"nothing was taken for {PATIENCE} s")
                return False
        return True

    async def send_slowly(self, data, until):
        """A byte a second; False at `until` or finish()."""
        for i in range(len(data)):
            if self.all.over or self.all.loop.time() >= until:
                return False
            await self.send(data[i : i + 1])
            await self.all.pause(1)
        return True

    def finish_sending(self):
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self):
        if self.socket.fileno() >= 0:
            self.all.open.pop(self.socket.fileno(), None)
            self.socket.close()
