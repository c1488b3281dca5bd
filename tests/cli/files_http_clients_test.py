"""The HTTP endpoint as curl and wget use it, and what it asks of the disk."""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import unittest

from files_http_rig import DATA, SMALL, TIMEOUT, HttpServer, HttpTest
from talk_rig import SLUICE, Ended, Program


class Clients(HttpTest):
    def setUp(self):
        super().setUp()
        self.store = self.folder / "store"
        self.source = self.folder / "source.bin"
        self.source.write_bytes(DATA)
        self.copy = self.folder / "copy.bin"

    def run_program(self, name, *words, status=0, **options):
        if not shutil.which(name):
            self.skipTest(f"there is no {name} here")
        done = subprocess.run(
            [name, *map(str, words)], capture_output=True, timeout=TIMEOUT, cwd=self.folder,
            **options,
        )
        self.assertEqual(done.returncode, status, done)
        return done.stdout.decode()

    def curl(self, *words, **options):
        return self.run_program("curl", "-sS", *words, **options)

    def test_curl_uploads_downloads_and_resumes(self):
        with HttpServer(self.store) as server:
            at = f"http://127.0.0.1:{server.port}"
            # A slash at the end means: under its own name. Above a megabyte, curl asks first.
            self.assertEqual(self.curl("-w", "%{http_code}", "-T", self.source, f"{at}/dir/"), "201")
            self.assertTrue((self.store / "dir/source.bin").read_bytes() == DATA)
            self.curl("-o", self.copy, f"{at}/dir/source.bin")
            self.assertTrue(self.copy.read_bytes() == DATA)
            self.copy.write_bytes(DATA[:1_000_000])
            self.curl("-C", "-", "-o", self.copy, f"{at}/dir/source.bin")
            self.assertTrue(self.copy.read_bytes() == DATA)
            self.curl("-r", "10-19,30-39", f"{at}/dir/source.bin", "-o", self.copy)
            self.assertIn(DATA[10:20], self.copy.read_bytes())
            head = self.curl("-I", f"{at}/dir/source.bin")
            self.assertIn(f"Content-Length: {len(DATA)}", head)
            self.assertIn("Accept-Ranges: bytes", head)
            self.curl("-L", "-o", self.copy, f"{at}/dir")
            self.assertIn("source.bin", self.copy.read_text())
            self.curl("-f", f"{at}/none", status=22)

    def test_curl_uploads_from_a_pipe_and_goes_on_after_a_cut(self):
        with HttpServer(self.store) as server:
            at = f"http://127.0.0.1:{server.port}"
            with open(self.source, "rb") as piped:
                self.curl("-T", "-", f"{at}/piped", stdin=piped)
            self.assertTrue((self.store / "piped").read_bytes() == DATA)
            server.read_line()
            with server.dial() as peer:
                head = (
                    f"PUT /cut HTTP/1.1\r\nHost: x\r\nContent-Length: {len(DATA)}\r\n"
                    f"Content-Range: bytes 0-{len(DATA) - 1}/{len(DATA)}\r\n\r\n"
                )
                peer.sendall(head.encode() + DATA[:1_234_567])
            self.assertIn("waits to be resumed", server.read_line())
            self.curl("-C", "1234567", "-T", self.source, f"{at}/cut")
            self.assertTrue((self.store / "cut").read_bytes() == DATA)

    def test_curl_moves_many_at_once(self):
        with HttpServer(self.store) as server:
            at = f"http://127.0.0.1:{server.port}"
            names = [f"file{i}" for i in range(40)]
            for name in names:
                (self.folder / name).write_bytes(name.encode() * 1000)
            self.curl("--parallel", "-T", "{" + ",".join(names) + "}", f"{at}/")
            self.assertEqual(sorted(os.listdir(self.store)), sorted(names))
            got = self.folder / "got"
            self.curl("--parallel", "--create-dirs", "--output-dir", got, "-O", f"{at}/file[0-39]")
            for name in names:
                self.assertEqual((got / name).read_bytes(), name.encode() * 1000)

    def test_wget_resumes(self):
        with HttpServer(self.store) as server:
            (self.store / "a.bin").write_bytes(DATA)
            (self.folder / "a.bin").write_bytes(DATA[:2_000_000])
            self.run_program("wget", "-q", "-c", f"http://127.0.0.1:{server.port}/a.bin")
            self.assertTrue((self.folder / "a.bin").read_bytes() == DATA)

    def test_a_quota_holds_at_the_raw_endpoint_too(self):
        with HttpServer(self.store, "--raw", "127.0.0.1:0", "--quota", "4M") as server:
            raw = int(server.expect_stderr(r"^listening on 127\.0\.0\.1:(\d+) \(")[1])

            def stream(data):
                with socket.create_connection(("127.0.0.1", raw)) as peer:
                    peer.sendall(data)
                    peer.shutdown(socket.SHUT_WR)
                    return peer.recv(1)

            self.assertEqual(stream(DATA), b"")
            self.assertIn("Received 3000001 bytes", server.read_line())
            with self.assertRaises(OSError):
                stream(DATA)
            self.assertIn("disk quota exceeded", server.read_line())
            self.assertEqual(stream(DATA[:1_000_000]), b"")
            self.assertEqual(len(os.listdir(self.store)), 2)


class Durability(HttpTest):
    def test_the_file_is_synced_then_named_then_its_directory_is_synced(self):
        if not shutil.which("strace"):
            self.skipTest("there is no strace here")
        trace = self.folder / "trace"
        calls = "fsync,linkat,renameat,renameat2,mkdirat"
        with Program(
            "strace", "-f", "-y", "-o", trace, "-e", f"trace={calls}", SLUICE, "files", "serve",
            self.folder / "store", "--http", "127.0.0.1:0", "--engine", "epoll",
        ) as program:
            try:
                port = program.expect_stderr(r"^listening on 127\.0\.0\.1:(\d+) ")[1]
            except Ended as why:
                self.skipTest(f"strace may not trace here: {why}")
            children = pathlib.Path(f"/proc/{program.process.pid}/task/{program.process.pid}/children")
            traced = int(children.read_text().split()[0])
            try:
                server = HttpServer.__new__(HttpServer)
                server.port = int(port)
                self.assertEqual(server.put("/dir/a", SMALL)[0], 201)
                self.assertEqual(server.put("/dir/a", SMALL)[0], 204)
            finally:
                os.kill(traced, signal.SIGTERM)
                program.end()
        lines = [line for line in trace.read_text().splitlines() if "= 0" in line]
        said = [
            (re.search(r"(\w+)\(", line)[1], "(deleted)" in line.split(" = ")[0]) for line in lines
        ]
        # Before that, the file system was tried.
        while said[0][0] != "fsync":
            said.pop(0)
        names = [name for name, _ in said]
        self.assertEqual(
            [name.removesuffix("2") for name in names],
            # The file; the directory is made, and known; the file has its name, and that is known.
            ["fsync", "mkdirat", "fsync", "linkat", "fsync"]
            # The second has a hidden name before it takes that of the first.
            + ["fsync", "linkat", "renameat", "fsync"],
        )
        self.assertTrue(said[0][1], "the first to be synced has no name yet")


if __name__ == "__main__":
    unittest.main()
