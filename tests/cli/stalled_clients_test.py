"""Clients that say nothing, stop in the middle, or read nothing: others never wait for them."""

import contextlib
import functools
import pathlib
import re
import select
import socket
import subprocess
import tempfile
import unittest

from talk_rig import (
    SLUICE,
    TIMEOUT,
    Ended,
    Program,
    Socket,
    loops,
    on_every_loop,
    one_by_one,
    sanitized,
    side_by_side,
    wait_until,
)

MODELS = [("--model", model) for model in ("fork", "thread", "pool")]
MODELS += [("--engine", engine) for engine in loops()]
LONG = ("--head-time", "1h", "--body-time", "1h", "--idle-time", "1h")
GET = b"GET /small HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


class Server(Program):
    """A command that listens at one place or several, each by its word in what it says."""

    def __init__(self, *words, endpoints):
        super().__init__(SLUICE, *words, stdin=subprocess.DEVNULL)
        self.ports = {}
        try:
            for endpoint in endpoints:
                self.ports[endpoint] = int(self.expect_stderr(r"^listening on 127\.0\.0\.1:(\d+)")[1])
        except Ended:
            super().__exit__()
            raise

    def call(self, endpoint, source="127.0.0.1", window=None):
        connected = socket.socket()
        if window:
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        connected.settimeout(TIMEOUT)
        connected.bind((source, 0))
        connected.connect(("127.0.0.1", self.ports[endpoint]))
        return Socket(connected)

    def timers(self, endpoint):
        """The timers of its established connections there, as /proc/net/tcp numbers them."""
        rows = pathlib.Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
        rows = [row.split() for row in rows]
        local = f":{self.ports[endpoint]:04X}"
        return [row[5][:2] for row in rows if row[1].endswith(local) and row[3] == "01"]


def on_every_model(test=None, *, and_sync=False):
    """Runs a test once a model that serves several clients at a time, with its flags."""
    if test is None:
        return functools.partial(on_every_model, and_sync=and_sync)

    @functools.wraps(test)
    def on_each(self):
        models = [("--model", "sync"), *MODELS] if and_sync else MODELS
        side_by_side(self, [({"flags": f}, f) for f in models], functools.partial(test, self))

    return on_each


class Stalled(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        (self.folder / "small").write_bytes(b"hello\n")
        with open(self.folder / "large", "wb") as large:
            large.truncate(64 << 20)
        self.kept = self.enterContext(contextlib.ExitStack())

    def files(self, *flags):
        endpoints = ("--http", "127.0.0.1:0", "--raw", "127.0.0.1:0")
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        for name in ("small", "large"):
            (folder / name).hardlink_to(self.folder / name)
        where = ("files", "serve", folder, "--no-sync")
        return Server(*where, *endpoints, *flags, endpoints=("http", "raw"))

    def stall(self, server, endpoint, said=b"", **options):
        client = self.kept.enter_context(server.call(endpoint, **options))
        client.send(said)
        return client

    def assert_http(self, server):
        with server.call("http") as client:
            client.send(GET)
            self.assertTrue(client.receive_to_end().endswith(b"\r\n\r\nhello\n"))

    def assert_raw(self, server):
        with server.call("raw") as client:
            client.send(b"kept whole")
            client.finish()
            self.assertEqual(client.receive_to_end(), b"")

    # ----- as many as a pool has threads

    def test_no_thread_of_a_pool_waits_for_a_client_of_files(self):
        head = b"PUT /new HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
        stalls = {
            "half a head": ("http", b"GET /small HTT"),
            "half a body": ("http", head + b"half"),
            "half a body in chunks": (
                "http",
                b"PUT /other HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nha",
            ),
            "an unread answer": ("http", b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n"),
            "a silent stream": ("raw", b""),
            "half a stream": ("raw", b"half"),
        }
        for what, (endpoint, said) in stalls.items():
            with self.subTest(what), self.files("--model", "pool", "--workers", "2", *LONG) as server:
                for _ in range(3):
                    self.stall(server, endpoint, said, window=4096)
                self.assert_http(server)
                self.assert_raw(server)

    def test_no_thread_of_a_pool_waits_for_a_client_of_an_offer(self):
        offer = ("files", "offer", self.folder / "large", "--listen", "127.0.0.1:0")
        flags = ("--model", "pool", "--workers", "2", "--body-time", "1h")
        with Server(*offer, *flags, endpoints=("offer",)) as server:
            for _ in range(3):
                self.stall(server, "offer", window=4096)
            with server.call("offer") as client:
                self.assertEqual(len(client.receive(64 << 20)), 64 << 20)

    def test_no_thread_of_a_pool_waits_for_a_client_of_compute(self):
        flags = ("--listen", "127.0.0.1:0", "--model", "pool", "--workers", "2", "--work", "echo")
        with Server("compute", "serve", *flags, endpoints=("compute",)) as server:
            question = b"a" * 60_000 + b"\n"
            for _ in range(2):
                self.stall(server, "compute", b"half a quest")
                unread = self.stall(server, "compute", window=4096)
                unread.socket.setblocking(False)
                # Until the server cannot write its answers, and so reads no questions.
                while select.select([], [unread.socket], [], 0.2)[1]:
                    unread.socket.send(question * 10)
            with server.call("compute") as client:
                client.send(b"whole\n")
                self.assertEqual(client.receive(6), b"whole\n")

    # ----- at the limit of clients

    @on_every_model
    def test_silent_clients_at_the_limit_of_one_endpoint_leave_the_other_open(self, flags):
        for full, free in (("raw", self.assert_http), ("http", self.assert_raw)):
            with self.files("--max-clients", "2", *LONG, *flags) as server:
                silent = [self.stall(server, full) for _ in range(4)]
                free(server)
                free(server)
                # An endpoint that was full accepts again.
                for client in silent:
                    client.reset()
                self.assert_http(server)
                self.assert_raw(server)

    def test_silent_clients_of_an_echo_give_way_to_others(self):
        for model in [("--model", "sync"), *MODELS]:
            limits = ("--max-clients", "2", "--idle-time", "200ms", "--listen", "127.0.0.1:0")
            echo = ("talk", "serve", "--echo", "--keep", "--quiet", *limits, *model)
            with self.subTest(model), Server(*echo, endpoints=("talk",)) as server:
                silent = self.stall(server, "talk")
                self.stall(server, "talk", b"half a mess")
                with server.call("talk") as client:
                    client.send(b"hello\n")
                    self.assertEqual(client.receive(6), b"hello\n")
                self.assertEqual(silent.receive(5), b"exit\n")

    def test_silent_clients_at_three_endpoints_leave_the_fourth_open(self):
        endpoints = ("http", "raw", "compute", "chat")
        for engine in loops():
            words = [word for endpoint in endpoints for word in (f"--{endpoint}", "127.0.0.1:0")]
            flags = ("--files", self.folder, "--max-clients", "2", "--quiet", "--engine", engine)
            with self.subTest(engine), Program(
                SLUICE, "serve", *words, *flags, stdin=subprocess.DEVNULL
            ) as program:
                said = program.expect_stderr(r"^(files over HTTP on .*, chat on .*)$")
                ports = [int(port) for port in re.findall(r":(\d+)", said[1])]
                server = program
                server.ports = dict(zip(endpoints, ports))
                dial = lambda endpoint: self.kept.enter_context(
                    Socket(socket.create_connection(("127.0.0.1", server.ports[endpoint]), TIMEOUT))
                )
                for endpoint in endpoints[1:]:
                    for _ in range(3):
                        dial(endpoint)
                client = dial("http")
                client.send(GET)
                self.assertTrue(client.receive_to_end().endswith(b"\r\n\r\nhello\n"))

    # ----- from one address

    def assert_reset(self, server, endpoint):
        """A stream's end would say of an upload over plain TCP that it was kept."""
        with self.assertRaises(ConnectionResetError), server.call(endpoint) as refused:
            refused.receive_to_end()

    @on_every_model
    def test_one_address_has_as_many_connections_as_it_may_have(self, flags):
        flags = ("--listen", "127.0.0.1:0", "--max-per-address", "2", *flags)
        with Server(
            "compute", "serve", *flags, endpoints=("compute",)
        ) as server:
            here = [self.stall(server, "compute", b"1\n") for _ in range(2)]
            for client in here:
                self.assertEqual(client.receive(2), b"1\n")
            self.assert_reset(server, "compute")
            server.expect_stderr(r"as one may have here \(--max-per-address\), .*: 127\.0\.0\.1:")
            with server.call("compute", source="127.0.0.2") as other:
                other.send(b"10\n")
                self.assertEqual(other.receive(3), b"89\n")
            here[0].reset()

            def is_served_again():
                with contextlib.suppress(Ended, ConnectionError), server.call("compute") as again:
                    again.send(b"1\n")
                    return again.receive(2) == b"1\n"

            wait_until(is_served_again, "the place of one that left is free")
            server.signal(15)
            self.assertRegex(server.end()[2], r"; 0 shed, [1-9]\d* refused for --max-per-address")

    def test_a_chat_counts_addresses_too(self):
        flags = ("chat", "serve", "--listen", "127.0.0.1:0", "--max-per-address", "1")
        with Server(*flags, endpoints=("chat",)) as server:
            member = self.stall(server, "chat")
            self.assertIn(b"welcome", member.receive(9))
            self.assert_reset(server, "chat")
            with server.call("chat", source="127.0.0.2") as other:
                self.assertIn(b"welcome", other.receive(9))

    # ----- for how long

    @on_every_model(and_sync=True)
    def test_a_peer_that_is_gone_is_noticed_by_tcp(self, flags):
        flags = ("--listen", "127.0.0.1:0", *flags)
        with Server(
            "compute", "serve", *flags, endpoints=("compute",)
        ) as server:
            client = self.stall(server, "compute", b"1\n")
            self.assertEqual(client.receive(2), b"1\n")
            # 2: the timer of keepalive (proc_net_tcp.txt of the kernel).
            wait_until(lambda: server.timers("compute") == ["02"], "keepalive is on")

    @on_every_model(and_sync=True)
    def test_a_stream_that_stalls_is_left(self, flags):
        limits = ("--idle-time", "200ms", "--body-time", "200ms", *flags)
        with self.files(*limits) as server:
            for said in (b"", b"half"):
                with server.call("raw") as client:
                    client.send(said)
                    with self.assertRaises(ConnectionResetError):
                        client.receive_to_end()
                self.assertRegex(server.read_line(), r"^Lost \[Client \d+\] .*the deadline passed")
            self.assert_raw(server)

    @on_every_model(and_sync=True)
    def test_a_client_that_reads_nothing_of_an_offer_is_left(self, flags):
        offer = ("files", "offer", self.folder / "large", "--listen", "127.0.0.1:0")
        with Server(
            *offer, "--body-time", "200ms", *flags, endpoints=("offer",)
        ) as server:
            self.stall(server, "offer", window=4096)
            self.assertRegex(server.read_line(), r"^Lost \[Client 1\] after \d+ bytes: .*the deadline passed")

    # ----- what they cost is given back

    @contextlib.contextmanager
    def crowd(self, engine, leaves):
        """2,000 clients of a server: its memory above that without them, in KiB, those that leave
        (their numbers are in `leaves`), and the others."""
        # Enough to tell from what malloc keeps for a thread, which is some 150 KiB.
        many = 2000
        limits = ("--workers", "2", "--max-clients", "3000", "--max-per-address", "3000")
        with self.files("--engine", engine, *limits) as server, \
                contextlib.ExitStack() as leaving, contextlib.ExitStack() as staying:
            status = pathlib.Path(f"/proc/{server.process.pid}/status")
            descriptors = pathlib.Path(f"/proc/{server.process.pid}/fd")
            memory = lambda: int(re.search(r"^RssAnon:\s+(\d+)", status.read_text(), re.M)[1])
            for _ in range(10):
                self.assert_http(server)
            before = memory()
            clients = []
            for number in range(many):
                of = leaving if number in leaves else staying
                clients.append(of.enter_context(server.call("http")))
            for client in clients:
                client.send(b"GET ")
            wait_until(lambda: len(list(descriptors.iterdir())) > many, "they are here")
            server.wait_asleep()
            yield lambda: memory() - before, leaving, staying

    @on_every_loop(how=one_by_one)
    @unittest.skipIf(sanitized(), "its memory is not the program's alone")
    def test_what_a_burst_of_clients_cost_is_given_back(self, engine):
        with self.crowd(engine, {n for n in range(2000) if n % 20}) as (cost, leaving, staying):
            most = cost()
            # Some leave late, when the memory of the others has been given back.
            leaving.close()
            wait_until(lambda: cost() < most // 2, "most of it is given back")
            staying.close()
            wait_until(lambda: cost() < most // 4, "their memory is given back")

    @on_every_loop(how=one_by_one)
    @unittest.skipIf(sanitized(), "its memory is not the program's alone")
    def test_what_some_clients_cost_is_given_back_while_most_stay(self, engine):
        with self.crowd(engine, range(1000)) as (cost, leaving, _):
            most = cost()
            leaving.close()
            wait_until(lambda: cost() < most * 3 // 4, "their memory is given back")
