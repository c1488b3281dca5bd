"""--trusted-proxy: a client's address by the PROXY protocol and X-Forwarded-For, at each door."""

import base64
import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import unittest

from chat_rig import ChatServer, Member
from compute_rig import Server as ComputeServer
from compute_rig import on_every_model as on_every_compute_model
from files_http_rig import HttpServer, HttpTest, on_every_model
from files_raw_test import FileServer
from login_test import QUESTION, WRONG, LoginTest, login
from talk_rig import (
    ENVIRONMENT,
    SLUICE,
    TIMEOUT,
    Ended,
    Program,
    Server,
    Socket,
    TalkTest,
    on_every_engine,
    on_every_loop,
    wait_until,
)
from tls_rig import Authority, client_context

TRUSTED = ("--trusted-proxy", "127.0.0.1", "--open")
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
CLIENT = ("192.0.2.1", 56324)


def text(host=CLIENT[0], port=CLIENT[1]):
    if ":" in host:
        return f"PROXY TCP6 {host} 2001:db8::7 {port} 443\r\n".encode()
    return f"PROXY TCP4 {host} 198.51.100.7 {port} 443\r\n".encode()


def binary(host=CLIENT[0], port=CLIENT[1], fields=b"", command=0x21):
    is_v6 = ":" in host
    family = socket.AF_INET6 if is_v6 else socket.AF_INET
    ends = socket.inet_pton(family, host) + socket.inet_pton(family, "::7" if is_v6 else "1.2.3.4")
    block = ends + struct.pack(">HH", port, 443) + fields
    return SIGNATURE + struct.pack(">BBH", command, 0x21 if is_v6 else 0x11, len(block)) + block


LOCAL = SIGNATURE + b"\x20\0\0\0"
UNKNOWN = b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"
FIELDS = b"\x01\0\x08http/1.1" + b"\x04\x01\0" + bytes(256)
NAMED = {
    "text": text(),
    "text of IPv6": text("2001:db8::1"),
    "binary": binary(),
    "binary of IPv6": binary("2001:db8::1"),
    "binary with fields": binary(fields=FIELDS),
}
BAD = {
    "no address": b"PROXY TCP4 nowhere 198.51.100.7 1 2\r\n",
    "no such protocol": b"PROXY UDP4 192.0.2.1 198.51.100.7 1 2\r\n",
    "a line that is too long": b"PROXY UNKNOWN " + b"x" * 100 + b"\r\n",
    "another version": binary(command=0x11),
    "no such command": binary(command=0x22),
    "binary that is too long": SIGNATURE + b"\x21\x11\xff\xff" + bytes(100),
    "binary that is too short": SIGNATURE + b"\x21\x11\0\x04" + bytes(4),
}


def dial(port, source="127.0.0.1"):
    connected = socket.create_connection(("127.0.0.1", port), TIMEOUT, source_address=(source, 0))
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Socket(connected)


def expect(program, words):
    """The next line of stdout that matches the regular expression."""
    while True:
        if found := re.search(words, program.out.next()):
            return found


def counters(program, name):
    """Of the clients of a server, the one of that name."""
    program.signal(signal.SIGUSR1)
    return int(program.expect_stderr(rf"^  {name} +(\d+)  ")[1])


class ProxyTest(TalkTest):
    def assert_closed(self, client):
        """By a reset, or in order where its bytes had been read."""
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            self.assertEqual(client.receive_to_end(), b"")


class Headers(ProxyTest):
    """At a door of which the service shows nothing of a client."""

    @on_every_compute_model
    def test_a_request_follows_a_header_however_it_is_cut(self, serve):
        headers = [*NAMED.values(), LOCAL, UNKNOWN, b""]
        with serve(*TRUSTED) as server:
            for header in headers:
                with dial(server.port) as client:
                    client.send(header + b"10\n")
                    self.assertEqual(client.receive(3), b"89\n", header)
                with dial(server.port) as client:
                    client.send(header)
                    client.send(b"10\n20\n")
                    self.assertEqual(client.receive(9), b"89\n10946\n", header)
                with dial(server.port) as client:
                    client.send_split(header + b"10\n")
                    self.assertEqual(client.receive(3), b"89\n", header)
            self.assertEqual(counters(server, "announced"), 3 * len(NAMED))

    @on_every_compute_model
    def test_a_bad_header_closes_the_connection(self, serve):
        with serve(*TRUSTED) as server:
            for what, header in BAD.items():
                with self.subTest(what), dial(server.port) as client:
                    client.send(header + b"10\n")
                    self.assert_closed(client)
            for header in (text(), binary(fields=FIELDS)):
                with dial(server.port) as client:
                    client.send(header[:-1])
                    client.finish()
                    self.assert_closed(client)
            with dial(server.port) as client:
                client.send(text() + b"10\n")
                self.assertEqual(client.receive(3), b"89\n")
            found = server.expect_stderr(
                r"a connection of the trusted proxy 127\.0\.0\.1:\d+ was closed, for its PROXY "
                r"header is malformed$"
            )
            self.assertTrue(found)
            self.assertEqual(counters(server, "bad_headers"), len(BAD) + 2)
            _, said = server.stop()
            # Reported once, and counted.
            self.assertEqual(said.count("for its PROXY header is"), 1)

    @on_every_compute_model
    def test_of_another_address_a_header_is_what_it_is_without_trust(self, serve):
        with serve(*TRUSTED) as server:
            with dial(server.port, "127.0.0.2") as client:
                client.send(text() + b"10\n")
                self.assertEqual(client.receive(16), b"not a number\n89\n")
            self.assertEqual(counters(server, "announced"), 0)
        with serve("--open") as server, dial(server.port) as client:
            client.send(text() + b"10\n")
            self.assertEqual(client.receive(16), b"not a number\n89\n")

    @on_every_compute_model(but=("sync",))
    def test_limits_are_those_of_the_address_that_is_named(self, serve):
        with serve(*TRUSTED, "--max-per-address", "2") as server, contextlib.ExitStack() as kept:

            def ask(header):
                client = kept.enter_context(dial(server.port))
                client.send(header + b"10\n")
                return client

            two = text("192.0.2.2")
            for header in (text(), binary(), two, two, text("2001:db8::1")):
                self.assertEqual(ask(header).receive(3), b"89\n")
            # Those of the proxy itself are under no limit.
            for header in (LOCAL, LOCAL, LOCAL, UNKNOWN, b""):
                self.assertEqual(ask(header).receive(3), b"89\n")
            with self.assertRaises(ConnectionResetError):
                ask(text()).receive_to_end()
            server.expect_stderr(r" \(--max-per-address\), .*: 192\.0\.2\.1:56324$")
            with self.assertRaises(ConnectionResetError):
                ask(binary("192.0.2.2")).receive_to_end()
            # An address that is not trusted has its share, as without proxies.
            for _ in range(2):
                other = kept.enter_context(dial(server.port, "127.0.0.2"))
                other.send(b"10\n")
                self.assertEqual(other.receive(3), b"89\n")
            with self.assertRaises(ConnectionResetError), dial(server.port, "127.0.0.2") as third:
                third.send(b"10\n")
                third.receive_to_end()
            self.assertEqual(counters(server, "refused"), 3)

    @on_every_compute_model(but=("sync",))
    def test_one_that_left_makes_way_for_its_address(self, serve):
        with serve(*TRUSTED, "--max-per-address", "1") as server:
            first = dial(server.port)
            first.send(text() + b"10\n")
            self.assertEqual(first.receive(3), b"89\n")
            first.reset()

            def is_served_again():
                with contextlib.suppress(Ended, ConnectionError), dial(server.port) as again:
                    again.send(text() + b"1\n")
                    return again.receive(2) == b"1\n"

            wait_until(is_served_again, "the place of one that left is free")

    @on_every_compute_model(but=("sync",))
    def test_the_rate_is_that_of_the_address_that_is_named(self, serve):
        with serve(*TRUSTED, "--rate-per-address", "1") as server:

            def is_served(header):
                with contextlib.suppress(ConnectionError), dial(server.port) as client:
                    client.send(header + b"1\n")
                    return client.socket.recv(2) == b"1\n"
                return False

            served = [is_served(text()) for _ in range(8)]
            self.assertEqual(served[:4], [True] * 4)
            self.assertIn(False, served)
            self.assertTrue(is_served(text("192.0.2.2")))
            self.assertTrue(all(is_served(LOCAL) for _ in range(8)))

    @on_every_compute_model
    def test_a_connection_that_says_nothing_holds_up_no_other(self, serve):
        with serve(*TRUSTED) as server, dial(server.port), dial(server.port) as slow:
            slow.send(text()[:20])
            with dial(server.port) as client:
                client.send(binary() + b"10\n")
                self.assertEqual(client.receive(3), b"89\n")
            slow.send(text()[20:] + b"20\n")
            self.assertEqual(slow.receive(6), b"10946\n")
            status, _ = server.stop()
            self.assertEqual(status, 0)

    def test_a_program_of_the_fork_model_knows_its_client(self):
        script = "while read x; do echo $REMOTE_ADDR $REMOTE_PORT; done"
        flags = (*TRUSTED, "--exec", "sh", "-c", script)
        with ComputeServer("fork", *flags) as server, dial(server.port) as client:
            client.send(text("2001:db8::1") + b"1\n")
            self.assertEqual(client.receive(18), b"2001:db8::1 56324\n")

    def test_the_address_of_one_that_is_sent_away_is_logged(self):
        with ComputeServer("event", *TRUSTED) as server, dial(server.port) as client:
            client.send(text() + b"GET / HTTP/1.1\r\n\r\n")
            server.expect_stderr(r"192\.0\.2\.1:56324 has to go: ")


class Lines(ProxyTest):
    """Doors that show addresses."""

    @on_every_loop
    def test_a_chat_shows_where_members_are(self, engine):
        with ChatServer(engine, *TRUSTED) as server:
            for number, (header, where) in enumerate(
                (
                    (text(), "192.0.2.1:56324"),
                    (binary("2001:db8::1"), "[2001:db8::1]:56324"),
                    (UNKNOWN, r"127.0.0.1:\d+"),
                ),
                1,
            ):
                with Member(server.port) as member:
                    member.send(header + b"hello\n")
                    member.greeted()
                    shown = where.replace("[", r"\[").replace("]", r"\]")
                    expect(server, rf"^<< Client {number} connected from {shown} >>$")
                    expect(server, rf"^\[Client {number}\]: hello$")

    @on_every_loop
    def test_a_chat_counts_the_addresses_that_are_named(self, engine):
        with ChatServer(engine, *TRUSTED, "--max-per-address", "1") as server:
            with Member(server.port) as first, Member(server.port) as other:
                first.send(text())
                first.greeted()
                other.send(text("192.0.2.2"))
                other.greeted()
                with self.assertRaises(ConnectionResetError), Member(server.port) as again:
                    again.send(binary())
                    again.line()

    @on_every_engine
    def test_a_talk_shows_who_calls(self, engine):
        with Server(engine, "--trusted-proxy", "127.0.0.0/8", "--keep", "--echo") as server:
            for header in (text(), binary()):
                with dial(server.port) as client:
                    client.send(header + b"hello\n")
                    self.assertEqual(client.receive(6), b"hello\n")
                    expect(server, r"^\[Client 192\.0\.2\.1:56324\] connected$")
                    expect(server, r"^\[Client 192\.0\.2\.1:56324\]: hello$")
            with dial(server.port) as client:
                client.send(BAD["no address"])
                self.assert_closed(client)
            server.expect_stderr(r"127\.0\.0\.1:\d+ was closed, for its PROXY header is malformed$")
            with dial(server.port) as client:
                client.send(LOCAL + b"hello\n")
                self.assertEqual(client.receive(6), b"hello\n")
                expect(server, r"^\[Client 127\.0\.0\.1:\d+\]: hello$")

    def test_an_echo_for_many_shows_who_calls(self):
        for model in ("fork", "thread", "pool"):
            flags = ("--trusted-proxy", "127.0.0.1", "--keep", "--echo", "--model", model)
            with self.subTest(model), Server("blocking", *flags) as server:
                with dial(server.port) as client:
                    client.send(binary() + b"hello\n")
                    self.assertEqual(client.receive(6), b"hello\n")
                    expect(server, r"^\[Client 192\.0\.2\.1:56324\]: hello$")


class Tls(ProxyTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.authority = Authority(cls.addClassCleanup)
        cls.pair = cls.authority.sign("localhost")
        cls.flags = (*TRUSTED, "--cert", cls.pair[0], "--key", cls.pair[1])

    def dial(self, port, header):
        """A secure connection, whose header comes first and in the clear."""
        client = dial(port)
        client.send(header)
        context = client_context(self.authority)
        return Socket(context.wrap_socket(client.socket, server_hostname="localhost"))

    @on_every_compute_model
    def test_the_header_comes_before_the_handshake(self, serve):
        with serve(*self.flags) as server:
            for header in (*NAMED.values(), LOCAL, UNKNOWN, b""):
                with self.dial(server.port, header) as client:
                    client.send(b"10\n")
                    self.assertEqual(client.receive(3), b"89\n")
            for header in BAD.values():
                with dial(server.port) as client:
                    client.send(header)
                    self.assert_closed(client)

    @on_every_loop
    def test_a_chat_shows_where_members_are(self, engine):
        with ChatServer(engine, *self.flags) as server:
            for header in (text(), binary(fields=FIELDS)):
                with self.dial(server.port, header):
                    expect(server, r"^<< Client \d+ connected from 192\.0\.2\.1:56324 >>$")

    @on_every_engine
    def test_a_talk_shows_who_calls(self, engine):
        flags = [flag for flag in self.flags if flag != "--open"]
        with Server(engine, "--echo", *flags) as server:
            with self.dial(server.port, text()) as client:
                client.send(b"hello\n")
                self.assertEqual(client.receive(6), b"hello\n")
                expect(server, r"^\[Client 192\.0\.2\.1:56324\]: hello$")

    @on_every_model
    def test_curl_asks_over_it(self, model, folder):
        (folder / "a").write_bytes(b"here")
        with HttpServer(folder, *self.flags, *model) as server:
            done = subprocess.run(
                [
                    "curl", "-sS", "--haproxy-protocol", "--cacert", self.authority.file,
                    f"https://localhost:{server.port}/a",
                ],
                capture_output=True, timeout=TIMEOUT, env=ENVIRONMENT,
            )
            self.assertEqual((done.stdout, done.stderr), (b"here", b""))
            self.assertEqual(counters(server, "announced"), 1)


class Files(HttpTest, ProxyTest):
    @on_every_model
    def test_an_upload_has_all_of_its_bytes_and_no_more(self, model, folder):
        flags = ("--raw", "127.0.0.1:0", "--no-sync", *TRUSTED, *model)
        with FileServer("serve", folder, *flags) as server:
            for data in (b"", b"x", os.urandom(1 << 20)):
                for header in (text(), binary(), LOCAL):
                    with dial(server.port) as client:
                        client.send(header + data)
                        client.finish()
                        self.assertEqual(client.receive_to_end(), b"")
                        found = expect(server, r"^Received (\d+) bytes from .* as (\S+) ")
                    self.assertEqual((folder / found[2]).read_bytes(), data)

    @on_every_model
    def test_http_in_the_clear(self, model, folder):
        (folder / "a").write_bytes(b"here")
        request = b"GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        with HttpServer(folder, *TRUSTED, *model) as server:
            for header in (*NAMED.values(), LOCAL, UNKNOWN, b""):
                self.assertTrue(server.say(header + request).endswith(b"\r\n\r\nhere"), header)
            done = subprocess.run(
                ["curl", "-sS", "--haproxy-protocol", f"http://127.0.0.1:{server.port}/a"],
                capture_output=True, timeout=TIMEOUT, env=ENVIRONMENT,
            )
            self.assertEqual((done.stdout, done.stderr), (b"here", b""))
            self.assertEqual(counters(server, "announced"), len(NAMED) + 1)
            with dial(server.port, "127.0.0.2") as client:
                client.send(text() + request)
                self.assertIn(b" 400 ", client.receive(20))


class ForwardedFor(HttpTest, ProxyTest):
    """By what an address that fails to log in has to wait for."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.authority = Authority(cls.addClassCleanup)
        cls.accounts = cls.authority.folder / "accounts"
        subprocess.run(
            [SLUICE, "passwd", cls.accounts, "ann", "--allow", "all"],
            input=b"right\n", check=True, capture_output=True, timeout=TIMEOUT, env=ENVIRONMENT,
        )

    def flags(self, trusted="127.0.0.1"):
        return ("--auth", self.accounts, "--insecure-auth", "--trusted-proxy", trusted)

    def status(self, port, *fields, source="127.0.0.1", header=b"", login="Bearer x"):
        """Of a request with a token that is none, which costs no time."""
        head = ["GET / HTTP/1.1", "Host: x", "Connection: close", f"Authorization: {login}"]
        head += fields
        with dial(port, source) as client:
            client.send(header + "\r\n".join(head).encode() + b"\r\n\r\n")
            return int(client.receive_to_end().split(b" ", 2)[1])

    def exhaust(self, port, *fields, **options):
        """Asks until this client has to wait."""
        for _ in range(100):
            if self.status(port, *fields, **options) == 429:
                return
        self.fail(f"{fields} may try for ever")

    def assert_another(self, port, *fields, **options):
        """A client that has not failed yet."""
        self.assertEqual(self.status(port, *fields, **options), 401, fields)
        self.exhaust(port, *fields, **options)

    def assert_same(self, port, known, *fields, **options):
        """As the one that is known by that address, which has failed. Each wait is twice as long as
        the one before, so that one is long enough."""
        for _ in range(6):
            self.exhaust(port, f"X-Forwarded-For: {known}")
            if self.status(port, *fields, **options) == 429:
                return
        self.fail(f"{fields} is not of {known}")

    @on_every_model(but=("fork",))
    def test_each_client_has_attempts_of_its_own(self, model, folder):
        with HttpServer(folder, *self.flags("127.0.0.1,10.0.0.0/8"), *model) as server:
            port = server.port
            self.assert_another(port, "X-Forwarded-For: 192.0.2.9")
            server.expect_stderr(r"logins? refused, the last of .* from 192\.0\.2\.9:0$")
            # What stands before the last one that is not trusted is the client's own writing.
            self.assert_another(port, "X-Forwarded-For: 192.0.2.9, 192.0.2.10")
            self.assert_same(port, "192.0.2.10", "X-Forwarded-For: 192.0.2.77, 192.0.2.10")
            # Proxies behind proxies, in one field or several, with ports and without.
            self.assert_same(port, "192.0.2.10", "X-Forwarded-For: 192.0.2.10:4711 , 10.1.2.3,")
            fields = ("X-Forwarded-For: 192.0.2.10", "x-forwarded-for: 10.1.2.3,10.9.9.9")
            self.assert_same(port, "192.0.2.10", *fields)
            self.assert_another(port, "X-Forwarded-For: 2001:db8::1")
            self.assert_same(port, "2001:db8::1", "X-Forwarded-For: [2001:db8::1]:80")
            # None that is not trusted: the farthest proxy. Text that is no address ends the way.
            self.assert_another(port, "X-Forwarded-For: 10.0.0.7, 10.0.0.8")
            self.assert_same(port, "10.0.0.7", "X-Forwarded-For: 192.0.2.78, _hidden, 10.0.0.7")
            # A client that a header names is not asked for it, unless it is trusted itself.
            self.assert_another(port, "X-Forwarded-For: 192.0.2.9", header=text("192.0.2.12"))
            self.assert_same(port, "192.0.2.12", header=binary("192.0.2.12"))
            self.assert_same(
                port, "192.0.2.10", "X-Forwarded-For: 192.0.2.10", header=text("10.0.0.1")
            )
            # A client that is not trusted has written it itself.
            self.assert_another(port, "X-Forwarded-For: 192.0.2.9", source="127.0.0.2")
            self.assert_same(port, "127.0.0.2", "X-Forwarded-For: 192.0.2.79", source="127.0.0.2")
            # With the password, another is let in.
            login = "Basic " + base64.b64encode(b"ann:right").decode()
            self.assertEqual(self.status(port, "X-Forwarded-For: 192.0.2.15", login=login), 200)

    @on_every_model(but=("fork",))
    def test_without_trust_it_means_nothing(self, model, folder):
        with HttpServer(folder, *self.flags("127.0.0.9"), *model) as server:
            got = [self.status(server.port, f"X-Forwarded-For: 192.0.2.{n}") for n in range(30)]
            self.assertEqual(got[0], 401)
            self.assertIn(429, got)

    @unittest.skipUnless(shutil.which("nginx"), "no nginx here")
    def test_behind_nginx(self):
        config = """
            daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
            events {{ }}
            http {{
                access_log off;
                client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
                fastcgi_temp_path {folder}/fastcgi; scgi_temp_path {folder}/scgi;
                uwsgi_temp_path {folder}/uwsgi;
                server {{
                    listen 127.0.0.1:{port};
                    location / {{
                        proxy_pass http://127.0.0.1:{upstream};
                        proxy_set_header Host $http_host;
                        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
                    }}
                }}
            }}
        """
        folder = self.folder
        with HttpServer(folder / "files", *self.flags()) as server:
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = free.getsockname()[1]
            file = folder / "nginx.conf"
            file.write_text(config.format(folder=folder, port=port, upstream=server.port))
            with Program("nginx", "-p", folder, "-c", file, "-e", folder / "error.log"):

                def listens():
                    with contextlib.suppress(ConnectionError), dial(port):
                        return True

                wait_until(listens, "nginx listens")
                # What a client writes there is not believed, for nginx appends its address.
                got = [
                    self.status(port, f"X-Forwarded-For: 192.0.2.{number}", source="127.0.0.3")
                    for number in range(30)
                ]
                self.assertIn(429, got)
                self.assertEqual(self.status(port, source="127.0.0.4"), 401)
                server.expect_stderr(r"the last of .* from 127\.0\.0\.3:0$")


class Logins(LoginTest):
    """At doors of lines: who has to wait, and who is banned, by the address that is named."""

    def answer(self, port, header):
        """To a token that is none, which costs no time."""
        with dial(port) as client:
            client.send(header + b"login x\n")
            said = client.receive_to_end()
        self.assertTrue(said.startswith(QUESTION), said)
        return said[len(QUESTION):]

    def assert_own_attempts(self, port):
        for header in (text("192.0.2.1"), binary("192.0.2.2"), text("2001:db8::1"), LOCAL):
            self.assertEqual(self.answer(port, header), WRONG, header)
            self.assertTrue(any(self.answer(port, header) != WRONG for _ in range(30)), header)

    @on_every_compute_model(but=("fork",))
    def test_each_client_has_attempts_of_its_own(self, serve):
        with serve(*TRUSTED, *self.flags, "--insecure-auth") as server:
            self.assert_own_attempts(server.port)
            server.expect_stderr(r"logins? refused, the last of .* from 192\.0\.2\.1:56324$")

    @on_every_engine
    def test_so_has_each_at_a_talk(self, engine):
        flags = ("--echo", "--keep", "--insecure-auth", "--trusted-proxy", "127.0.0.1")
        with Server(engine, *flags, *self.flags) as server:
            self.assert_own_attempts(server.port)

    @on_every_loop
    def test_so_has_each_at_a_chat(self, engine):
        with ChatServer(engine, *TRUSTED, *self.flags, "--insecure-auth") as server:
            self.assert_own_attempts(server.port)

    @on_every_loop
    def test_a_ban_is_of_the_address_that_is_named(self, engine):
        flags = ("--auth", self.with_guests("chat"), "--operators", "ann", "--insecure-auth")
        with ChatServer(engine, *TRUSTED, *flags, "--workers", "3") as server:

            def enter(header):
                member = Member(server.port)
                self.addCleanup(member.socket.close)
                member.send(header)
                return member

            ann = enter(text("192.0.2.1")).greeted()
            ann.say("/" + login("ann").decode())
            ann.until("^. you are now ann$")
            carl = enter(binary("192.0.2.2")).greeted()
            carl.say("/nick carl")
            carl.until("^. you are now carl$")
            ann.say("/ban carl 10m")
            carl.until("^. you have to go: ann banned you for 10 minutes$")
            banned = enter(text("192.0.2.2"))
            self.assertEqual(banned.line(), "* no: you are banned here; come back later")
            self.assertIsNone(banned.line())
            enter(text("192.0.2.3")).greeted()
            enter(LOCAL).greeted()


class Flags(ProxyTest):
    def refusal(self, *words):
        done = subprocess.run(
            [SLUICE, *map(str, words)], capture_output=True, text=True, timeout=TIMEOUT,
            stdin=subprocess.DEVNULL, env=ENVIRONMENT,
        )
        self.assertEqual(done.returncode, 2, done.stderr)
        return done.stderr

    def test_text_that_is_no_network_is_refused(self):
        for bad in ("proxy.example", "10.0.0.0/33", "127.0.0.1:80", "*"):
            said = self.refusal("chat", "serve", "--trusted-proxy", bad)
            self.assertIn(f"'{bad}' is no address or network", said)

    # A proxy lets in others than those who are on this machine.
    def test_behind_a_proxy_a_door_of_loopback_is_not_this_machine_s_alone(self):
        for command in ("chat", "compute"):
            flags = ("--listen", "127.0.0.1:0", "--trusted-proxy", "::1")
            said = self.refusal(command, "serve", *flags)
            self.assertIn("say --open", said)
        with tempfile.TemporaryDirectory() as folder:
            files = ("files", "serve", folder, "--trusted-proxy", "127.0.0.1")
            self.assertIn("--allow", self.refusal(*files, "--raw", "127.0.0.1:0"))
            accounts = pathlib.Path(folder, "accounts")
            accounts.touch(mode=0o600)
            said = self.refusal(*files, "--http", "127.0.0.1:0", "--auth", accounts)
            self.assertIn("--insecure-auth", said)
            with HttpServer(folder, "--trusted-proxy", "127.0.0.1") as server:
                self.assertEqual(server.put("/a", b"x")[0], 403)
                server.expect_stderr(r"127\.0\.0\.1:\d+ is open to everybody who can reach it")

    def test_one_process_for_all_doors(self):
        with tempfile.TemporaryDirectory() as folder:
            doors = ("http", "raw", "compute", "chat")
            words = [word for door in doors for word in (f"--{door}", "127.0.0.1:0")]
            limits = ("--max-per-address", "1")
            with Program(
                SLUICE, "serve", *words, *TRUSTED, "--files", folder, *limits
            ) as program:
                said = program.expect_stderr(
                    r"^files over HTTP on [\d.]+:(\d+), raw files on [\d.]+:(\d+), "
                    r"compute on [\d.]+:(\d+), chat on [\d.]+:(\d+)$"
                )
                http, raw, compute, chat = map(int, said.groups())
                with dial(http) as client:
                    client.send(text() + b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                    self.assertEqual(client.receive(12), b"HTTP/1.1 200")
                with dial(raw) as client:
                    client.send(binary() + b"kept")
                    client.finish()
                    self.assertEqual(client.receive_to_end(), b"")
                with dial(compute) as client:
                    client.send(text() + b"10\n")
                    self.assertEqual(client.receive(3), b"89\n")
                with Member(chat) as member:
                    member.send(binary())
                    member.greeted()
                    expect(program, r"connected from 192\.0\.2\.1:56324")
                self.assertEqual(counters(program, "announced"), 4)


if __name__ == "__main__":
    unittest.main()
