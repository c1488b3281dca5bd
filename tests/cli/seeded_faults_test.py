"""Servers and clients on a kernel that fails as a seed says: what holds nevertheless.

The faults are those of tests/faults/faulty_linux.hpp. SLUICE_FAULT_SEEDS is how many seeds each
server and each client is tried with, SLUICE_FAULT_SEED the first of them."""

import concurrent.futures
import contextlib
import functools
import http.client
import os
import pathlib
import re
import signal
import struct
import subprocess
import tempfile

import files_http_rig
from chat_rig import Member
from fleet_rig import settled
from talk_rig import (
    SLUICE,
    Ended,
    Program,
    TalkTest,
    call,
    engines,
    loops,
    side_by_side,
    wait_until,
)

# These three draw every class.
FIRST = int(os.environ.get("SLUICE_FAULT_SEED", "58"))
SEEDS = range(FIRST, FIRST + int(os.environ.get("SLUICE_FAULT_SEEDS", "3")))
STORM = 0.7  # seconds for which the kernel fails
LOOPS = [("--engine", engine) for engine in loops()]
MODELS = [("--model", model) for model in ("sync", "fork", "thread", "pool")] + LOOPS
REFUSED = {408, 413, 500, 503, 507}
# Of a client that was answered, that failed, and whose server could not be reached.
HONEST = {0, 1, 3}


# As in faulty_linux.hpp, in its order.
CLASSES = (
    "interrupted short not_ready broken_disk no_space no_descriptor no_process no_memory aborted "
    "wall_jump"
).split()


class FaultyServer(Program):
    """A server whose kernel fails while its board says so (fault_board)."""

    def __init__(self, seed, folder, *words, endpoints=1):
        self.board = folder / "board"
        self.board.write_bytes(bytes(8 * (1 + len(CLASSES))))
        super().__init__(
            SLUICE, *words, "--grace", "1s", stdin=subprocess.DEVNULL,
            variables={"SLUICE_FAULTS": f"{seed}@{self.board}"},
        )
        listening = r"^listening on 127\.0\.0\.1:(\d+)"
        try:
            self.ports = [int(self.expect_stderr(listening)[1]) for _ in range(endpoints)]
        except Ended:
            super().__exit__()
            raise

    def turn(self, on):
        """Whether its kernel fails from now on."""
        with open(self.board, "r+b") as board:
            board.write(bytes([on]))

    def struck(self):
        """How many faults of each class there were."""
        return struct.unpack(f"{len(CLASSES)}Q", self.board.read_bytes()[8:])

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def children(self):
        pid = self.process.pid
        return pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()

    def endure(self, *clients, then=lambda: None):
        """Runs each client on a thread while the kernel fails, calls `then` when it is well again, and
        waits for the end of those that are not done."""
        with concurrent.futures.ThreadPoolExecutor(len(clients)) as threads:
            self.turn(1)
            running = [threads.submit(client) for client in clients]
            concurrent.futures.wait(running, STORM)
            self.turn(0)
            then()
            for each in running:
                each.result()


@contextlib.contextmanager
def broken_off():
    """What a connection raises that was reset or ended is passed over; one that stands still is not."""
    try:
        yield
    except TimeoutError:
        raise
    except (OSError, http.client.HTTPException):
        pass


def on_every_seed(variants):
    """Runs a test once a variant and a seed, with both and a folder of its own."""

    def decorate(test):
        @functools.wraps(test)
        def on_each(self):
            def run(case):
                with tempfile.TemporaryDirectory() as folder:
                    test(self, *case, pathlib.Path(folder))

            cases = [
                ({"variant": variant, "seed": seed}, (variant, seed))
                for variant in variants
                for seed in SEEDS
            ]
            side_by_side(self, cases, run)

        return on_each

    return decorate


class Servers(TalkTest):
    struck = [0] * len(CLASSES)

    @classmethod
    def tearDownClass(cls):
        never = [name for name, times in zip(CLASSES, cls.struck) if times == 0]
        if never and len(SEEDS) >= 3:
            raise AssertionError(f"no seed has drawn {', '.join(never)}")

    def assert_well(self, server, descriptors):
        """It runs, has given back what it had, and ends when it is asked to."""
        self.struck[:] = map(sum, zip(self.struck, server.struck()))
        self.assertIsNone(server.process.poll(), "it has ended")
        wait_until(lambda: server.descriptors() <= descriptors, "its descriptors are back")
        wait_until(lambda: not server.children(), "its children have ended")
        server.signal(signal.SIGTERM)
        self.assert_ends(server, 0)

    @on_every_seed(MODELS)
    def test_compute(self, variant, seed, folder):
        question = b"1\n10\nx\n20\n"
        answers = [b"1", b"89", b"not a number", b"10946"]

        def ask(port, healthy=False):
            with call(port) as client, client.socket.makefile("rb") as lines:
                client.send(question)
                for answer in answers:
                    line = lines.readline()
                    if not line and not healthy:
                        return
                    allowed = {answer} if healthy else {answer, b"busy", b"late", b"failed"}
                    self.assertIn(line.rstrip(b"\n"), allowed)

        def client(port):
            for _ in range(8):
                with broken_off():
                    ask(port)

        words = ("compute", "serve", "--listen", "127.0.0.1:0", "--workers", "2", *variant)
        with FaultyServer(seed, folder, *words) as server:
            port = server.ports[0]
            ask(port, healthy=True)
            wait_until(lambda: not server.children(), "its children have ended")
            before = settled(server.descriptors)
            server.endure(*[functools.partial(client, port)] * 4)
            ask(port, healthy=True)
            self.assert_well(server, before)

    @on_every_seed(MODELS[1:4] + [("--engine", engine) for engine in engines()])
    def test_talk(self, variant, seed, folder):
        def converse(port, words, healthy=False):
            with call(port) as client, client.socket.makefile("rb") as lines:
                for word in words:
                    client.send(word)
                    line = lines.readline()
                    if line != word and not healthy:
                        self.assertIn(line, (b"", b"exit\n"))
                        return
                    self.assertEqual(line, word)
                client.send(b"exit\n")
                self.assertEqual(lines.read(), b"")

        def client(port, number):
            for time in range(4):
                words = [f"{number} says {time} {i} {'x' * 50 * i}\n".encode() for i in range(5)]
                with broken_off():
                    converse(port, words)

        words = ("talk", "serve", "--listen", "127.0.0.1:0", "--echo", "--keep", *variant)
        with FaultyServer(seed, folder, *words) as server:
            port = server.ports[0]
            converse(port, [b"hello\n"], healthy=True)
            wait_until(lambda: not server.children(), "its children have ended")
            before = settled(server.descriptors)
            server.endure(*(functools.partial(client, port, number) for number in range(3)))
            converse(port, [b"hello\n", b"again\n"], healthy=True)
            self.assert_well(server, before)

    @on_every_seed(LOOPS)
    def test_chat(self, variant, seed, folder):
        said = re.compile(r"^\[(\w+)\]: (\d+)$")
        heard = {}

        def member(port, name):
            heard[name] = []
            with broken_off(), Member(port) as client:
                client.say(f"/nick {name}")
                for number in range(30):
                    client.say(str(number))
                while (line := client.line()) is not None:
                    heard[name].append(line)
                    if line.endswith("]: the end"):
                        return

        words = ("chat", "serve", "--listen", "127.0.0.1:0", "--workers", "2", *variant)
        with FaultyServer(seed, folder, *words) as server:
            port = server.ports[0]
            with Member(port) as one, Member(port) as other:
                # One on each shard, which has begun then.
                one.greeted(), other.greeted()
            before = settled(server.descriptors)
            with contextlib.ExitStack() as last:

                def end():
                    # Those who come later read it in the history of the room.
                    speaker = last.enter_context(Member(port)).greeted()
                    speaker.say("/nick last")
                    speaker.say("the end")

                names = ("ann", "bob", "cleo", "dan", "eve")
                server.endure(*(functools.partial(member, port, name) for name in names), then=end)
            for name, lines in heard.items():
                numbers = {}
                for author, number in (found.groups() for found in map(said.match, lines) if found):
                    self.assertLess(numbers.get(author, -1), int(number), (name, lines))
                    self.assertNotEqual(author, name)
                    numbers[author] = int(number)
            with Member(port) as one, Member(port) as other:
                one.greeted(), other.greeted()
                one.say("/me is here")
                other.until(r"is here\*$")
            self.assert_well(server, before)

    @on_every_seed(MODELS)
    def test_files(self, variant, seed, folder):
        store = folder / "store"
        store.mkdir()
        there = os.urandom(500_000)
        (store / "there").write_bytes(there)
        local = folder / "local"
        local.write_bytes(os.urandom(2_000_000))
        sent = {"there": {there}, "local": {local.read_bytes()}}
        acknowledged, kept, streamed = {"there"}, set(), set()

        def write(web, writer):
            for number, size in enumerate((0, 100, 70_000, 400_000, 100)):
                path, body = f"{writer}/{number % 4}", os.urandom(size)
                sent.setdefault(path, set()).add(body)
                with broken_off():
                    status = web.put(f"/{path}", body)[0]
                    self.assertIn(status, {201, 204} | REFUSED)
                    if status in (201, 204):
                        acknowledged.add(path)
                        if number == 4:
                            # What was acknowledged before has been replaced.
                            sent[path] = {body}

        def stream(port):
            for size in (1, 50_000, 300_000):
                body = os.urandom(size)
                streamed.add(body)
                with broken_off(), call(port) as client:
                    client.send(body)
                    client.finish()
                    self.assertEqual(client.socket.recv(1), b"")
                    kept.add(body)

        def read(web):
            for _ in range(10):
                with broken_off():
                    status, fields, body = web.get("/there")
                    self.assertIn(status, {200} | REFUSED)
                    # http.client takes a head that was broken off for a whole one.
                    if status == 200 and "Content-Length" in fields:
                        self.assertTrue(body == there, "it is another file")

        def put(port):
            url = f"http://127.0.0.1:{port}/local"
            with Program(SLUICE, "files", "put", local, url, "--engine", "epoll") as program:
                status, _, errors = program.end()
            self.assertIn(status, HONEST, errors)
            if status == 0:
                acknowledged.add("local")

        def get(port):
            url, target = f"http://127.0.0.1:{port}/there", folder / "fetched"
            command = (SLUICE, "files", "get", url, "-o", target, "--engine", "epoll")
            with Program(*command) as program:
                status, _, errors = program.end()
            self.assertIn(status, HONEST, errors)
            self.assertEqual(target.exists(), status == 0)
            if status == 0:
                self.assertTrue(target.read_bytes() == there)

        doors = ("--http", "127.0.0.1:0", "--raw", "127.0.0.1:0")
        words = ("files", "serve", store, *doors, "--workers", "4", *variant)
        with FaultyServer(seed, folder, *words, endpoints=2) as server:
            web = files_http_rig.HttpServer.__new__(files_http_rig.HttpServer)
            web.port, raw = server.ports
            self.assertEqual(web.put("/first/file", b"1")[0], 201)
            sent["first/file"] = {b"1"}
            self.assertEqual(web.get("/there")[0], 200)
            with call(raw) as client:
                client.send(b"streamed")
                client.finish()
                self.assertEqual(client.receive_to_end(), b"")
            streamed.add(b"streamed")
            wait_until(lambda: not server.children(), "its children have ended")
            before = settled(server.descriptors)
            server.endure(
                functools.partial(write, web, "one"),
                functools.partial(write, web, "two"),
                functools.partial(stream, raw),
                functools.partial(read, web),
                functools.partial(put, web.port),
                functools.partial(get, web.port),
            )
            for path in acknowledged:
                status, _, body = web.get(f"/{path}")
                self.assertEqual(status, 200, path)
                self.assertTrue(body in sent[path], f"{path} is another")
            found = set()
            for path in store.rglob("*"):
                name = str(path.relative_to(store))
                if path.is_dir() or path.name.startswith("."):
                    continue
                content = path.read_bytes()
                if name.startswith("upload-"):
                    self.assertIn(content, streamed, f"{name} is no file that was sent")
                    found.add(content)
                else:
                    self.assertTrue(content in sent[name], f"{name} is no file that was sent")
            self.assertLessEqual(kept, found)
            self.assertEqual(web.put("/last", b"2")[0], 201)
            self.assert_well(server, before)


class WallClock(TalkTest):
    @on_every_seed(MODELS)
    def test_no_deadline_moves_when_it_jumps(self, variant, seed, folder):
        (folder / "there").write_bytes(b"hello")
        where = ("--http", "127.0.0.1:0", "--idle-time", "300ms")
        words = ("files", "serve", folder, *where, *variant)
        with FaultyServer(f"{seed}:wall_jump", folder, *words) as server:
            server.turn(1)
            web = files_http_rig.HttpServer.__new__(files_http_rig.HttpServer)
            web.port = server.ports[0]
            with call(web.port) as idle:
                self.assertEqual(idle.receive_to_end(), b"")
            with web.open() as connection:
                for _ in range(50):
                    status, _, body = files_http_rig.ask(connection, "GET", "/there")
                    self.assertEqual((status, body), (200, b"hello"))
            server.signal(signal.SIGTERM)
            self.assert_ends(server, 0)


class Specification(TalkTest):
    def test_one_that_makes_no_sense_is_refused(self):
        for text in ("", "x", "1:", "1:none", "1:short,", "1;", "1@/none/there", "1:short@/dev/null"):
            with self.subTest(text), Program(
                SLUICE, "--version", variables={"SLUICE_FAULTS": text}
            ) as program:
                self.assert_ends(program, 2, "", "SLUICE_FAULTS is SEED")


class Starts(TalkTest):
    COMMANDS = [
        ("talk", "serve", "--listen", "127.0.0.1:0", "--echo", "--keep"),
        ("chat", "serve", "--listen", "127.0.0.1:0"),
        ("compute", "serve", "--listen", "127.0.0.1:0", "--model", "thread"),
        ("files", "serve", "FOLDER", "--http", "127.0.0.1:0", "--raw", "127.0.0.1:0"),
    ]

    @on_every_seed(COMMANDS)
    def test_one_that_fails_says_why(self, command, seed, folder):
        words = [folder if word == "FOLDER" else word for word in command]
        variables = {"SLUICE_FAULTS": str(seed)}
        with Program(
            SLUICE, *words, "--grace", "1s", stdin=subprocess.DEVNULL, variables=variables
        ) as server:
            with contextlib.suppress(Ended):
                server.expect_stderr("^listening on ")
                server.signal(signal.SIGTERM)
                self.assert_ends(server, 0)
                return
            self.assert_ends(server, 1, err=r"\S+ \S+ \S+")


class Clients(TalkTest):
    """Of servers whose kernel is well."""

    def check(self, seed, *words, said=b""):
        """What a client came to that was given `said`: its status, and its stdout."""
        with Program(SLUICE, *words, variables={"SLUICE_FAULTS": str(seed)}) as program:
            with contextlib.suppress(BrokenPipeError):
                program.process.stdin.write(said)
            program.end_input()
            status, out, errors = program.end()
        self.assertIn(status, HONEST, errors)
        if status != 0:
            self.assertNotEqual(out + errors, "", "it does not say why")
        return status, out

    @contextlib.contextmanager
    def server(self, *words, endpoints=1):
        with Program(SLUICE, *words, stdin=subprocess.DEVNULL) as server:
            listening = r"^listening on 127\.0\.0\.1:(\d+)"
            yield [int(server.expect_stderr(listening)[1]) for _ in range(endpoints)]

    @on_every_seed(LOOPS)
    def test_all_end_and_none_lies(self, variant, seed, folder):
        source, target, store = folder / "source", folder / "target", folder / "store"
        data = os.urandom(3_000_000)
        source.write_bytes(data)
        store.mkdir()
        (store / "there").write_bytes(data)
        where = ("--listen", "127.0.0.1:0")
        with self.server("compute", "serve", *where) as (port,):
            words = ("compute", "ask", f"127.0.0.1:{port}", "10", "--requests", "5", *variant)
            status, out = self.check(seed, *words)
            if status == 0:
                self.assertIn("function(10): 89\n5 answers", out)
        with self.server("talk", "serve", *where, "--echo", "--keep") as (port,):
            said = b"hello\nexit\n"
            status, out = self.check(seed, "talk", "join", port, *variant, said=said)
            if status == 0:
                self.assertEqual(out, f"[Server 127.0.0.1:{port}]: hello\n")
        with self.server("chat", "serve", *where) as (port,), Member(port) as member:
            member.greeted()
            said = b"one\ntwo\n/quit\n"
            status, _ = self.check(seed, "chat", "join", port, *variant, said=said)
            if status == 0:
                lines = member.until("has left$")
                self.assertEqual([line[-5:] for line in lines[1:-1]], [": one", ": two"])
        doors = ("--http", "127.0.0.1:0", "--raw", "127.0.0.1:0")
        with self.server("files", "serve", store, *doors, endpoints=2) as (web, raw):
            url = f"http://127.0.0.1:{web}"
            if self.check(seed, "files", "put", source, f"{url}/new", *variant)[0] == 0:
                self.assertTrue((store / "new").read_bytes() == data)
            status, _ = self.check(seed, "files", "get", f"{url}/there", "-o", target, *variant)
            # It may have its name although something failed afterwards.
            if status == 0 or target.exists():
                self.assertTrue(target.read_bytes() == data)
            words = ("files", "put", source, f"tcp://127.0.0.1:{raw}", *variant)
            if self.check(seed, *words)[0] == 0:
                kept = [path for path in store.iterdir() if path.name.startswith("upload-")]
                self.assertTrue(any(path.read_bytes() == data for path in kept))
