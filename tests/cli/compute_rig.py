"""Runs `sluice compute serve` under every model, and its clients."""

import contextlib
import functools
import json
import os
import pathlib
import re
import subprocess
import sys
import unittest

from talk_rig import (
    ENVIRONMENT,
    PEERS,
    SLUICE,
    TIMEOUT,
    Ended,
    Program,
    call,
    loops,
    side_by_side,
    wait_until,
)

FIB = {1: 1, 10: 89, 20: 10946, 25: 121393, 30: 1346269}


@functools.cache
def models():
    """(model, engine) pairs that work here."""
    pairs = [(model, "blocking") for model in ("sync", "fork", "thread", "pool")]
    return pairs + [("event", engine) for engine in loops()]


class Server(Program):
    """`sluice compute serve` on a port of the kernel's choice."""

    def __init__(self, model, *flags, engine="auto", prefix=(), **options):
        super().__init__(
            *prefix,
            SLUICE,
            "compute",
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--model",
            model,
            "--engine",
            engine,
            *flags,
            stdin=subprocess.DEVNULL,
            **options,
        )
        try:
            found = self.expect_stderr(r"^listening on 127\.0\.0\.1:(\d+) \((\w+), (\w+)\)$")
        except Ended:
            super().__exit__()
            raise
        self.port = int(found[1])
        self.model, self.engine = found[2], found[3]

    def stop(self, number=15):
        """The status and all of stderr after a signal."""
        self.signal(number)
        status, _, said = self.end()
        return status, said

    def children(self):
        """Processes whose parent is the server, with their states (proc(5))."""
        pid = self.process.pid
        path = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
        states = {}
        for child in path.read_text(encoding="ascii").split():
            with contextlib.suppress(OSError):
                stat = pathlib.Path(f"/proc/{child}/stat").read_text(encoding="ascii", errors="replace")
                states[int(child)] = stat.rpartition(")")[2].split()[0]
        return states

    def descriptors(self, pid=None):
        """What the descriptors of a process are, by number."""
        folder = pathlib.Path(f"/proc/{pid or self.process.pid}/fd")
        links = {}
        for each in folder.iterdir():
            with contextlib.suppress(OSError):
                links[int(each.name)] = os.readlink(each)
        return links

    def wait_read(self, client):
        """Until the server has read all that `client` has sent (proc(5), /proc/net/tcp)."""
        theirs = client.socket.getsockname()[1]

        def is_read():
            rows = pathlib.Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
            for row in map(str.split, rows):
                if row[1].endswith(f":{self.port:04X}") and row[2].endswith(f":{theirs:04X}"):
                    return row[4].endswith(":00000000")
            return False

        wait_until(is_read, "the server has read the question")

    def threads(self):
        return len(os.listdir(f"/proc/{self.process.pid}/task"))

    def memory(self):
        return memory_of(self.process.pid)

    def cpu_ticks(self):
        return ticks_of(self.process.pid)

    def work(self):
        """Ticks of CPU of the server and the processes it has now."""
        ticks = self.cpu_ticks()
        for child in self.children():
            with contextlib.suppress(OSError):
                ticks += ticks_of(child)
        return ticks


def memory_of(pid):
    """In KiB, what a process has allocated (proc(5), smaps_rollup). The pages of its program and
    libraries are not counted, which become private when another that runs them ends."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    return int(re.search(r"^Anonymous: +(\d+) kB$", text, re.MULTILINE)[1])


def ticks_of(pid):
    stat = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    return sum(map(int, stat.rpartition(")")[2].split()[11:13]))


def ask(port, question, *flags, timeout=TIMEOUT):
    """`sluice compute ask`, done: status, stdout, stderr."""
    done = subprocess.run(
        [SLUICE, "compute", "ask", f"127.0.0.1:{port}", *map(str, flags), "--", str(question)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        timeout=timeout,
        env=ENVIRONMENT,
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def ask_json(port, question, *flags, timeout=TIMEOUT):
    status, out, err = ask(port, question, "--json", *flags, timeout=timeout)
    if not out:
        raise AssertionError(f"ask said nothing but {err!r}, with status {status}")
    return json.loads(out)


def python_client(port, number, times):
    return Program(sys.executable, "-B", PEERS / "compute_client.py", "127.0.0.1", port, number, times)


def on_every_model(test=None, *, how=side_by_side, but=()):
    """Runs a test once a model, with a function that starts a server of it."""
    if test is None:
        return functools.partial(on_every_model, how=how, but=but)

    @functools.wraps(test)
    def on_each(self):
        cases = [
            ({"model": model, "engine": engine}, functools.partial(Server, model, engine=engine))
            for model, engine in models()
            if model not in but
        ]
        how(self, cases, functools.partial(test, self))

    return on_each


class ComputeTest(unittest.TestCase):
    maxDiff = None

    def assert_answers(self, server, number=10):
        with call(server.port) as client:
            client.send(f"{number}\n".encode())
            answer = f"{FIB[number]}\n".encode()
            self.assertEqual(client.receive(len(answer)), answer)

    def assert_stops(self, server, *words, number=15):
        """A signal ends it in peace; `words` are regular expressions for some of what it said."""
        status, said = server.stop(number)
        self.assertEqual(status, 130 if number == 2 else 0, said)
        for each in words:
            self.assertRegex(said, each)
        return said


__all__ = [name for name in dir() if not name.startswith("_")]
