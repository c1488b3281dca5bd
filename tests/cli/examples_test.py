"""The programs of examples/ do what docs/library.md and examples/course/README.md say of them."""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import unittest

from talk_rig import ENVIRONMENT, TIMEOUT, Program, call

PROGRAMS = pathlib.Path(os.environ["SLUICE_BUILD"], "examples")
SOURCES = pathlib.Path(os.environ["SLUICE_SOURCE"], "examples")
MODELS = ("sync", "fork", "thread", "pool", "event")
HERE = "127.0.0.1:0"


def run(name, *words, **options):
    """A program that ends by itself: status, stdout, stderr."""
    done = subprocess.run(
        [PROGRAMS / name, *map(str, words)],
        capture_output=True, text=True, timeout=TIMEOUT, env=ENVIRONMENT, **options,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@contextlib.contextmanager
def server(name, *words):
    with Program(PROGRAMS / name, *words) as program:
        program.port = int(program.expect_stderr(r"^listening on 127\.0\.0\.1:(\d+)")[1])
        yield program


class Guide(unittest.TestCase):
    def test_timers(self):
        status, out, err = run("timers")
        self.assertEqual((status, err), (0, ""))
        lines = out.splitlines()
        self.assertEqual([each for each in lines if "fast" in each], [f"fast {i}" for i in range(1, 6)])
        self.assertEqual([each for each in lines if "slow" in each], ["slow 1", "slow 2"])
        self.assertIn("the answer: the deadline passed", lines)

    def test_cancellation(self):
        self.assertEqual(
            run("cancel"),
            (0, "worker 2 finishes first\nworker 1: cancelled\nworker 3: cancelled\n"
             "all are joined\n", ""),
        )  # fmt: skip

    def test_work_off_the_loop(self):
        status, out, _ = run("offload")
        self.assertEqual(status, 0)
        self.assertIn("fib(30) = 1346269\n", out)
        self.assertTrue(out.endswith("the loop ticked meanwhile\n"), out)

    def test_shards(self):
        self.assertEqual(
            run("shards")[:2], (0, "shard 0 counts 42\nshard 1 counts 42\nboth have ended\n")
        )

    def test_signals(self):
        with Program(PROGRAMS / "signals") as program:
            self.assertRegex(program.read_line(), "^waiting: ")
            program.signal(signal.SIGUSR1)
            self.assertEqual(program.read_line(), "SIGUSR1 came 1 times\n")
            program.signal(signal.SIGTERM)
            status, out, _ = program.end()
            self.assertEqual((status, out.splitlines()[-1]), (0, "stopping in order"))

    def test_a_client_asks_a_server(self):
        with server("shout", HERE) as shout:
            self.assertEqual(run("ask", shout.port, "hello there")[:2], (0, "HELLO THERE\n"))
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            port = bound.getsockname()[1]
            self.assertEqual(run("ask", port, "hello")[::2], (1, "ask: connection refused\n"))

    def test_echo(self):
        for engine in ("epoll", "uring"):
            with self.subTest(engine), server("echo", HERE, "--engine", engine) as echo:
                with call(echo.port) as client:
                    client.send(b"as it came")
                    self.assertEqual(client.receive(10), b"as it came")

    def test_a_file_is_given(self):
        with tempfile.NamedTemporaryFile() as file:
            content = os.urandom(3_000_001)
            file.write(content)
            file.flush()
            with server("give", file.name, HERE) as give:
                with call(give.port) as client:
                    self.assertTrue(client.receive_to_end() == content)
                self.assertEqual(give.read_line(), "3000001 bytes: all\n")


class Course(unittest.TestCase):
    def test_one_after_the_other(self):
        with server("ordered_server", HERE) as there:
            with Program(PROGRAMS / "ordered_client", there.port) as here:
                here.type("hello\n")
                self.assertEqual(there.read_line(), "client: hello\n")
                there.type("hi\n")
                self.assertEqual(here.read_line(), "server: hi\n")
                here.type("exit\n")
                self.assertEqual((here.end()[0], there.end()[0]), (0, 0))

    def test_an_engine_counts(self):
        for engine in ("epoll", "uring"):
            with self.subTest(engine), server("epoll_wrapper", HERE, engine) as echo:
                with call(echo.port) as first, call(echo.port) as second:
                    for client in (second, first):
                        client.send(b"hello")
                        self.assertEqual(client.receive(5), b"hello")
                echo.signal(signal.SIGINT)
                status, out, _ = echo.end()
                self.assertEqual(status, 0)
                self.assertRegex(out, r"^\d+ operations, \d+ done at once, in \d+ turns\n$")

    def test_a_group(self):
        with server("chat_server", HERE) as chat, call(chat.port) as plain:
            with Program(PROGRAMS / "chat_client", chat.port) as member:
                # Until the server has taken it in.
                member.type("anybody here?\n")
                self.assertEqual(plain.receive(26), b"[Client 2]: anybody here?\n")
                plain.send(b"I am\n")
                self.assertEqual(member.read_line(), "[Client 1]: I am\n")
                # It waits for both: what comes is shown while nothing is typed.
                plain.send(b"still\n")
                self.assertEqual(member.read_line(), "[Client 1]: still\n")
                member.end_input()
                self.assertEqual(member.end()[0], 0)

    def test_a_member_that_does_not_read_holds_up_no_other(self):
        with server("chat_server", HERE) as chat, call(chat.port) as reader, call(chat.port) as slow:
            slow.send(b"here\n")
            self.assertEqual(reader.receive(17), b"[Client 2]: here\n")
            with call(chat.port) as writer:
                line = b"x" * 60_000 + b"\n"
                for _ in range(200):
                    writer.send(line)
                    reader.receive(len("[Client 3]: ") + len(line))

    def test_uploads_under_each_model(self):
        content = os.urandom(1_000_001)
        for model in MODELS:
            with self.subTest(model), tempfile.TemporaryDirectory() as folder:
                with server("upload_server", folder, HERE, model) as uploads:
                    with call(uploads.port) as client:
                        client.send(content)
                        client.finish()
                        self.assertEqual(client.receive_to_end(), b"")
                    self.assertRegex(uploads.read_line(), r"/upload-\w+: 1000001 bytes kept\n$")
                    with call(uploads.port) as client:
                        client.send(content)
                        client.reset()
                    self.assertRegex(uploads.read_line(), r"/upload-\w+: \d+ bytes lost\n$")
                (kept,) = pathlib.Path(folder).iterdir()
                self.assertTrue(kept.read_bytes() == content)

    def test_ways_to_send_a_file(self):
        with tempfile.NamedTemporaryFile() as file:
            file.write(os.urandom(2_000_000))
            file.flush()
            status, out, err = run("send_file", file.name)
        self.assertEqual((status, err), (0, ""))
        names = [line.split()[0] for line in out.splitlines()]
        self.assertEqual(names[:4], ["auto", "read-send", "sendfile", "sendfile-cork"])
        for line in out.splitlines():
            self.assertRegex(line, r" MB/s  $")

    def test_copies(self):
        with tempfile.TemporaryDirectory() as folder:
            source, target = pathlib.Path(folder, "from"), pathlib.Path(folder, "to")
            source.write_bytes(os.urandom(2_000_000))
            status, out, _ = run("copy_file", source, target)
            self.assertEqual(status, 0)
            self.assertRegex(out, r"^cold: \d+ MB/s\nwarm: \d+ MB/s\nwarm: \d+ MB/s\n$")
            self.assertEqual(target.read_bytes(), source.read_bytes())

    def test_fib_under_each_model(self):
        cases = [(model,) for model in MODELS] + [("event", "epoll"), ("event", "uring")]
        for model, *engine in cases:
            with self.subTest(model=model, engine=engine):
                with server("fib_server", model, HERE, *engine) as fib:
                    with call(fib.port) as client:
                        client.send(b"25\nmany\n10\n")
                        wanted = b"121393\na number from 0 to 45, please\n89\n"
                        self.assertEqual(client.receive(len(wanted)), wanted)
                    fib.signal(signal.SIGTERM)
                    self.assertEqual(fib.end()[0], 0)

    def test_a_port_that_is_taken_is_reported(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            for words in (("ordered_server", port), ("epoll_wrapper", port), ("chat_server", port),
                          ("fib_server", "sync", port)):  # fmt: skip
                with self.subTest(words):
                    status, out, err = run(*words)
                    self.assertEqual((status, out), (1, ""))
                    self.assertRegex(err, "address already in use")

    def test_each_is_short_and_named_in_the_readme(self):
        readme = SOURCES.joinpath("course", "README.md").read_text(encoding="utf-8")
        for source in SOURCES.joinpath("course").glob("*.cpp"):
            with self.subTest(source.name):
                self.assertLess(len(source.read_text(encoding="utf-8").splitlines()), 80)
                self.assertIn(source.stem, readme)


if __name__ == "__main__":
    unittest.main()
