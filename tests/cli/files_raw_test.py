"""`sluice files serve` and `offer` over plain sockets, under every model."""

import concurrent.futures
import hashlib
import os
import pathlib
import re
import resource
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import unittest

from files_http_rig import on_every_model
from talk_rig import PEERS, SLUICE, TIMEOUT, Program, TalkTest, call

DATA = os.urandom(3_000_001)
SHA256 = hashlib.sha256(DATA).hexdigest()


class FileServer(Program):
    """A `sluice files` command on a port of the kernel's choice."""

    def __init__(self, *words, program=SLUICE, **options):
        super().__init__(program, "files", *words, **options)
        found = self.expect_stderr(r"^listening on 127\.0\.0\.1:(\d+) \((\w+), (\w+)\)$")
        self.port = int(found[1])


def upload(port, data):
    """Streams `data`, ends it, and gives what came back, once the server has closed in order."""
    with call(port) as peer:
        peer.send(data)
        peer.socket.shutdown(socket.SHUT_WR)
        return peer.receive_to_end()


def download(port):
    with call(port) as peer:
        return peer.receive_to_end()


class Raw(TalkTest):
    @on_every_model
    def test_what_is_streamed_is_stored_and_reported(self, flags, folder):
        where = folder / "made"
        with FileServer("serve", where, "--create", "--raw", "127.0.0.1:0", *flags) as server:
            self.assertEqual(upload(server.port, DATA), b"")
            line = server.read_line()
            found = re.fullmatch(
                rf"Received {len(DATA)} bytes from \[Client 1\] as (\S+) \(sha256 {SHA256}\)\n",
                line,
            )
            self.assertTrue(found, line)
            self.assertEqual([path.name for path in where.iterdir()], [found[1]])
            self.assertEqual((where / found[1]).read_bytes(), DATA)
            self.assertEqual(upload(server.port, b""), b"")
            self.assertIn("Received 0 bytes from [Client 2]", server.read_line())

    @on_every_model
    def test_eight_at_once_are_all_whole(self, flags, folder):
        with FileServer("serve", folder, "--raw", "127.0.0.1:0", *flags) as server:
            texts = [bytes([65 + i]) * (1_000_000 + i) for i in range(8)]
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                list(pool.map(lambda text: upload(server.port, text), texts))
            stored = sorted(path.read_bytes() for path in folder.iterdir())
            self.assertTrue(stored == texts, "all of them, and nothing else")
            numbers = {int(re.search(r"\[Client (\d+)\]", server.read_line())[1]) for _ in texts}
            self.assertEqual(numbers, set(range(1, 9)))

    @on_every_model
    def test_a_client_that_vanishes_leaves_nothing_and_is_reported(self, flags, folder):
        with FileServer("serve", folder, "--raw", "127.0.0.1:0", *flags) as server:
            with call(server.port) as peer:
                peer.send(DATA[:100_000])
                off = struct.pack("ii", 1, 0)
                peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, off)
            self.assertRegex(
                server.read_line(), r"^Lost \[Client 1\] after \d+ bytes: connection reset by peer; "
            )
            self.assertEqual(list(folder.iterdir()), [])
            upload(server.port, DATA)
            self.assertIn(SHA256, server.read_line())

    @on_every_model
    def test_a_file_over_the_limit_is_refused_with_a_reset(self, flags, folder):
        with FileServer(
            "serve", folder, "--raw", "127.0.0.1:0", "--max-size", "1M", *flags
        ) as server:
            with self.assertRaises(OSError):
                upload(server.port, DATA)
            self.assertIn("a file has at most 1 MiB here", server.read_line())
            upload(server.port, DATA[: 1 << 20])
            self.assertIn("Received 1048576 bytes", server.read_line())
            self.assertEqual(len(list(folder.iterdir())), 1)

    @on_every_model
    def test_discarding_counts_and_keeps_nothing(self, flags, folder):
        with FileServer("serve", folder, "--raw", "127.0.0.1:0", "--discard", *flags) as server:
            upload(server.port, DATA)
            self.assertEqual(
                server.read_line(), f"Received {len(DATA)} bytes from [Client 1], and dropped them\n"
            )
            self.assertEqual(list(folder.iterdir()), [])

    @on_every_model
    def test_a_discarded_stream_that_stalls_ends_with_a_reset(self, flags, folder):
        limits = ("--discard", "--body-time", "200ms", *flags)
        with FileServer("serve", folder, "--raw", "127.0.0.1:0", *limits) as server:
            with call(server.port) as peer:
                peer.send(b"half")
                with self.assertRaises(ConnectionResetError):
                    peer.receive_to_end()
            self.assertEqual(server.read_line(), "Lost [Client 1]: the deadline passed\n")

    def test_left_overs_are_removed_at_the_start(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            (folder / ".sluice-1-0").write_bytes(b"half of a ")
            (folder / "mine").write_bytes(b"whole")
            with FileServer("serve", folder, "--raw", "127.0.0.1:0"):
                self.assertEqual([path.name for path in folder.iterdir()], ["mine"])

    def test_a_directory_that_is_not_there_is_made_if_that_is_asked_for(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name, "new")
            with Program(SLUICE, "files", "serve", folder, "--raw", "0") as program:
                status, _, errors = program.end()
                self.assertEqual(status, 1)
                self.assertRegex(errors, "there is no directory '.*/new'; .* --create")
            self.assertFalse(folder.exists())
            with FileServer("serve", folder, "--create", "--raw", "127.0.0.1:0"):
                self.assertTrue(folder.is_dir())

    def test_a_directory_that_cannot_be_is_refused(self):
        with tempfile.NamedTemporaryFile() as file, Program(
            SLUICE, "files", "serve", file.name, "--raw", "0"
        ) as program:
            status, out, errors = program.end()
            self.assertEqual((status, out), (1, ""))
            self.assertRegex(errors, "cannot store files in .*: not a directory; give a directory")


class Offer(TalkTest):
    def setUp(self):
        self.file = tempfile.NamedTemporaryFile()
        self.addCleanup(self.file.close)
        self.file.write(DATA)
        self.file.flush()

    def test_every_client_gets_it_by_every_strategy(self):
        strategies = (
            "auto read-send sendfile sendfile-cork splice mmap-send zero-copy uring-splice "
            "uring-read-send-zc"
        )
        for strategy in strategies.split():
            for engine in ("epoll", "uring"):
                with self.subTest(strategy=strategy, engine=engine), FileServer(
                    "offer", self.file.name, "--listen", "127.0.0.1:0", "--engine", engine,
                    "--strategy", strategy,
                ) as server:
                    self.assertTrue(download(server.port) == DATA)
                    self.assertRegex(
                        server.read_line(),
                        rf"^Sent {len(DATA)} bytes to \[Client 1\] in \d+\.\d+ s \({strategy}\)$",
                    )

    @on_every_model
    def test_it_ends_after_so_many_under_every_model(self, flags, _):
        with FileServer(
            "offer", self.file.name, "--listen", "127.0.0.1:0", "--count", "3", *flags
        ) as server:
            with concurrent.futures.ThreadPoolExecutor(3) as pool:
                got = list(pool.map(lambda _: download(server.port), range(3)))
            self.assertTrue(all(data == DATA for data in got))
            self.assert_ends(server, 0)

    def test_what_is_no_file_is_refused(self):
        for path, why in ((tempfile.gettempdir(), "is a directory"), ("/nowhere", "no such file")):
            with Program(SLUICE, "files", "offer", path, "--listen", "0") as program:
                status, _, errors = program.end()
                self.assertEqual(status, 1)
                self.assertRegex(errors, f"cannot offer .*: {why}")


def with_little_locked_memory(number):
    """How to run a program that may pin what the rings of one shard need, and next to nothing more.

    What is pinned is counted for each user, and for a while after its end: so `number` tells apart.
    """
    most = 512 << 10
    limit = lambda: resource.setrlimit(resource.RLIMIT_MEMLOCK, (most, most))  # noqa: E731
    user = 100_000 + 2 * os.getpid() + number
    as_user = {"user": user, "group": user, "extra_groups": []} if os.geteuid() == 0 else {}
    return {"preexec_fn": limit, **as_user}


class LittleLockedMemory(TalkTest):
    """Registered buffers are pinned, and how much may be is limited (RLIMIT_MEMLOCK)."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.folder.chmod(0o777)
        # The one that was built may lie where only its owner looks.
        self.program = self.folder / "sluice"
        shutil.copy(SLUICE, self.program)
        self.program.chmod(0o755)

    def run_unprivileged(self, number, *words):
        return FileServer(
            *words, "--listen" if words[0] == "offer" else "--raw", "127.0.0.1:0",
            "--engine", "uring", "--workers", "1", program=self.program,
            **with_little_locked_memory(number),
        )

    def test_an_upload_and_a_download_are_whole_without_registered_buffers(self):
        store = self.folder / "store"
        with self.run_unprivileged(
            0, "serve", store, "--create", "--strategy", "uring-recv-write"
        ) as server:
            self.assertEqual(upload(server.port, DATA), b"")
            self.assertIn(SHA256, server.read_line())
        (kept,) = store.iterdir()
        kept.chmod(0o644)
        with self.run_unprivileged(
            1, "offer", kept, "--strategy", "uring-read-send-zc"
        ) as server:
            self.assertTrue(download(server.port) == DATA)


class PythonClients(TalkTest):
    def run_peer(self, name, *words):
        command = [sys.executable, "-B", str(PEERS / name), *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def test_they_upload_and_download(self):
        with tempfile.TemporaryDirectory() as name:
            source = pathlib.Path(name, "source")
            source.write_bytes(DATA)
            store = pathlib.Path(name, "store")
            with FileServer("serve", store, "--create", "--raw", "127.0.0.1:0") as server:
                said = self.run_peer("upload_client.py", source, server.port)
                self.assertRegex(said, rf"^{len(DATA)} bytes in ")
                self.assertIn(SHA256, server.read_line())
            slow = FileServer("offer", source, "--listen", "127.0.0.1:0", "--strategy", "read-send")
            with slow, FileServer("offer", source, "--listen", "127.0.0.1:0") as fast:
                said = self.run_peer("download_client.py", slow.port, fast.port).splitlines()
                for line, port in zip(said, (slow.port, fast.port), strict=True):
                    self.assertRegex(line, rf"^port {port}: {len(DATA)} bytes in ")


if __name__ == "__main__":
    unittest.main()
