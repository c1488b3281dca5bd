"""Two machines and the network between them: namespaces, a veth pair, rules, and a relay."""

import contextlib
import ctypes
import fcntl
import heapq
import multiprocessing
import os
import random
import select
import shutil
import signal
import struct
import subprocess
import threading
import time
import unittest

HERE, THERE = "192.0.2.1", "192.0.2.2"  # of the servers, and of the clients (RFC 5737)
CLONE_NEWNET = 0x40000000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000

libc = ctypes.CDLL(None, use_errno=True)


class NotTried(unittest.SkipTest):
    """A fault that cannot be made here, and why."""


def run(*words, check=True, **options):
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, **options)
    if check and done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise NotTried(f"`{' '.join(map(str, words))}` failed: {said[-1] if said else '?'}")
    return done.stdout


def need(*tools):
    for tool in tools:
        if shutil.which(tool) is None:
            raise NotTried(f"there is no {tool} here: script/bootstrap test")


class Namespace:
    """A network of its own, removed in the end."""

    count = 0

    def __init__(self):
        Namespace.count += 1
        self.name = f"sluice-{os.getpid()}-{Namespace.count}"
        run("ip", "netns", "add", self.name)
        self.within = ("ip", "netns", "exec", self.name)
        self.ip("link", "set", "lo", "up")

    def close(self):
        run("ip", "netns", "delete", self.name, check=False)

    def ip(self, *words):
        return run("ip", "-n", self.name, *words)

    def run(self, *words, **options):
        return run(*self.within, *words, **options)

    @contextlib.contextmanager
    def inside(self):
        """The calling thread makes its sockets there."""
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        there = os.open(f"/run/netns/{self.name}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            self.enter(there)
            yield
        finally:
            self.enter(before)
            os.close(before)
            os.close(there)

    @staticmethod
    def enter(namespace):
        if libc.setns(namespace, CLONE_NEWNET) != 0:
            code = ctypes.get_errno()
            raise NotTried(f"setns failed: {os.strerror(code)}")


class Network:
    """Two namespaces, `servers` at HERE and `clients` at THERE."""

    def __init__(self, linked=True):
        need("ip")
        with contextlib.ExitStack() as kept:
            self.servers = Namespace()
            kept.callback(self.servers.close)
            self.clients = Namespace()
            kept.callback(self.clients.close)
            self.sides = ((self.servers, HERE), (self.clients, THERE))
            if linked:
                self.servers.ip(
                    "link", "add", "wire", "type", "veth", "peer", "name", "wire",
                    "netns", self.clients.name,
                )
                for side, address in self.sides:
                    side.ip("address", "add", f"{address}/24", "dev", "wire")
                    side.ip("link", "set", "wire", "up")
            self.kept = kept.pop_all()

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        self.kept.close()

    @contextlib.contextmanager
    def rule(self, side, hook, *words):
        """A rule of nft at a hook of a side (nft(8))."""
        need("nft")
        side.run("nft", "add", "table", "ip", "fault")
        side.run(
            "nft", "add", "chain", "ip", "fault", hook,
            f"{{ type filter hook {hook} priority 0; policy accept; }}",
        )
        side.run("nft", "add", "rule", "ip", "fault", hook, *words)
        try:
            yield
        finally:
            side.run("nft", "delete", "table", "ip", "fault", check=False)

    @contextlib.contextmanager
    def losing(self, percent):
        """So many of a hundred packets are lost, in each direction."""
        words = ("ip", "protocol", "tcp", "numgen", "random", "mod", "100", "<", percent, "drop")
        with self.rule(self.servers, "input", *words), self.rule(self.clients, "input", *words):
            yield

    @contextlib.contextmanager
    def silent(self, side):
        """Nothing that this side sends arrives."""
        with self.rule(side, "output", "drop"):
            yield

    @contextlib.contextmanager
    def down(self):
        self.servers.ip("link", "set", "wire", "down")
        try:
            yield
        finally:
            self.servers.ip("link", "set", "wire", "up")

    @contextlib.contextmanager
    def slow(self, rate):
        need("tc")
        for side, _ in self.sides:
            run("tc", "-n", side.name, "qdisc", "add", "dev", "wire", "root", "tbf", "rate", rate,
                "burst", "16kb", "latency", "300ms")  # fmt: skip
        try:
            yield
        finally:
            for side, _ in self.sides:
                run("tc", "-n", side.name, "qdisc", "delete", "dev", "wire", "root", check=False)


class Relay:
    """A wire that a seed makes bad: packets are late, overtake each other, come twice."""

    def __init__(self, network, seed, latest=0.03, twice=0.02):
        self.ends = []
        for side, address in network.sides:
            other = THERE if address == HERE else HERE
            self.ends.append(self.device(side))
            side.ip("address", "add", address, "peer", other, "dev", "wire")
            side.ip("link", "set", "wire", "up")
        context = multiprocessing.get_context("fork")
        arguments = (self.ends, random.Random(seed), latest, twice)
        self.passed = context.Value("Q", 0)
        self.process = context.Process(target=self.pass_on, args=arguments, daemon=True)
        self.process.start()

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        self.process.terminate()
        self.process.join()
        for end in self.ends:
            os.close(end)

    @staticmethod
    def device(side):
        try:
            with side.inside():
                end = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
                fcntl.ioctl(end, TUNSETIFF, struct.pack("16sH22x", b"wire", IFF_TUN | IFF_NO_PI))
        except OSError as problem:
            raise NotTried(f"no TUN device can be made: {problem}") from problem
        return end

    def pass_on(self, ends, chance, latest, twice):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        late = []
        number = 0
        while True:
            wait = max(0, late[0][0] - time.monotonic()) if late else None
            for end in select.select(ends, [], [], wait)[0]:
                with contextlib.suppress(BlockingIOError):
                    while True:
                        packet = os.read(end, 65536)
                        to = ends[1] if end == ends[0] else ends[0]
                        for _ in range(1 + (chance.random() < twice)):
                            number += 1
                            when = time.monotonic() + chance.random() * latest
                            heapq.heappush(late, (when, number, to, packet))
            while late and late[0][0] <= time.monotonic():
                _, _, to, packet = heapq.heappop(late)
                with contextlib.suppress(OSError):
                    os.write(to, packet)
                self.passed.value += 1


def pause(seconds):
    """Waits, as part of a fault that is so long."""
    threading.Event().wait(seconds)
