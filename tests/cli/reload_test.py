"""What SIGHUP takes over while a server runs: limits, rates, quotas; all of it or nothing."""

import contextlib
import os
import pathlib
import signal
import subprocess
import tempfile
import unittest

from talk_rig import SLUICE, TIMEOUT, Program, TalkTest, call, loops, side_by_side

LOOPS = [("--engine", engine) for engine in loops()]
MODELS = [("--model", name) for name in ("fork", "thread", "pool")]


class Server(Program):
    """A server whose configuration is written anew while it runs."""

    def __init__(self, folder, text, *words, **options):
        self.file = pathlib.Path(folder, "sluice.conf")
        self.file.write_text(text)
        command = (SLUICE, *words, "--config", self.file)
        super().__init__(*command, stdin=subprocess.DEVNULL, start_new_session=True, **options)
        self.port = int(self.expect_stderr(r"listening on 127\.0\.0\.1:(\d+) ")[1])

    def reload(self, text, said):
        self.file.write_text(text)
        self.signal(signal.SIGHUP)
        return self.expect_stderr(f"SIGHUP: .*{said}")

    def call(self):
        return call(self.port)


def ask(client):
    client.send(b"1\n")
    return client.receive(2)


def is_refused(server):
    """Whether a new connection is reset; else an answer has come on it."""
    try:
        with server.call() as client:
            return ask(client) != b"1\n"
    except OSError:
        return True


class Reload(TalkTest):
    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())

    def on_all(self, variants, check):
        def one(variant):
            with tempfile.TemporaryDirectory() as folder:
                check(folder, variant)

        side_by_side(self, [({"variant": v}, v) for v in variants], one)

    def compute(self, folder, text, variant=()):
        return Server(folder, text, "compute", "serve", "--listen", "127.0.0.1:0", *variant)

    def test_max_clients(self):
        def check(folder, variant):
            with self.compute(folder, "max-clients = 1\n", variant) as server:
                with contextlib.ExitStack() as both:
                    first = both.enter_context(server.call())
                    self.assertEqual(ask(first), b"1\n")
                    second = both.enter_context(server.call())
                    second.send(b"1\n")
                    server.wait_asleep()
                    second.socket.setblocking(False)
                    with self.assertRaises(BlockingIOError):
                        second.socket.recv(1)
                    second.socket.settimeout(TIMEOUT)
                    server.reload("max-clients = 2\n", "says of max-clients is in force")
                    self.assertEqual(second.receive(2), b"1\n")
                    self.assertEqual(ask(first), b"1\n")
                    # Those beyond a lower limit stay, and the next waits until enough have left.
                    server.reload("max-clients = 1\n", "says of max-clients is in force")
                    self.assertEqual(ask(first) + ask(second), b"1\n1\n")
                    with server.call() as third:
                        third.send(b"1\n")
                        first.finish()
                        self.assertEqual(first.receive_to_end(), b"")
                        self.assertEqual(ask(second), b"1\n")
                        server.wait_asleep()
                        third.socket.setblocking(False)
                        with self.assertRaises(BlockingIOError):
                            third.socket.recv(1)
                        third.socket.settimeout(TIMEOUT)
                        second.finish()
                        self.assertEqual(third.receive(2), b"1\n")
                server.signal(signal.SIGTERM)
                self.assert_ends(server, 0)

        self.on_all(LOOPS + MODELS, check)

    def test_limits_per_address(self):
        def check(folder, variant):
            with self.compute(folder, "max-per-address = 1\n", variant) as server:
                with server.call() as first:
                    self.assertEqual(ask(first), b"1\n")
                    self.assertTrue(is_refused(server))
                    server.reload("max-per-address = 2\n", "says of max-per-address is in force")
                    with server.call() as second:
                        self.assertEqual(ask(second), b"1\n")
                    server.reload("rate-per-address = 1\n",
                                  "says of max-per-address, rate-per-address is in force")  # fmt: skip
                    # Four at once, and one a second.
                    refused = 0
                    for _ in range(8):
                        refused += is_refused(server)
                    self.assertGreaterEqual(refused, 2)
                    server.reload("", "says of rate-per-address is in force")
                    for _ in range(8):
                        with server.call() as another:
                            self.assertEqual(ask(another), b"1\n")
                    self.assertEqual(ask(first), b"1\n")

        self.on_all([*LOOPS, ("--model", "thread")], check)

    def test_the_rate_of_a_chat(self):
        def check(folder, variant):
            words = ("chat", "serve", "--listen", "127.0.0.1:0", "--quiet", *variant)
            with Server(folder, "[chat]\nrate = 1\nburst = 1\n", *words) as server:
                with server.call() as speaker, server.call() as hearer:
                    lines = hearer.socket.makefile("rb")
                    self.assertIn(b"you are Client", lines.readline())
                    # At one a second they would take longer than a test may.
                    count = 2 * TIMEOUT
                    speaker.send(b"".join(b"line %d\n" % n for n in range(count)))
                    while b"line 1\n" not in lines.readline():
                        pass
                    server.reload("[chat]\nrate = 0\n", "")
                    while f"line {count - 1}\n".encode() not in lines.readline():
                        pass

        self.on_all(LOOPS, check)

    def put(self, client, name, size):
        """The status, and the whole connection's rest is left as it was."""
        head = f"PUT /{name} HTTP/1.1\r\nHost: here\r\nContent-Length: {size}\r\n"
        client.send(head.encode() + b"Expect: 100-continue\r\n\r\n")
        answer = self.answer(client)
        if answer == 100:
            client.send(bytes(size))
            answer = self.answer(client)
        return answer

    @staticmethod
    def answer(client):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += client.receive(1)
        fields = dict(
            line.lower().split(": ", 1) for line in head.decode().split("\r\n")[1:] if ": " in line
        )
        client.receive(int(fields.get("content-length", 0)))
        return int(head.split()[1])

    def test_what_files_may_take(self):
        def check(folder, variant):
            words = ("files", "serve", folder, "--http", "127.0.0.1:0", "--no-sync", *variant)
            conf = pathlib.Path(folder, "conf")
            conf.mkdir()
            text = "[files]\nquota = 1K\nmax-size = 2K\n"
            with Server(conf, text, *words) as server, server.call() as steady:
                self.assertEqual(self.put(steady, "first", 100), 201)
                with server.call() as client:
                    self.assertEqual(self.put(client, "a", 2000), 507)
                server.reload("[files]\nquota = 16K\nmax-size = 2K\n", "says of quota is in force")
                self.assertEqual(self.put(steady, "a", 2000), 201)
                with server.call() as client:
                    self.assertEqual(self.put(client, "b", 4000), 413)
                server.reload("[files]\nquota = 16K\nmax-size = 8K\n", "says of max-size is in force")
                # A process has what it had when it was forked, but for the quota.
                with server.call() if "fork" in variant else contextlib.nullcontext(steady) as one:
                    self.assertEqual(self.put(one, "b", 4000), 201)
                server.reload("[files]\nquota = 1K\n", "says of max-size, quota is in force")
                with server.call() as client:
                    self.assertEqual(self.put(client, "c", 1), 507)
                steady.send(b"GET /first HTTP/1.1\r\nHost: here\r\n\r\n")
                self.assertEqual(self.answer(steady), 200)

        self.on_all([*LOOPS, ("--model", "thread"), ("--model", "fork")], check)

    def test_a_quota_that_comes_needs_a_restart(self):
        words = ("files", "serve", self.folder, "--http", "127.0.0.1:0")
        with Server(self.folder, "", *words) as server:
            server.reload("[files]\nquota = 1K\n", "of quota counts from the next start")

    def test_parts_take_over_what_is_theirs(self):
        for variant in LOOPS:
            off = ("--files", "off", "--compute", "off", "--chat", "off", *variant)
            text = "[serve.chat.team]\nlisten = 127.0.0.1:0\nrate = 5\nframing = line\n"
            with Server(self.folder, text, "serve", *off) as server:
                server.reload(
                    text.replace("5", "6").replace("127.0.0.1:0", "127.0.0.1:1"),
                    "says of chat.team.rate is in force",
                )
                server.expect_stderr("SIGHUP: .* chat.team.listen counts from the next start")
                # It is said again as long as it is so.
                server.reload(server.file.read_text(), "chat.team.listen counts from the next start")
                server.reload(text.replace("5", "6"), "read again$")
                server.reload(text + "[serve.chat.other]\nlisten = 0\n",
                              "chat.other.listen, chat.team.rate|chat.team.rate is")  # fmt: skip
                server.expect_stderr("chat.other.listen counts from the next start")

    def test_a_mistake_changes_nothing(self):
        for variant in LOOPS:
            with self.compute(self.folder, "max-per-address = 1\n", variant) as server:
                with server.call() as first:
                    self.assertEqual(ask(first), b"1\n")
                    for text, why in (
                        ("max-per-address = 2\nqueue = many\n", f"{server.file}:2: queue: 'many'"),
                        ("max-per-address = 2\nraet = 1\n", f"{server.file}:2: there is no setting"),
                        ("max-per-address = 2\n[oops\n", f"{server.file}:2: '.oops' opens"),
                        ("max-per-address = 2\nexec-time = 5s\n", "--exec-time are for the program"),
                        ("max-per-address = 2\nmodel = fork\nengine = epoll\n", "does not go with"),
                    ):
                        server.reload(text, f"{why}.*all stays as it was")
                        self.assertTrue(is_refused(server), text)
                    self.assertEqual(ask(first), b"1\n")

    def test_bad_accounts_leave_the_limits_too(self):
        accounts = pathlib.Path(self.folder, "accounts")
        accounts.touch(0o600)
        accounts.write_text("* - - ask\n")
        flags = ("compute", "serve", "--listen", "127.0.0.1:0", "--auth", accounts)
        with Server(self.folder, "max-per-address = 1\n", *flags) as server:
            with server.call() as first:
                ask(first)
                accounts.write_text("nonsense\n")
                server.reload("max-per-address = 2\n", "accounts:1: .*; what was read before stays")
                self.assertTrue(is_refused(server))
                accounts.write_text("* - - ask\n")
                server.reload("max-per-address = 2\n", "says of max-per-address is in force")

    def test_the_file_that_was_found_is_read_again(self):
        variables = {"HOME": self.folder, "SLUICE_CONFIG": ""}
        place = pathlib.Path(self.folder, ".config", "sluice")
        place.mkdir(parents=True)
        file = place / "sluice.conf"
        for variant in LOOPS:
            file.write_text("max-per-address = 1\n")
            words = ("compute", "serve", "--listen", "127.0.0.1:0", *variant)
            with Program(SLUICE, *words, stdin=None, variables=variables,
                         start_new_session=True) as server:  # fmt: skip
                server.expect_stderr("listening on")
                file.write_text("max-per-address = 2\n")
                server.signal(signal.SIGHUP)
                server.expect_stderr("says of max-per-address is in force")

    def test_the_times_of_compute(self):
        for variant in LOOPS:
            with self.compute(self.folder, "[compute]\nidle-time = 1h\n", variant) as server:
                server.reload("[compute]\nidle-time = 10ms\nstall-time = 3s\n",
                              "says of idle-time, stall-time is in force")  # fmt: skip
                with server.call() as client:
                    self.assertEqual(client.receive_to_end(), b"")

    @unittest.skipIf(os.geteuid() != 0, "only root may become another user")
    def test_a_user_that_was_found_once_is_known(self):
        flags = ("compute", "serve", "--listen", "127.0.0.1:0")
        text = "user = daemon\n"
        os.chmod(self.folder, 0o755)
        with Server(self.folder, text + "max-clients = 5\n", *flags) as server:
            server.reload(text + "max-clients = 6\n", "says of max-clients is in force")


if __name__ == "__main__":
    unittest.main()
