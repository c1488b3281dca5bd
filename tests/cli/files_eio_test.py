"""Files on a disk that fails: what is reported when reads, writes and syncs give EIO."""

import contextlib
import fcntl
import os
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import unittest

from files_http_rig import SMALL, HttpServer, HttpTest, digest_of, on_every_model, receive_to_end
from talk_rig import SLUICE, TIMEOUT, Program, engines, one_by_one

FIBMAP = 1  # linux/fs.h: where on the disk a block of a file lies
BLOCK = 4096
KEPT = os.urandom(200_000)
LATE = os.urandom(8 << 20)
BROKEN_AT = 4 << 20  # so much of LATE can be read
NEW = os.urandom(3_000_001)

TO_SOCKET = (
    "read-send sendfile sendfile-cork splice mmap-send zero-copy uring-splice uring-read-send-zc"
).split()
TO_FILE = "recv-write recv-write-1m recv-full splice uring-splice uring-recv-write".split()


def run(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, timeout=TIMEOUT)
    return done.returncode == 0


class Disk:
    """A file system in memory that can lose its end; needs root and loop devices.

    Its image is sealed when it is cut, so that it does not grow again when it is written to: what
    lies behind the cut can be neither read nor written.
    """

    def __init__(self, where):
        if not shutil.which("mkfs.ext4"):
            raise unittest.SkipTest("there is no mkfs.ext4 here")
        self.where = where
        self.where.mkdir()
        self.image = os.memfd_create("disk", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self.image, 64 << 20)
        path = f"/proc/{os.getpid()}/fd/{self.image}"
        made = run("mkfs.ext4", "-q", "-F", "-b", BLOCK, "-E", "lazy_itable_init=0", path)
        if not made or not run("mount", "-o", "loop", path, where):
            os.close(self.image)
            raise unittest.SkipTest("making and mounting a disk needs root and a loop device")

    def close(self):
        gone = run("umount", "-l", self.where)
        os.close(self.image)
        assert gone, f"{self.where} is still mounted"

    def store(self, name, data):
        with open(self.where / name, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def lose_all_behind(self, name, offset):
        """What comes behind a place in a file is not there any more, nor any of it in memory."""
        with open(self.where / name, "rb") as file:
            block = fcntl.ioctl(file, FIBMAP, struct.pack("i", offset // BLOCK))
            self.cut(struct.unpack("i", block)[0] * BLOCK)
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def cut(self, size):
        os.ftruncate(self.image, size)
        fcntl.fcntl(self.image, fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW)

    def names(self):
        return sorted(path.name for path in self.where.iterdir() if path.name != "lost+found")


class SyncingServer(HttpServer):
    """One that waits for the disk before it acknowledges, through one endpoint."""

    def __init__(self, directory, *flags, endpoint="--http"):
        Program.__init__(self, SLUICE, "files", "serve", directory, endpoint, "127.0.0.1:0", *flags)
        found = self.expect_stderr(r"^listening on 127\.0\.0\.1:(\d+) \((\w+), (\w+)\)$")
        self.port = int(found[1])


class Eio(HttpTest):
    def a_disk(self, folder=None):
        """Has `kept`, and of `late` the first half; nothing more can be written."""
        disk = Disk(pathlib.Path(tempfile.mkdtemp(dir=folder or self.folder)) / "disk")
        self.addCleanup(disk.close)
        disk.store("kept", KEPT)
        disk.store("late", LATE)
        disk.lose_all_behind("late", BROKEN_AT)
        return disk

    def fetch(self, server, path):
        """An answer, whole or not: its status, how long it was to be, and what came of it."""
        with server.dial() as peer:
            peer.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            head, _, body = receive_to_end(peer).partition(b"\r\n\r\n")
        status = re.match(rb"HTTP/1\.1 (\d{3}) ", head)
        length = re.search(rb"(?im)^content-length: *(\d+)", head)
        return int(status[1]), int(length[1]), body

    def assert_still_serves(self, server):
        self.assertEqual(server.get("/kept")[0::2], (200, KEPT))

    @on_every_model(how=one_by_one)
    def test_an_upload_that_the_disk_did_not_take_is_refused_and_not_seen(self, flags, _):
        disk = self.a_disk()
        with SyncingServer(disk.where, *flags) as server:
            for path, body in (
                ("/new", NEW),
                ("/new", SMALL),
                ("/new", iter([NEW[:100_000]] * 30)),
                ("/kept", NEW),
            ):
                status, _, said = server.ask("PUT", path, body)
                self.assertEqual(status, 500)
                self.assertIn(b"input/output error", said)
                self.assertRegex(
                    server.read_line(),
                    rf"^Refused \[Client \d+\] as {path[1:]}: input/output error; "
                    r"nothing was kept\n$",
                )
                self.assertEqual(disk.names(), ["kept", "late"])
                self.assertEqual(server.get("/new")[0], 404)
                self.assert_still_serves(server)

    def test_so_it_is_by_every_strategy(self):
        disk = self.a_disk()
        for strategy in TO_FILE:
            engine = "uring" if strategy.startswith("uring") else "epoll"
            if engine not in engines():
                continue
            with self.subTest(strategy=strategy), SyncingServer(
                disk.where, "--strategy", strategy, "--engine", engine
            ) as server:
                self.assertEqual(server.put("/new", NEW)[0], 500)
                self.assertEqual(disk.names(), ["kept", "late"])
                self.assert_still_serves(server)

    @on_every_model(how=one_by_one)
    def test_a_stream_that_the_disk_did_not_take_is_reset_and_not_seen(self, flags, _):
        disk = self.a_disk()
        with SyncingServer(disk.where, *flags, endpoint="--raw") as server:
            for number in (1, 2):
                with server.dial() as peer:
                    peer.sendall(NEW)
                    peer.shutdown(socket.SHUT_WR)
                    with self.assertRaises(ConnectionResetError):
                        peer.recv(1)
                self.assertRegex(
                    server.read_line(),
                    rf"^Refused \[Client {number}\] after {len(NEW)} bytes: "
                    r"input/output error; nothing was kept\n$",
                )
                self.assertEqual(disk.names(), ["kept", "late"])

    def test_a_file_that_cannot_be_read_to_its_end_is_broken_off_and_not_padded(self):
        disk = self.a_disk()
        for strategy in TO_SOCKET:
            for engine in engines():
                model = ("--model", "thread") if engine == "blocking" else ("--engine", engine)
                with self.subTest(strategy=strategy, engine=engine), SyncingServer(
                    disk.where, "--send-strategy", strategy, "--stats", *model
                ) as server:
                    status, length, body = self.fetch(server, "/late")
                    self.assertEqual((status, length), (200, len(LATE)))
                    self.assertLessEqual(len(body), BROKEN_AT)
                    self.assertTrue(body == LATE[: len(body)])
                    self.assert_still_serves(server)
                    mapped = strategy in ("mmap-send", "zero-copy")
                    if not mapped:
                        self.assertRegex(
                            server.read_line(),
                            r"^Broke off \[Client 1\] after \d+ bytes of late: input/output error",
                        )
                    # What a mapping lacks looks like a file that was cut short.
                    counted = server.counters()
                    counts = (counted["cut_files"], counted["failed"])
                    self.assertEqual(counts, (mapped, not mapped))

    def test_so_it_is_with_a_few_bytes_behind_their_head(self):
        disk = self.a_disk()
        with SyncingServer(disk.where, "--stats") as server:
            part = f"bytes={len(LATE) - 1000}-"
            with server.dial() as peer:
                peer.sendall(f"GET /late HTTP/1.1\r\nHost: x\r\nRange: {part}\r\n\r\n".encode())
                head, _, body = receive_to_end(peer).partition(b"\r\n\r\n")
            self.assertEqual(body, b"")
            self.assert_still_serves(server)
            self.assertEqual(server.counters()["failed"], 1)

    def test_an_offer_of_it_ends_in_a_reset(self):
        disk = self.a_disk()
        with Program(
            SLUICE, "files", "offer", disk.where / "late", "--listen", "127.0.0.1:0"
        ) as program:
            port = int(program.expect_stderr(r"^listening on 127\.0\.0\.1:(\d+) ")[1])
            for number in (1, 2):
                body = b""
                with socket.create_connection(("127.0.0.1", port), TIMEOUT) as peer:
                    with self.assertRaises(ConnectionResetError):
                        while more := peer.recv(65536):
                            body += more
                self.assertLessEqual(len(body), BROKEN_AT)
                self.assertTrue(body == LATE[: len(body)])
                self.assertRegex(
                    program.read_line(),
                    rf"^Lost \[Client {number}\] after \d+ bytes: input/output error\n$",
                )

    def test_a_disk_that_the_kernel_takes_for_read_only_has_failed(self):
        disk = self.a_disk()
        with SyncingServer(disk.where, "--allow-delete") as server:
            self.assert_still_serves(server)
            subprocess.run(["mount", "-o", "remount,ro", disk.where], check=True)
            for name in ("/new", "/kept", "/folder/new"):
                status, _, said = server.put(name, SMALL)
                self.assertEqual((status, b"input/output error" in said), (500, True), said)
            part = {"Content-Range": f"bytes 0-4/{len(SMALL)}", "Repr-Digest": digest_of(SMALL)}
            self.assertEqual(server.ask("PUT", "/part", SMALL[:5], part)[0], 500)
            self.assertEqual(server.ask("DELETE", "/kept")[0], 500)
            self.assert_still_serves(server)

    @on_every_model(how=one_by_one)
    def test_a_disk_that_is_gone_takes_nothing_and_what_is_in_memory_is_served(self, flags, _):
        disk = self.a_disk()
        with SyncingServer(disk.where, *flags) as server:
            self.assert_still_serves(server)
            os.ftruncate(disk.image, 0)
            for _ in range(3):
                # In the end the file system takes itself for read-only.
                self.assertIn(server.put("/new", NEW)[0], (500, 503))
                self.assert_still_serves(server)
            with contextlib.suppress(OSError):
                self.assertEqual(disk.names(), ["kept", "late"])


if __name__ == "__main__":
    unittest.main()
