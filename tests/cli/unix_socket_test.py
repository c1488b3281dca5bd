"""Servers at Unix sockets: served on every engine and model, with modes, peers and stale files."""

import contextlib
import grp
import os
import pathlib
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import unittest

from files_http_rig import MODELS
from talk_rig import (
    ENVIRONMENT,
    SLUICE,
    TIMEOUT,
    Program,
    Socket,
    TalkTest,
    engines,
    on_every_loop,
    side_by_side,
    wait_until,
)



class Peer(Socket):
    def __init__(self, name):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(TIMEOUT)
        self.socket.connect("\0" + name[1:] if name.startswith("@") else name)


def on_every_model(test):
    def on_each(self):
        here = {n: f for n, f in MODELS.items() if "uring" in engines() or "io_uring" not in n}
        cases = [({"model": name}, (name, flags)) for name, flags in here.items()]
        side_by_side(self, cases, lambda case: test(self, *case))

    return on_each


class UnixSockets(TalkTest):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.files = self.folder / "files"
        self.files.mkdir()
        self.body = os.urandom(300_000)
        (self.files / "file").write_bytes(self.body)

    def serve(self, *words, **options):
        server = Program(SLUICE, *words, **options)
        self.addCleanup(server.__exit__)
        server.where = server.expect_stderr(r"^listening on unix:(\S+) \((\w+), (\w+)\)$")[1]
        return server

    def stop(self, server, status=0):
        server.signal(signal.SIGTERM)
        self.assert_ends(server, status)

    def test_clients_in_the_access_log(self):
        client = f"unix:uid={os.getuid()},pid={os.getpid()}"
        said = {
            "text": f" {client} - ",
            "combined": f"{client} - - [",
            "json": f'"client.address":"{client}","http.',
        }
        for how, expected in said.items():
            log = self.folder / how
            server = self.serve(
                "files", "serve", self.files, "--http", f"unix:{self.folder}/{how}.sock",
                "--access-log", log, "--access-format", how,
            )
            with Peer(server.where) as peer:
                peer.send(b"GET /file HTTP/1.0\r\n\r\n")
                peer.receive_to_end()
            wait_until(lambda file=log: file.read_text(), f"{log} has a line")
            self.assertIn(expected, log.read_text())
            self.stop(server)

    @on_every_model
    def test_files(self, model, flags):
        path = f"{self.folder}/{model.replace(' ', '-')}.sock"
        server = self.serve(
            "files", "serve", self.files, "--no-sync", "--http", f"unix:{path}", *flags
        )
        self.assertEqual(server.where, path)
        for _ in range(3):
            with Peer(path) as peer:
                peer.send(b"GET /file HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                head, _, body = peer.receive_to_end().partition(b"\r\n\r\n")
                self.assertTrue(head.startswith(b"HTTP/1.1 200 "), head)
                self.assertEqual(body, self.body)
            # As from loopback, all may store.
            with Peer(path) as peer:
                peer.send(b"PUT /new HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
                          b"Connection: close\r\n\r\nnew")  # fmt: skip
                self.assertRegex(peer.receive_to_end(), rb"^HTTP/1\.1 20[14] ")
        self.stop(server)
        self.assertFalse(os.path.exists(path), "the file is left")

    @unittest.skipUnless(shutil.which("curl"), "curl is not installed")
    def test_curl(self):
        path = f"{self.folder}/http"
        server = self.serve("files", "serve", self.files, "--http", f"unix:{path}")
        done = subprocess.run(
            ["curl", "-sS", "--unix-socket", path, "http://localhost/file"],
            capture_output=True, timeout=TIMEOUT,
        )  # fmt: skip
        self.assertEqual((done.returncode, done.stdout), (0, self.body), done.stderr)
        self.stop(server)

    @on_every_loop
    def test_chat(self, engine):
        for where in (f"{self.folder}/{engine}", f"@sluice-test-{os.getpid()}-{engine}"):
            server = self.serve("chat", "serve", "--listen", f"unix:{where}", "--engine", engine)
            with Peer(where) as one, Program(
                SLUICE, "chat", "join", f"unix:{where}", "--nick", "ann"
            ) as other:
                self.assertRegex(
                    server.read_line(),
                    rf"^<< Client \d+ connected from unix:uid={os.getuid()},pid=\d+ >>$",
                )
                other.type("hello\n")
                while b"hello" not in one.socket.recv(4096):
                    pass
                other.end_input()
            self.stop(server)

    @on_every_model
    def test_compute(self, model, flags):
        path = f"{self.folder}/{model.replace(' ', '-')}.c"
        server = self.serve("compute", "serve", "--listen", f"unix:{path}", *flags)
        for engine in ("epoll", "uring" if "uring" in engines() else "epoll"):
            done = subprocess.run(
                [SLUICE, "compute", "ask", f"unix:{path}", "20", "--engine", engine],
                capture_output=True, text=True, timeout=TIMEOUT, env=ENVIRONMENT,
            )  # fmt: skip
            self.assertEqual((done.returncode, done.stdout), (0, "function(20): 10946\n"), done)
        self.stop(server)

    @on_every_loop
    def test_talk(self, engine):
        path = f"{self.folder}/talk-{engine}"
        server = self.serve("talk", "serve", "--listen", f"unix:{path}", "--engine", engine)
        with Program(SLUICE, "talk", "join", f"unix:{path}", "--engine", engine) as client:
            client.type("exit\n")
            self.assert_ends(client, 0)
        self.assert_ends(server, 0)
        self.assertFalse(os.path.exists(path))

    def test_all_shards_accept(self):
        path = f"{self.folder}/shards"
        server = self.serve(
            "compute", "serve", "--listen", f"unix:{path}", "--workers", 2, "--engine", "epoll"
        )
        with contextlib.ExitStack() as all:
            peers = [all.enter_context(Peer(path)) for _ in range(20)]
            for peer in peers:
                peer.send(b"5\n")
                self.assertEqual(peer.receive(2), b"8\n")
        server.signal(signal.SIGTERM)
        _, _, said = server.end()
        self.assertIn("served 20 clients", said)

    def test_the_mode_and_the_group(self):
        group = os.getgroups()[0] if os.getgroups() else os.getgid()
        names = {entry.gr_gid: entry.gr_name for entry in grp.getgrall()}
        for flags, mode in ((), 0o660), (("--socket-mode", "0606"), 0o606):
            path = f"{self.folder}/{mode}"
            server = self.serve(
                "compute", "serve", "--listen", f"unix:{path}",
                "--socket-group", names.get(group, group), *flags, umask=0o077,
            )  # fmt: skip
            found = os.stat(path)
            self.assertEqual(stat.S_IMODE(found.st_mode), mode)
            self.assertEqual(found.st_gid, group)
            self.stop(server)

    def test_flags_that_are_wrong(self):
        for flags, why in (
            (("--socket-mode", "999"), "'999' is no mode; write one as in 0660"),
            (("--socket-mode", "01777"), "is no mode"),
            (("--socket-group", "no-such-group"), "there is no group 'no-such-group'"),
            (("--listen", "unix:"), "names no socket; write unix:/PATH"),
            (("--listen", "unix:@"), "names no socket"),
            (("--listen", "unix:/" + 108 * "x"), "is too long; a Unix socket has up to 107 bytes"),
        ):
            with Program(SLUICE, "compute", "serve", *flags) as server:
                self.assert_ends(server, 2, err=re.escape(why))

    def test_a_file_that_was_left_is_replaced(self):
        path = f"{self.folder}/left"
        first = self.serve("compute", "serve", "--listen", f"unix:{path}")
        self.stop(first)
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(path)
        second = self.serve("compute", "serve", "--listen", f"unix:{path}")
        with Peer(path) as peer:
            peer.send(b"5\n")
            self.assertEqual(peer.receive(2), b"8\n")
        self.stop(second)

    def test_what_is_used_or_no_socket_is_left_alone(self):
        used, file = f"{self.folder}/used", self.folder / "plain"
        server = self.serve("compute", "serve", "--listen", f"unix:{used}")
        file.write_text("precious")
        for path in (used, file):
            with Program(SLUICE, "compute", "serve", "--listen", f"unix:{path}") as other:
                self.assert_ends(other, 1, err="end the program that has it, or remove the file")
        self.assertEqual(file.read_text(), "precious")
        with Peer(used) as peer:
            peer.send(b"5\n")
            self.assertEqual(peer.receive(2), b"8\n")
        self.stop(server)

    def test_a_killed_server_leaves_no_file(self):
        path = f"{self.folder}/killed"
        server = self.serve("compute", "serve", "--listen", f"unix:{path}")
        server.process.kill()
        wait_until(lambda: not os.path.exists(path), "the file is removed")

    def test_the_file_of_another_is_not_removed(self):
        path = f"{self.folder}/taken"
        server = self.serve("compute", "serve", "--listen", f"unix:{path}")
        os.unlink(path)
        pathlib.Path(path).write_text("another's")
        self.stop(server)
        self.assertEqual(pathlib.Path(path).read_text(), "another's")

    def test_no_directory(self):
        where = f"unix:{self.folder}/none/socket"
        with Program(SLUICE, "compute", "serve", "--listen", where) as server:
            self.assert_ends(server, 1, err="make its directory first")

    def test_a_user_counts_as_an_address(self):
        path = f"{self.folder}/limited"
        server = self.serve(
            "compute", "serve", "--listen", f"unix:{path}", "--max-per-address", 2,
            "--engine", "epoll",
        )  # fmt: skip
        with Peer(path) as one, Peer(path) as two:
            for peer in (one, two):
                peer.send(b"5\n")
                self.assertEqual(peer.receive(2), b"8\n")
            with Peer(path) as three, contextlib.suppress(ConnectionResetError, BrokenPipeError):
                self.assertEqual(three.receive_to_end(), b"")
            said = server.expect_stderr("a client was turned away.*")[0]
            self.assertIn(f"unix:uid={os.getuid()},pid={os.getpid()}", said)
        self.stop(server)

    def test_a_proxy_by_a_unix_socket_is_trusted(self):
        path = f"{self.folder}/proxied"
        server = self.serve(
            "chat", "serve", "--listen", f"unix:{path}", "--trusted-proxy", "unix", "--open",
            "--engine", "epoll",
        )  # fmt: skip
        with Peer(path) as peer:
            peer.send(b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 5000\r\nhello\n")
            self.assertRegex(server.read_line(), "connected from 192.0.2.7:4711")
        self.stop(server)


if __name__ == "__main__":
    unittest.main()
