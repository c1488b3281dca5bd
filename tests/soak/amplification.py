"""What a byte on the wire costs a server, in memory, on the disk and of its processors: each thing
that a client can make grow, at each listener, and the limit that keeps it small."""

import argparse
import contextlib
import functools
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cli"))

from talk_rig import SLUICE, TIMEOUT, Program, engines

FACTOR = 10  # of what was sent
FIRST = 30  # connections before it is measured: what is made when it is first needed


class Server(Program):
    """One that listens at `ports`, in the order of its words."""

    def __init__(self, folder, *words, listeners=1):
        super().__init__(SLUICE, *words, stdin=subprocess.DEVNULL)
        self.folder = folder
        self.members = []
        self.kept = contextlib.ExitStack()
        self.sent = 0
        try:
            found = [self.expect_stderr(r"^listening on .*:(\d+) \(") for _ in range(listeners)]
        except Exception:
            self.__exit__()
            raise
        self.ports = [int(each[1]) for each in found]

    def __exit__(self, *problem):
        self.kept.close()
        super().__exit__(*problem)

    def connect(self, listener=0, window=None):
        connected = self.kept.enter_context(contextlib.closing(socket.socket()))
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if window:
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        connected.settimeout(TIMEOUT)
        connected.connect(("127.0.0.1", self.ports[listener]))
        return connected

    def send(self, peer, data):
        peer.sendall(data)
        self.sent += len(data)

    def send_unread(self, peer, data):
        """As much of it as is taken while no answer is read."""
        peer.settimeout(0.05)
        view = memoryview(data)
        with contextlib.suppress(TimeoutError):
            while view:
                size = peer.send(view[:4096])
                self.sent += size
                view = view[size:]
        peer.settimeout(TIMEOUT)

    def memory(self):
        """Bytes that it has allocated, the logs of rooms included, which are mapped twice each."""
        text = pathlib.Path(f"/proc/{self.process.pid}/smaps_rollup").read_text(encoding="ascii")
        kib = re.findall(r"^(?:Anonymous|Pss_Shmem): +(\d+) kB$", text, re.MULTILINE)
        return 1024 * sum(map(int, kib))

    def disk(self):
        """Bytes that its files take, those included that have no name yet, and its directories."""
        blocks = 0
        for path, folders, files in os.walk(self.folder):
            for name in folders + files:
                blocks += os.lstat(os.path.join(path, name)).st_blocks
        for descriptor in pathlib.Path(f"/proc/{self.process.pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                found = descriptor.stat()
                if found.st_nlink == 0 and found.st_dev == os.stat(self.folder).st_dev:
                    blocks += found.st_blocks
        return 512 * blocks

    def processor(self):
        """Seconds of processors that it has used, and its children (clock_getcpuclockid(3))."""
        pids = [self.process.pid]
        with contextlib.suppress(OSError):
            path = pathlib.Path(f"/proc/{pids[0]}/task/{pids[0]}/children")
            pids += map(int, path.read_text(encoding="ascii").split())
        return sum(time.clock_gettime((~pid << 3) | 2) for pid in pids)


# ----- what a client does, once or on each of many connections


def a_head_that_has_begun(server, number):
    server.send(server.connect(), b"GET ")


def a_head_without_end(server, number):
    server.send(server.connect(), b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"x" * 15_000)


def a_head_of_tiny_fields(server, number):
    server.send(server.connect(), b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a:\r\n" * 3700)


def requests_without_reading(server, number):
    server.send_unread(server.connect(window=4096), b"GET /none HTTP/1.1\r\nHost: x\r\n\r\n" * 400)


def a_download_without_reading(server, number):
    server.send(server.connect(window=4096), b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")


def ranges_without_reading(server, number):
    ranges = ",".join(f"{4096 * i}-{4096 * i + 1}" for i in range(64))
    head = f"GET /large HTTP/1.1\r\nHost: x\r\nRange: bytes={ranges}\r\n\r\n"
    server.send(server.connect(window=4096), head.encode())


def a_listing_without_reading(server, number):
    server.send(server.connect(window=4096), b"GET /many/?format=json HTTP/1.1\r\nHost: x\r\n\r\n")


def ask_and_read(server, data):
    peer = server.connect()
    server.send(peer, data)
    answer = peer.recv(4096)
    if not re.match(rb"HTTP/1\.1 (20[0146]|308|507) ", answer):
        raise AssertionError(answer)


def a_digest(server, number):
    ask_and_read(
        server, b"HEAD /large HTTP/1.1\r\nHost: x\r\nWant-Repr-Digest: sha-256=1\r\n\r\n"
    )


def a_file_of_nothing(server, number):
    ask_and_read(server, b"PUT /n%d HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n" % number)


def a_file_of_a_byte(server, number):
    ask_and_read(server, b"PUT /b%d HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx" % number)


def directories(server, number):
    path = b"/d%d" % number + b"/d" * 31 + b"/f"
    ask_and_read(server, b"PUT %s HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n" % path)


def a_part_that_is_left(server, number):
    peer = server.connect()
    head = b"PUT /p%d HTTP/1.1\r\nHost: x\r\nContent-Range: bytes 0-8/9\r\nContent-Length: 9\r\n\r\nx"
    server.send(peer, head % number)
    peer.shutdown(socket.SHUT_WR)
    while peer.recv(4096):
        pass


def an_upload_that_has_begun(server, number):
    head = b"PUT /u%d HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\nx"
    server.send(server.connect(), head % number)


def chunks_of_a_byte(server, number):
    head = b"PUT /c%d HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" % number
    ask_and_read(server, head + b"1\r\nx\r\n" * 3000 + b"0\r\n\r\n")


def a_stream_that_has_begun(server, number):
    server.send(server.connect(1), b"x")


def a_stream_of_a_byte(server, number):
    peer = server.connect(1)
    server.send(peer, b"x")
    peer.shutdown(socket.SHUT_WR)
    with contextlib.suppress(ConnectionResetError):
        peer.recv(1)


def be_there(server, number):
    server.connect()


def nicknames(server, number):
    peer = server.connect(window=4096)
    server.send(peer, b"".join(b"/nick a%dx%d\n" % (number, i) for i in range(20)))


def a_room_of_ones_own(server, number):
    server.send(server.connect(), b"/join r%d\n" % number)


def tiny_lines(server, number):
    """In one room, of many authors in turn, and all without reading."""
    if not server.members:
        server.members = [server.connect(window=4096) for _ in range(50)]
    for member in server.members:
        server.send(member, b"a\n")


def histories(server, number):
    """Each line of it as long as may be; the first client says them."""
    peer = server.connect(window=4096)
    if number == 0:
        server.sent -= len(HISTORY)
        server.send(peer, HISTORY)
    else:
        server.send(peer, b"/join a\n/join old\n" * 5)


HISTORY = b"/join old\n" + (b"x" * 4000 + b"\n") * 100


def lists_without_reading(server, number):
    server.send_unread(server.connect(window=4096), b"/who\n" * 400)


def private_lines_without_reading(server, number):
    peer = server.connect(window=4096)
    server.send(peer, b"/nick w%d\n" % number)
    server.send_unread(peer, (b"/msg w%d " % number + b"x" * 200 + b"\n") * 400)


def half_a_line(server, number):
    """Of one that ends its lines."""
    server.send(server.connect(), b"/nick h%d\n" % number + b"x" * 4000)


def empty_lines(server, number):
    server.send_unread(server.connect(window=4096), b"\n" * 20_000)


def half_a_question(server, number):
    server.send(server.connect(), b"x" * 60_000)


def questions_without_reading(server, number):
    server.send_unread(server.connect(window=4096), b"x\n" * 50_000)


def answer_one(server, question):
    peer = server.connect()
    server.send(peer, question)
    peer.recv(4096)


def a_dear_question(server, number):
    answer_one(server, b"27\n")


def a_question_for_a_program(server, number):
    answer_one(server, b"x\n")


class Case:
    """`most` is what a connection may hold however little it sent, `whole` what all of them may.
    The disk and the processor may be used further where `disk` and `dear` say so, within the limit
    that is named. `unit` is the size of a message, of which several come on a connection."""

    def __init__(self, run, limit, *, many=300, most=0, whole=0, disk=False, dear=False, unit=0):
        self.run = run
        self.what = run.__name__.replace("_", " ")
        self.limit = limit
        self.many = many
        self.most = max(most * many, whole)
        self.disk = disk
        self.dear = dear
        self.unit = unit

    def processor_of_echo(self, engine, sent):
        """What messages of the same size cost, as many of them on as many connections."""
        unit = max(2, self.unit or min(sent // self.many, 4096))
        count = max(1, sent // self.many // unit)
        cost = echo_cost("auto" if engine == "blocking" else engine, unit, count)
        return cost * unit * count * self.many


CONNECTION = "--max-clients (clients, here)"
HTTP = (
    Case(a_head_that_has_begun, f"{CONNECTION}, --head-time (slow_heads)", most=2048),
    Case(a_head_without_end, "--max-head (large_heads), --head-time (slow_heads)"),
    Case(a_head_of_tiny_fields, "--max-head (large_heads)"),
    Case(requests_without_reading, "64 KiB of answers a connection, --body-time (slow_bodies)", unit=31),
    Case(
        a_download_without_reading, f"{CONNECTION}, --body-time (slow_bodies)", most=4096, dear=True
    ),
    Case(
        ranges_without_reading, "64 ranges, --body-time (slow_bodies)", most=100 << 10, dear=True
    ),
    Case(
        a_listing_without_reading,
        "64 MiB of all listings, 100 KiB a connection, --max-listing (listed)",
        many=100, most=400 << 10, dear=True,
    ),
    Case(a_digest, "once a version of a file, on two idle threads", many=100, most=4096, dear=True),
    Case(a_file_of_nothing, "one file each, whatever its size: --max-size bounds no number", disk=True, most=4096, dear=True),
    Case(a_file_of_a_byte, "one file each, whatever its size: --max-size bounds no number", disk=True, most=4096, dear=True),
    Case(
        directories, "32 of an upload, --quota (no_room)", disk=True, most=8192, many=50, dear=True
    ),
    Case(
        a_part_that_is_left, "--max-partial (parts_waiting, parts_crowded_out), --keep-partial",
        disk=True, most=4096, dear=True,
    ),
    Case(
        an_upload_that_has_begun, "what has come is reserved once more; --min-rate (slow_bodies)",
        disk=True, most=4096, dear=True,
    ),
    Case(chunks_of_a_byte, "--max-size (too_large)", many=50, disk=True, unit=6),
)
RAW = (
    Case(a_stream_that_has_begun, f"{CONNECTION}, --body-time (lost)", most=4096, disk=True, dear=True),
    Case(a_stream_of_a_byte, "--quota (failed)", most=4096, disk=True, dear=True),
)
CHAT = (
    Case(be_there, CONNECTION, most=2048, dear=True),
    Case(nicknames, "32 characters of one name, --command-rate (held_back)", most=6144, unit=13, dear=True),
    Case(a_room_of_ones_own, "--max-rooms (rooms, rooms_refused), one room a member", most=4096),
    # Beside each line of another author than the one before, a room keeps whose it is.
    Case(
        tiny_lines, "three times --window, a room and shard (log_bytes), --max-rooms", whole=6 << 20,
        unit=2,
    ),
    Case(histories, "--history, --command-rate (held_back)", most=8192, unit=9, dear=True),
    Case(
        lists_without_reading, "200 names, --command-rate (held_back), --max-private (private_lost)",
        many=50, most=160 << 10, unit=5, dear=True,
    ),
    Case(private_lines_without_reading, "--max-private (private_lost)", many=50, most=160 << 10),
    Case(half_a_line, "--max-line (too_long)"),
    Case(empty_lines, "--rate (held_back, empty_lines)", many=50, unit=2),
)
COMPUTE = (
    Case(half_a_question, "--max-line (too_long), --stall-time (stalled)", many=50),
    Case(
        questions_without_reading, "64 KiB of answers a connection, --stall-time (stalled)", many=50,
        unit=2,
    ),
    Case(
        a_dear_question, "--limit, --queue (busy), --deadline (late), --workers",
        many=50, most=8192, dear=True,
    ),
)
EXEC = (
    Case(
        a_question_for_a_program, "--workers processes (started), --queue (busy), --deadline (late)",
        many=50, most=8192, dear=True,
    ),
)
TALK = (
    Case(be_there, f"a thread a client: {CONNECTION}, --idle-time", many=50, most=64 << 10, dear=True),
    Case(half_a_question, "--max-line", many=50),
    Case(
        questions_without_reading,
        "a line of the transcript each; what is not written is not read; --idle-time",
        many=50, unit=2, dear=True,
    ),
)


@contextlib.contextmanager
def server_of(service, engine):
    with tempfile.TemporaryDirectory() as folder:
        here = ("--listen", "127.0.0.1:0")
        if service in ("http", "raw"):
            pathlib.Path(folder, "large").write_bytes(os.urandom(1 << 20))
            many = pathlib.Path(folder, "many")
            many.mkdir()
            for i in range(2000):
                (many / f"file-{i:04}").touch()
            words = ("files", "serve", folder, "--no-sync", "--quiet")
            words += ("--http", "127.0.0.1:0", "--raw", "127.0.0.1:0")
            listeners = 2
        else:
            words = {
                "chat": ("chat", "serve", "--quiet", *here),
                "compute": ("compute", "serve", *here),
                "compute --exec": ("compute", "serve", *here, "--fresh"),
                "echo": ("compute", "serve", "--work", "echo", "--quiet", *here),
                "talk": ("talk", "serve", "--echo", "--keep", "--quiet", "--model", "thread", *here),
            }[service]
            listeners = 1
        program = ("--exec", "cat") if service == "compute --exec" else ()
        with Server(folder, *words, "--engine", engine, *program, listeners=listeners) as server:
            yield server


SERVICES = {
    "http": HTTP, "raw": RAW, "chat": CHAT, "compute": COMPUTE, "compute --exec": EXEC, "talk": TALK
}


def engines_of(service):
    """Several conversations at a time take a thread each."""
    return [each for each in engines() if (each == "blocking") == (service == "talk")]


class Measured:
    def __init__(self, service, engine, case):
        self.case = case
        with server_of(service, engine) as server:
            for i in range(min(FIRST, case.many)):
                case.run(server, i)
            server.wait_asleep()
            before = server.memory(), server.disk(), server.processor()
            server.sent = 0
            for i in range(FIRST, FIRST + case.many):
                case.run(server, i)
            server.wait_asleep()
            self.sent = server.sent
            self.memory = server.memory() - before[0]
            self.disk = server.disk() - before[1]
            self.processor = server.processor() - before[2]

    def faults(self):
        """What is more than ten times what was sent, and beyond the fixed limit."""
        case = self.case
        if self.memory > max(FACTOR * self.sent, case.most):
            yield f"{self.memory} bytes of memory for {self.sent} bytes sent"
        if self.disk > FACTOR * self.sent and not case.disk:
            yield f"{self.disk} bytes of the disk for {self.sent} bytes sent"


@functools.cache
def echo_cost(engine, unit, count):
    """Seconds of processors for a byte of a plain echo: `count` messages of `unit` bytes a
    connection, those that fit into 4 KiB at once."""
    at_once = max(1, 4096 // unit)
    with server_of("echo", engine) as server:

        def converse(clients):
            for _ in range(clients):
                peer = server.connect()
                for first in range(0, count, at_once):
                    data = (b"x" * (unit - 1) + b"\n") * min(at_once, count - first)
                    server.send(peer, data)
                    left = len(data)
                    while left:
                        left -= len(peer.recv(left))

        converse(FIRST)
        server.wait_asleep()
        before, server.sent = server.processor(), 0
        converse(100)
        server.wait_asleep()
        return (server.processor() - before) / server.sent


def main():
    parser = argparse.ArgumentParser(prog="script/amplification", description=__doc__)
    parser.add_argument("services", nargs="*", metavar="LISTENER", help=", ".join(SERVICES))
    given = parser.parse_args()
    failed = False
    print("| listener | what a client sends | engine | bytes sent | memory | disk | CPU, µs |"
          " memory / sent | disk / sent | CPU / echo's | limit, flag (counter) |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for service in given.services or SERVICES:
        for case in SERVICES[service]:
            for engine in engines_of(service):
                m = Measured(service, engine, case)
                sent = max(1, m.sent)
                costs = m.processor / case.processor_of_echo(engine, m.sent)
                print(
                    f"| {service} | {case.what}, {case.many} times | {engine} | {m.sent} | {m.memory} |"
                    f" {m.disk} | {m.processor * 1e6:.0f} | {m.memory / sent:.1f} |"
                    f" {m.disk / sent:.1f} | {costs:.1f} | {case.limit} |",
                    flush=True,
                )
                wrong = list(m.faults())
                if costs > FACTOR and not case.dear:
                    wrong.append(f"{costs:.1f} times the CPU of an echo")
                for each in wrong:
                    print(f"amplification: {service}, {case.what}, {engine}: {each}", file=sys.stderr)
                failed = failed or bool(wrong)
    return int(failed)
