"""A server of each service under each engine and model, and clients that know what is right."""

import concurrent.futures
import contextlib
import http.client
import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time

from talk_rig import SLUICE, TIMEOUT, Ended, Program, loops

LOOPS = [("--engine", engine) for engine in loops()]
MODELS = [("--model", model) for model in ("sync", "fork", "thread", "pool")] + LOOPS
ECHOES = [("--engine", "blocking"), *MODELS[1:]]
WHICH = {"compute": MODELS, "talk": ECHOES, "chat": LOOPS, "files": MODELS}
FIB = {1: 1, 10: 89, 20: 10946, 25: 121393}
PATIENT = 2 * TIMEOUT  # seconds until a server has answered when a fault is over
# Until the last connection of a peer that vanished is noticed: sluice/net/keep_alive.cpp.
NOTICED = 150


def settled(count):
    """What `count()` gives when it has not changed for a while."""
    counts = [count()]
    while counts.count(counts[-1]) < 20:
        counts = [*counts[-19:], count()]
        time.sleep(0.01)
    return counts[-1]


class Wrong(Exception):
    """Something that must never be was seen."""


class Server(Program):
    """One of a fleet. `within` are words that run it elsewhere, such as in a network namespace."""

    def __init__(self, service, variant, folder, host, within=()):
        self.service, self.variant, self.host = service, variant, host
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=folder))
        at = f"{host}:0"
        long = ("--idle-time", "1h")
        words = {
            "compute": ("compute", "serve", "--listen", at, *long),
            "talk": ("talk", "serve", "--listen", at, "--echo", "--keep", *long),
            "chat": ("chat", "serve", "--listen", at),
            "files": ("files", "serve", self.folder, "--http", at, "--raw", at, *long),
        }[service]
        super().__init__(
            *within, SLUICE, *words, *variant, "--workers", "4", "--quiet", "--open",
            stdin=subprocess.DEVNULL,
        )
        count = 2 if service == "files" else 1
        listening = rf"^listening on {re.escape(host)}:(\d+)"
        try:
            self.ports = [int(self.expect_stderr(listening)[1]) for _ in range(count)]
        except Ended:
            super().__exit__()
            raise

    def __str__(self):
        return f"{self.service} {' '.join(self.variant)}"

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


class Client:
    """Asks one server, again and again on one connection as long as it lasts."""

    def __init__(self, server, seed):
        self.server = server
        self.chance = random.Random(f"{server} {seed}")
        self.timeout = TIMEOUT
        self.connected, self.reader = [], None
        self.answered = self.broken = 0
        self.problem = None

    def dial(self, port=0):
        made = socket.create_connection((self.server.host, self.server.ports[port]), self.timeout)
        self.connected.append(made)
        return made

    def leave(self):
        if self.reader:
            # It would keep its connection open.
            self.reader.close()
            self.reader = None
        while self.connected:
            self.connected.pop().close()

    def ask_until(self, stop):
        """Until the event `stop`; what it may not see ends it."""
        while not stop.is_set():
            try:
                self.once()
                self.answered += 1
            except Wrong as problem:
                self.problem = problem
                return
            except (OSError, Ended, http.client.HTTPException):
                self.broken += 1
                self.leave()
                stop.wait(0.05)

    def ask_in_the_end(self):
        """Once, as soon as it can be; a connection that broke is made anew."""
        self.timeout = PATIENT
        self.leave()
        deadline = time.monotonic() + PATIENT
        while True:
            try:
                self.once()
                return
            except (OSError, Ended, http.client.HTTPException) as problem:
                self.leave()
                if time.monotonic() > deadline:
                    raise Wrong(f"{self.server} does not answer: {problem!r}") from problem

    def lines(self):
        if not self.connected:
            self.reader = self.dial().makefile("rb")
        return self.reader

    def line(self):
        line = self.lines().readline()
        if not line.endswith(b"\n"):
            raise Ended("the connection ended")
        return line[:-1]


class ComputeClient(Client):
    def once(self):
        number = self.chance.choice(list(FIB))
        self.lines()
        self.connected[0].sendall(b"%d\n" % number)
        answer = self.line()
        if answer not in (b"%d" % FIB[number], b"busy", b"late"):
            raise Wrong(f"{self.server}: {number} was answered by {answer!r}")


class TalkClient(Client):
    def once(self):
        said = b"%d" % self.chance.getrandbits(8 * self.chance.randrange(1, 400))
        self.lines()
        self.connected[0].sendall(said + b"\n")
        answer = self.line()
        if answer == b"exit":
            raise Ended("it says exit")
        if answer != said:
            raise Wrong(f"{self.server}: {said!r} was answered by {answer!r}")


class ChatClient(Client):
    """Two members: one says numbers, and the other reads them."""

    number = last = before = 0

    def once(self):
        if not self.connected:
            reader = self.dial()
            self.reader = reader.makefile("rb")
            self.line()
            self.author, self.last, self.before = self.dial(), self.number, self.number
        self.number += 1
        self.author.sendall(b"number %d\n" % self.number)
        while self.last < self.number:
            found = re.fullmatch(rb"\[Client \d+\]: number (\d+)", self.line())
            if not found:
                continue
            heard = int(found[1])
            # The history of a newcomer, and what a connection before has said.
            if heard <= self.before:
                continue
            if heard != self.last + 1:
                raise Wrong(f"{self.server}: {heard} came after {self.last}")
            self.last = heard


class FilesClient(Client):
    """Sends files, by HTTP and as streams, and fetches what was acknowledged."""

    def __init__(self, server, seed):
        super().__init__(server, seed)
        self.files = 0
        self.stored, self.streamed = {}, []

    def request(self, method, path, body=None):
        if not self.connected:
            self.web = http.client.HTTPConnection("x")
            self.web.sock = self.dial()
        self.web.request(method, path, body)
        answer = self.web.getresponse()
        said = answer.read()
        if answer.will_close:
            self.leave()
        return answer.status, said

    def once(self):
        data = self.chance.randbytes(self.chance.choice((0, 1000, 60_000, 200_000)))
        self.files += 1
        if self.files % 3 == 0:
            # A server that serves one client at a time has none of this one's connections then.
            self.leave()
            with self.dial(1) as peer:
                self.connected.remove(peer)
                peer.sendall(data)
                peer.shutdown(socket.SHUT_WR)
                if peer.recv(1) != b"":
                    raise Wrong(f"{self.server}: bytes came from the raw endpoint")
                self.streamed.append(data)
            return
        name = f"/{self.files}"
        status, said = self.request("PUT", name, data)
        if status == 201:
            self.stored[name[1:]] = data
        elif status not in (408, 503, 507):
            raise Wrong(f"{self.server}: PUT was answered {status} {said!r}")
        if self.stored and self.chance.random() < 0.5:
            name = self.chance.choice(list(self.stored))
            status, said = self.request("GET", f"/{name}")
            if status == 200 and said != self.stored[name]:
                raise Wrong(f"{self.server}: {name} is another file")
            if status not in (200, 503):
                raise Wrong(f"{self.server}: GET was answered {status}")

    def look_at_disk(self):
        """What was acknowledged is there, and whole."""
        for name, data in self.stored.items():
            path = self.server.folder / name
            if not path.exists() or path.read_bytes() != data:
                raise Wrong(f"{self.server}: {name} was acknowledged and is not there")
        there = {p.read_bytes() for p in self.server.folder.iterdir() if p.name.startswith("upload-")}
        if not there >= set(self.streamed):
            raise Wrong(f"{self.server}: a stream was kept and is not there")


CLIENTS = {
    "compute": ComputeClient, "talk": TalkClient, "chat": ChatClient, "files": FilesClient
}


class Fleet:
    """All servers of some services, each with one client. `within` are words that run a server in
    another place, `inside` has a thread work there. A client waits for a byte for `patience` seconds
    while a fault lasts."""

    def __init__(
        self, services=tuple(WHICH), host="127.0.0.1", within=(), inside=contextlib.nullcontext,
        patience=TIMEOUT, seed=1,
    ):  # fmt: skip
        self.inside, self.patience = inside, patience
        self.kept = contextlib.ExitStack()
        with self.kept:
            self.folder = self.kept.enter_context(tempfile.TemporaryDirectory())
            self.servers = [
                self.kept.enter_context(Server(service, variant, self.folder, host, within))
                for service in services
                for variant in WHICH[service]
            ]
            self.kept = self.kept.pop_all()
        self.clients = [CLIENTS[server.service](server, seed) for server in self.servers]
        self.idle = {}

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        self.kept.close()

    def each(self, call):
        """Calls `call(client)` for all of them at once, where clients are."""

        def run(client):
            with self.inside():
                call(client)

        with concurrent.futures.ThreadPoolExecutor(len(self.clients)) as threads:
            list(threads.map(run, self.clients))

    def begin(self):
        """Every server answers, and has no more open than it needs."""
        self.each(Client.ask_in_the_end)
        self.each(Client.leave)
        settled(lambda: sum(server.descriptors() for server in self.servers))
        self.idle = {server: server.descriptors() for server in self.servers}

    @contextlib.contextmanager
    def at_work(self, *clients):
        """While it lasts, these clients ask, or all; afterwards what one of them saw and may not
        raises."""
        clients = clients or self.clients
        stop = threading.Event()

        def work(client):
            with self.inside():
                client.timeout = self.patience
                client.ask_until(stop)

        working = [threading.Thread(target=work, args=(client,)) for client in clients]
        for thread in working:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in working:
                thread.join()
        for client in clients:
            if client.problem:
                raise client.problem

    def end(self):
        """The fault is over: every server answers, gives back what it holds, and ends when told."""
        self.each(Client.ask_in_the_end)
        self.each(Client.leave)
        deadline = time.monotonic() + NOTICED
        for server in self.servers:
            if server.process.poll() is not None:
                raise Wrong(f"{server} has ended with {server.process.returncode}")
            while server.descriptors() > self.idle[server]:
                if time.monotonic() > deadline:
                    raise Wrong(
                        f"{server} holds {server.descriptors()} descriptors, and {self.idle[server]} before"
                    )
                time.sleep(0.1)
        for client in self.clients:
            if isinstance(client, FilesClient):
                client.look_at_disk()
        for server in self.servers:
            server.process.send_signal(signal.SIGTERM)
        for server in self.servers:
            begun = time.monotonic()
            status, _, errors = server.end()
            if status != 0 or time.monotonic() - begun > 10:
                raise Wrong(f"{server} ended with {status} when told to: {errors[-200:]!r}")
        return self.sums()

    def sums(self):
        answered = sum(client.answered for client in self.clients)
        broken = sum(client.broken for client in self.clients)
        return f"{len(self.servers)} servers, {answered} exchanges, {broken} broken off, none wrong"
