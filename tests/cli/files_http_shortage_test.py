"""The HTTP endpoint where something runs out: the disk, file sizes, descriptors."""

import contextlib
import os
import pathlib
import resource
import subprocess
import time
import unittest

from talk_rig import sanitized
from files_http_rig import DATA, SMALL, TIMEOUT, HttpServer, HttpTest, statuses


@contextlib.contextmanager
def small_disk(where, size, inodes=0):
    """A file system of its own; needs root. `inodes`: as many as it likes."""
    where.mkdir()
    options = f"size={size},nr_inodes={inodes}"
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(where)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        raise unittest.SkipTest("mounting needs root")
    try:
        yield where
    finally:
        subprocess.run(["umount", "-l", str(where)], check=True)


class Shortage(HttpTest):
    def test_a_full_disk_is_reported_before_the_body_is_sent(self):
        with small_disk(self.folder / "disk", "2m") as disk, HttpServer(disk) as server:
            said = server.say(
                b"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n"
                b"Expect: 100-continue\r\n\r\n"
            )
            self.assertEqual(statuses(said), [507])
            self.assertEqual(server.put("/a", bytes(1_000_000))[0], 201)
            self.assertEqual(server.put("/b", DATA)[0], 507)
            pieces = iter([DATA[:100_000]] * 30)
            self.assertEqual(server.ask("PUT", "/b", pieces)[0], 507)
            part = {"Content-Range": "bytes 0-2999999/3000001"}
            self.assertEqual(server.ask("PUT", "/b", DATA[:-1], part)[0], 507)
            self.assertEqual(os.listdir(disk), ["a"])
            # All that was reserved is free again.
            self.assertEqual(server.put("/b", bytes(1_000_000))[0], 201)

    def test_small_files_leave_inodes_to_others(self):
        with small_disk(self.folder / "disk", "4m", inodes=200) as disk:
            with HttpServer(disk, "--free-inodes", "50") as server:
                answers = [server.put(f"/{i}", b"x")[0] for i in range(150)]
                taken = answers.count(201)
                self.assertEqual(set(answers), {201, 507})
                self.assertEqual(answers, sorted(answers))
                # Extended attributes take some, too.
                self.assertTrue(60 <= taken <= 100, taken)
                part = {"Content-Range": "bytes 0-0/2"}
                self.assertEqual(server.ask("PUT", "/part", b"x", part)[0], 507)
                # What gives one back is no upload.
                self.assertEqual(server.ask("GET", "/0")[0], 200)
                (disk / "0").unlink()
                (disk / "1").unlink()
                self.assertEqual(server.put("/0", b"x")[0], 201)
                self.assertGreaterEqual(os.statvfs(disk).f_ffree, 100)

    def test_a_file_beyond_the_limit_of_the_process_is_refused(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

        for flags in (("--engine", "epoll"), ("--model", "fork")):
            with HttpServer(self.folder, *flags, preexec_fn=limit) as server:
                self.assertEqual(server.put("/a", DATA)[0], 413)
                pieces = iter([DATA[:100_000]] * 30)
                self.assertEqual(server.ask("PUT", "/a", pieces)[0], 413)
                self.assertIn(server.put("/a", SMALL)[0], (201, 204))
                self.assertEqual(os.listdir(self.folder), ["a"])

    @unittest.skipIf(sanitized(), "a sanitizer needs descriptors to look at objects")
    def test_without_descriptors_it_says_so_and_goes_on(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24))

        (self.folder / "a").write_bytes(SMALL)
        with HttpServer(self.folder, "--engine", "epoll", preexec_fn=limit) as server:
            get = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
            with contextlib.ExitStack() as kept:
                answers = []
                for _ in range(20):
                    # A client that is shed is reset, also while it connects.
                    with contextlib.suppress(OSError):
                        peer = kept.enter_context(server.dial())
                        peer.sendall(get)
                        answers += statuses(peer.recv(4096))
                self.assertIn(200, answers)
                self.assertTrue(set(answers) <= {200, 503}, answers)
            # It learns of their end one by one.
            deadline = time.monotonic() + TIMEOUT
            answer = (503,)
            while answer[0] == 503:
                self.assertLess(time.monotonic(), deadline)
                with contextlib.suppress(ConnectionError):
                    answer = server.get("/a")
            self.assertEqual(answer[2], SMALL)

    def test_no_descriptor_is_left_behind(self):
        with HttpServer(self.folder, "--engine", "epoll") as server:
            opened = pathlib.Path(f"/proc/{server.process.pid}/fd")
            server.put("/a", DATA)
            server.get("/a")
            before = len(list(opened.iterdir()))
            for i in range(5):
                server.put("/a", DATA)
                server.get("/a", Range="bytes=0-9,100000-1000000")
                server.get("/")
                server.put("/a", DATA, Repr_Digest="sha-256=:" + "A" * 43 + "=:")
                with server.dial() as peer:
                    peer.sendall(b"PUT /b HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\nx")
                server.read_line()
            # It closes what it had once it has said what came of it.
            deadline = time.monotonic() + TIMEOUT
            while len(list(opened.iterdir())) > before:
                self.assertLess(time.monotonic(), deadline)

    @unittest.skipIf(sanitized(), "its memory is not the program's alone")
    def test_idle_connections_cost_little(self):
        many = 2000
        (self.folder / "a").write_bytes(SMALL)
        with HttpServer(self.folder, "--engine", "epoll") as server, contextlib.ExitStack() as kept:
            status = pathlib.Path(f"/proc/{server.process.pid}/status")

            def memory():
                for line in status.read_text().splitlines():
                    if line.startswith("RssAnon"):
                        return int(line.split()[1]) * 1024

            def connect():
                peer = kept.enter_context(server.dial())
                peer.sendall(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
                self.assertEqual(statuses(peer.recv(4096)), [200])

            for _ in range(100):
                connect()
            before = memory()
            for _ in range(many):
                connect()
            self.assertLess((memory() - before) / many, 1200)


if __name__ == "__main__":
    unittest.main()
