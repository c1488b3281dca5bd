"""Runs `sluice talk` and its peers; waits for what they say, never for time."""

import concurrent.futures
import contextlib
import functools
import json
import os
import pathlib
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest
import zlib

SLUICE = os.environ["SLUICE"]
PEERS = pathlib.Path(os.environ["SLUICE_SOURCE"], "examples", "python")
MOST_AT_ONCE = 8  # servers of one test


@functools.cache
def thread_sanitized():
    return b"__tsan_init" in pathlib.Path(SLUICE).read_bytes()


@functools.cache
def sanitized():
    """Whether the program is watched by a sanitizer, which has memory, descriptors and threads of
    its own."""
    return thread_sanitized() or b"__asan_init" in pathlib.Path(SLUICE).read_bytes()


# Seconds for anything that is to happen at once, on a machine that is busy: an error is found late
# then, but nothing that is right is taken for one.
TIMEOUT = 180 if sanitized() else 45
# SLUICE_SANDBOX=off shows whether a test fails for the sandbox.
ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith("SLUICE") or name == "SLUICE_SANDBOX"
}
ENVIRONMENT["PYTHONUTF8"] = "1"
# No file of this machine has a say.
ENVIRONMENT["SLUICE_CONFIG"] = "none"


@functools.cache
def engines():
    """Those to be tested here."""
    wanted = os.environ.get("SLUICE_TEST_ENGINES", "blocking,epoll,uring").split(",")
    done = subprocess.run(
        [SLUICE, "doctor", "--json"], stdout=subprocess.PIPE, timeout=TIMEOUT, env=ENVIRONMENT
    )
    if not json.loads(done.stdout)["io_uring"]["usable"]["value"] and "uring" in wanted:
        wanted.remove("uring")
    return wanted


def loops():
    """Those of them that can wait for two things at a time."""
    return [engine for engine in engines() if engine != "blocking"]


class Ended(Exception):
    """A stream ended, or nothing came on it, before what was waited for."""


class Stream:
    """The lines of a pipe, as they come."""

    def __init__(self, pipe):
        self.lines = queue.Queue()
        self.seen = []
        self.reader = threading.Thread(target=self.read, args=(pipe,), daemon=True)
        self.reader.start()

    def read(self, pipe):
        with pipe:
            for line in pipe:
                self.lines.put(line.decode("utf-8", "surrogateescape"))
        self.lines.put(None)

    def next(self):
        try:
            line = self.lines.get(timeout=TIMEOUT)
        except queue.Empty:
            raise Ended(f"nothing more came in {TIMEOUT} s after {self.seen}") from None
        if line is None:
            self.lines.put(None)
            raise Ended(f"it ended after {self.seen}")
        self.seen.append(line)
        return line

    def rest(self):
        """All lines up to the end, those before included."""
        with contextlib.suppress(Ended):
            while True:
                self.next()
        return "".join(self.seen)


def state_of(pid):
    """The state that the main thread of a process is in (proc(5), stat)."""
    with contextlib.suppress(OSError):
        text = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        return text.rpartition(")")[2].split()[0]
    return None


def states_of(pid):
    """The states that the threads of a process are in (proc(5), stat); none once it is gone, which
    can happen at any point here."""
    states = set()
    with contextlib.suppress(OSError):
        for stat in pathlib.Path(f"/proc/{pid}/task").glob("*/stat"):
            with contextlib.suppress(OSError):
                text = stat.read_text(encoding="ascii", errors="replace")
                states.add(text.rpartition(")")[2].split()[0])
    return states


@contextlib.contextmanager
def given(text):
    """A stdin that holds all of `text` and ends: it is there before the program is, which may end
    without a look at it."""
    reading, writing = os.pipe()
    with open(reading, "rb") as stdin:
        with open(writing, "wb") as ours:
            ours.write(text.encode("utf-8", "surrogateescape"))
        yield stdin


class Program:
    """A program that runs, and is killed if a test leaves it behind. `variables` are added to its
    environment."""

    def __init__(
        self, *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, variables=(), **options
    ):
        self.process = subprocess.Popen(
            [str(word) for word in command],
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=ENVIRONMENT | dict(variables),
            **options,
        )
        self.out = Stream(self.process.stdout) if stdout == subprocess.PIPE else None
        self.err = Stream(self.process.stderr)

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        self.process.kill()
        self.process.wait()
        if self.process.stdin:
            self.process.stdin.close()
        for stream in (self.out, self.err):
            if stream:
                stream.reader.join()

    def type(self, text):
        self.process.stdin.write(text.encode("utf-8", "surrogateescape"))

    def end_input(self):
        self.process.stdin.close()

    def signal(self, number):
        if thread_sanitized():
            # It may keep a signal that comes on the way into a wait until something ends the wait;
            # one that comes during the wait it gives to the program at once. One that computes does
            # not wait.
            for _ in range(200):
                if state_of(self.process.pid) == "S":
                    break
                time.sleep(0.005)
        self.process.send_signal(number)

    def read_line(self):
        """The next line of stdout."""
        return self.out.next()

    def expect_stderr(self, words):
        """The next line of stderr that matches the regular expression `words`."""
        while True:
            line = self.err.next()
            if found := re.search(words, line):
                return found

    def states(self):
        """The states that its threads are in (proc(5), stat)."""
        return states_of(self.process.pid)

    def wait_asleep(self):
        """Until all its threads, and those of its children, wait for something: what had reached any
        of them before has been acted on. A look takes one thread after another, so several have to
        agree."""

        def asleep():
            pids = [self.process.pid]
            for each in pathlib.Path(f"/proc/{self.process.pid}/task").glob("*/children"):
                with contextlib.suppress(OSError):
                    pids += each.read_text(encoding="ascii").split()
            return set().union(*map(states_of, pids)) == {"S"}

        wait_until(lambda: all(asleep() for _ in range(5)), "all threads wait")

    def end(self):
        """Waits for the end: the status, all of stdout, all of stderr."""
        status = self.process.wait(TIMEOUT)
        return status, self.out.rest() if self.out else "", self.err.rest()


class Server(Program):
    """`sluice talk serve` on a port of the kernel's choice."""

    def __init__(self, engine, *flags, **options):
        where = ("--listen", "127.0.0.1:0", "--engine", engine)
        super().__init__(SLUICE, "talk", "serve", *where, *flags, **options)
        try:
            found = self.expect_stderr(r"^listening on 127\.0\.0\.1:(\d+) \((\w+), (\w+)\)$")
        except Ended:
            super().__exit__()
            raise
        self.port = int(found[1])
        self.model, self.engine = found[2], found[3]


class Client(Program):
    """`sluice talk join`."""

    def __init__(self, engine, port, *flags, **options):
        super().__init__(SLUICE, "talk", "join", port, "--engine", engine, *flags, **options)


def python_client(port):
    return Program(sys.executable, "-B", PEERS / "talk_client.py", "127.0.0.1", port)


@contextlib.contextmanager
def python_server():
    """The program, and its port."""
    with Program(sys.executable, "-B", PEERS / "talk_server.py", 0) as program:
        yield program, int(program.expect_stderr(r"^listening on 127\.0\.0\.1:(\d+)$")[1])


class Socket:
    """A peer that is no program: a socket with a deadline."""

    def __init__(self, connected):
        self.socket = connected
        self.socket.settimeout(TIMEOUT)
        if connected.family != socket.AF_UNIX:
            self.name = "{}:{}".format(*connected.getsockname()[:2])

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def send_split(self, data):
        """A byte a packet."""
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in data:
            self.socket.sendall(bytes([byte]))

    def receive(self, size):
        data = bytearray()
        while len(data) < size:
            # No more at once: each call makes a buffer of the size it asks for.
            more = self.socket.recv(min(size - len(data), 65536))
            if not more:
                raise Ended(f"the connection ended after {bytes(data)!r}")
            data += more
        return bytes(data)

    def receive_to_end(self):
        """Everything up to an orderly end; a reset is an error."""
        data = bytearray()
        while more := self.socket.recv(65536):
            data += more
        return bytes(data)

    def finish(self):
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        """Closes in the rudest way there is."""
        self.socket.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0" b"\0\0\0\0"
        )
        self.socket.close()


def call(port):
    return Socket(socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT))


@contextlib.contextmanager
def listener():
    """A listening socket: its port, and a function that accepts."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(TIMEOUT)
        yield listener.getsockname()[1], lambda: Socket(listener.accept()[0])


def free_port():
    """A port that was free a moment ago, for programs that cannot choose one."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def listens(port):
    """True if a socket listens at 127.0.0.1:`port`, found out without connecting (proc(5))."""
    table = pathlib.Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    rows = (line.split() for line in table)
    return any(row[1] == f"0100007F:{port:04X}" and row[3] == "0A" for row in rows)


def wait_until(condition, what):
    """For what sends no word when it happens."""
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"in {TIMEOUT} s it never was so that {what}")
        time.sleep(0.005)


def address_sanitized():
    return sanitized() and not thread_sanitized()


def chosen(test, cases):
    """All of them; every other one, by the test's name, where the address sanitizer watches. It looks
    at lines, which all tests together run on every engine and model, at ten times the cost."""
    if not address_sanitized() or len(cases) < 2:
        return cases
    return cases[zlib.crc32(test.id().encode()) % 2 :: 2]


def side_by_side(test, cases, run):
    """Runs `run(case)` for all cases at once, for they wait more than they compute, and reports each
    as a subtest by its name. `cases` are names, each a dict, and their cases."""
    if not cases:
        test.skipTest("none of the engines and models it is for works here")
    cases = chosen(test, cases)
    with concurrent.futures.ThreadPoolExecutor(min(len(cases), MOST_AT_ONCE)) as pool:
        outcomes = [pool.submit(run, case) for _, case in cases]
    for (name, _), outcome in zip(cases, outcomes):
        with test.subTest(**name):
            outcome.result()


def one_by_one(test, cases, run):
    """The same one after another: for tests that a neighbour would disturb, such as those that wait
    for the end of a pipe, which a process between its fork and its exec holds open."""
    for name, case in chosen(test, cases):
        with test.subTest(**name):
            run(case)


def on_every_engine(test=None, *, how=side_by_side, of=engines):
    """Runs a test once an engine, with its name."""
    if test is None:
        return functools.partial(on_every_engine, how=how, of=of)

    @functools.wraps(test)
    def on_each(self):
        cases = [({"engine": engine}, engine) for engine in of()]
        how(self, cases, lambda engine: test(self, engine))

    return on_each


def on_every_loop(test=None, *, how=side_by_side):
    """The same with loops() alone."""
    return on_every_engine(test, how=how, of=loops)


class TalkTest(unittest.TestCase):
    maxDiff = None

    def assert_ends(self, program, status, out=None, err=None):
        """`out` is all of stdout; `err` is a regular expression for some of stderr."""
        got_status, got_out, got_err = program.end()
        self.assertEqual(got_status, status, got_err)
        if out is not None:
            self.assertEqual(got_out, out)
        if err is not None:
            self.assertRegex(got_err, re.compile(err, re.MULTILINE))
        return got_err


INTERRUPT, TERMINATE, KILL = signal.SIGINT, signal.SIGTERM, signal.SIGKILL
