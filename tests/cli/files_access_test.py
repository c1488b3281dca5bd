"""Who may do what over HTTP: permissions, foreign pages, names that are not ours, other machines."""

import os
import pathlib
import socket
import subprocess
import tempfile
import unittest

from files_http_rig import SMALL, HttpServer, HttpTest, on_every_model, statuses
from talk_rig import ENVIRONMENT, SLUICE, TIMEOUT, Program


def serve(folder, *flags, **options):
    return HttpServer(folder, *flags, **options)


class Permissions(HttpTest):
    @on_every_model
    def test_read_only_takes_nothing(self, flags, folder):
        (folder / "a").write_bytes(SMALL)
        with serve(folder, *flags, "--read-only", "--stats") as server:
            self.assertEqual(server.get("/a")[2], SMALL)
            for path in ("/a", "/b", "/c/d"):
                status, _, said = server.put(path, SMALL)
                self.assertEqual(status, 403)
                self.assertIn(b"--allow upload", said)
            self.assertEqual(server.ask("DELETE", "/a")[0], 405)
            self.assertEqual(server.ask("OPTIONS", "/a")[1]["Allow"], "GET, HEAD, OPTIONS")
            page = server.get("/", Accept="text/html")[2]
            self.assertNotIn(b'id="drop"', page)
            self.assertNotIn(b"DELETE", page.split(b"<script>")[0])
            self.assertEqual(server.counters()["forbidden"], 4)
        self.assertEqual(os.listdir(folder), ["a"])

    @on_every_model
    def test_only_what_was_said_is_allowed(self, flags, folder):
        (folder / "a").write_bytes(b"old")
        with serve(folder, *flags, "--allow", "upload:/inbox,delete:/out") as server:
            self.assertEqual(server.put("/b", SMALL)[0], 403)
            self.assertEqual(server.put("/inbox/a", SMALL)[0], 201)
            self.assertEqual(server.put("/inbox/sub/a", SMALL)[0], 201)
            status, _, said = server.put("/inbox/a", b"new")
            self.assertEqual(status, 403)
            self.assertIn(b"--allow overwrite", said)
            self.assertEqual(server.put("/inboxes/a", SMALL)[0], 403)
            self.assertEqual(server.ask("DELETE", "/inbox/a")[0], 405)
            (folder / "out").mkdir()
            (folder / "out" / "x").write_bytes(SMALL)
            self.assertEqual(server.ask("DELETE", "/out/x")[0], 204)
            allowed = lambda path: server.ask("OPTIONS", path)[1]["Allow"]
            self.assertEqual(allowed("/a"), "GET, HEAD, OPTIONS")
            self.assertEqual(allowed("/inbox/x"), "GET, HEAD, PUT, OPTIONS")
            self.assertEqual(allowed("/out/x"), "GET, HEAD, DELETE, OPTIONS")
            drop = lambda path: b'id="drop"' in server.get(path, Accept="text/html")[2]
            self.assertEqual([drop("/"), drop("/inbox/"), drop("/out/")], [False, True, False])
        self.assertEqual((folder / "inbox" / "a").read_bytes(), SMALL)
        self.assertEqual((folder / "a").read_bytes(), b"old")

    @on_every_model(but=("sync",))
    def test_a_file_that_comes_meanwhile_is_not_replaced(self, flags, folder):
        with serve(folder, *flags, "--allow", "upload") as server, server.dial() as late:
            late.sendall(
                b"PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
            )
            # It has been let begin before the other comes.
            self.assertEqual(statuses(late.recv(65536)), [100])
            late.sendall(b"hel")
            self.assertEqual(server.put("/a", SMALL)[0], 201)
            late.sendall(b"lo")
            self.assertEqual(statuses(late.recv(65536)), [412])
        self.assertEqual((folder / "a").read_bytes(), SMALL)

    def test_mistakes_are_explained(self):
        for flags, words in (
            (("--allow", "uploads"), "upload, overwrite, delete or all"),
            (("--allow", "upload:/../x"), "upload:/inbox"),
            (("--read-only", "--allow", "upload"), "leave one of them out"),
            (("--read-only", "--allow-delete"), "leave one of them out"),
            (("--read-only", "--raw", "0"), "--read-only takes none"),
            (("--host", "a b"), "files.example.org"),
            (("--host", "a:80"), "files.example.org"),
            (("--cors", "example.org"), "https://example.org"),
        ):
            with self.subTest(flags):
                done = subprocess.run(
                    [SLUICE, "files", "serve", self.folder, *flags], stdin=subprocess.DEVNULL,
                    capture_output=True, env=ENVIRONMENT, timeout=TIMEOUT,
                )
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn(words, done.stderr.decode())

    def test_no_raw_door_is_opened_that_could_take_nothing(self):
        for flags in (("--read-only",), ("--allow", "upload:/inbox")):
            words = ("serve", "--files", self.folder / "store", "--chat", "0", "--http", "0")
            words = (*words, "--compute", "0", *flags)
            with self.subTest(flags), Program(SLUICE, *words) as server:
                where = server.expect_stderr("^files over HTTP on ")
                self.assertNotIn("raw", where.string)
            with self.subTest(flags), Program(SLUICE, *words, "--raw", "0") as server:
                self.assertEqual(server.end()[0], 2)


class Pages(HttpTest):
    @on_every_model
    def test_those_from_elsewhere_change_nothing(self, flags, folder):
        (folder / "a").write_bytes(SMALL)
        with serve(folder, *flags, "--allow", "all", "--stats") as server:
            own = f"http://127.0.0.1:{server.port}"
            foreign = (
                {"Origin": "http://example.org"},
                {"Origin": "null"},
                {"Origin": "http://127.0.0.1:1"},
                {"Sec-Fetch-Site": "cross-site"},
                {"Sec-Fetch-Site": "same-site"},
                {"Sec-Fetch-Site": "cross-site", "Origin": own},
            )
            for headers in foreign:
                for method, path in (("PUT", "/a"), ("PUT", "/b"), ("DELETE", "/a")):
                    body = b"evil" if method == "PUT" else None
                    status, fields, said = server.ask(method, path, body, headers)
                    self.assertEqual(status, 403, headers)
                    self.assertIn(b"--cors", said)
                    self.assertNotIn("Access-Control-Allow-Origin", fields)
                self.assertEqual(server.ask("GET", "/a", None, headers)[0], 200)
            self.assertEqual(os.listdir(folder), ["a"])
            self.assertEqual((folder / "a").read_bytes(), SMALL)
            for headers in ({"Origin": own}, {"Sec-Fetch-Site": "same-origin"}):
                self.assertEqual(server.ask("PUT", "/b", SMALL, headers)[0] // 100, 2)
                self.assertEqual(server.ask("DELETE", "/b", None, headers)[0], 204)
            self.assertEqual(server.counters()["foreign_pages"], 3 * len(foreign))

    def test_those_that_were_named_may(self):
        friend = "https://friend.example"
        with serve(self.folder, "--allow", "upload", "--cors", friend) as server:
            ask = {"Origin": friend, "Access-Control-Request-Method": "PUT"}
            status, fields, _ = server.ask("OPTIONS", "/a", None, ask)
            self.assertEqual(status, 204)
            self.assertEqual(fields["Access-Control-Allow-Origin"], friend)
            self.assertEqual(fields["Access-Control-Allow-Methods"], "GET, HEAD, PUT, OPTIONS")
            self.assertIn("Content-Range", fields["Access-Control-Allow-Headers"])
            sent = {"Origin": friend, "Sec-Fetch-Site": "cross-site"}
            status, fields, _ = server.ask("PUT", "/a", SMALL, sent)
            self.assertEqual((status, fields["Access-Control-Allow-Origin"]), (201, friend))
            for path in ("/a", "/", "/none"):
                fields = server.ask("GET", path, None, sent)[1]
                self.assertEqual(fields["Access-Control-Allow-Origin"], friend)
                self.assertIn("Origin", fields.get_all("Vary"))
            status, fields, _ = server.ask("OPTIONS", "/a", None, {"Origin": "http://other.example"})
            self.assertNotIn("Access-Control-Allow-Origin", fields)
            self.assertNotIn("Access-Control-Allow-Methods", fields)

    @on_every_model
    def test_a_name_that_is_not_ours_is_refused(self, flags, folder):
        (folder / "a").write_bytes(SMALL)
        with serve(folder, *flags, "--host", "files.example.org", "--stats") as server:
            for host in (
                "127.0.0.1", f"localhost:{server.port}", "[::1]", "files.example.org:8080",
                socket.gethostname(), "a",
            ):  # fmt: skip
                self.assertEqual(server.ask("GET", "/a", None, {"Host": host})[0], 200, host)
            for host in ("evil.example", f"evil.example:{server.port}", "127.0.0.1.evil.example"):
                for method in ("GET", "PUT", "DELETE", "OPTIONS"):
                    status, _, said = server.ask(method, "/a", None, {"Host": host})
                    self.assertEqual(status, 421, (host, method))
                    self.assertIn(b"--host", said)
            said = server.say(
                b"GET http://evil.example/a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            )
            self.assertEqual(statuses(said), [421])
            # As long as a head may be, and a request behind it.
            long = b"GET /a HTTP/1.1\r\nHost: " + b"x." * 7500 + b"\r\n\r\n"
            said = server.say(long + b"GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            self.assertEqual(statuses(said), [421, 200])
            self.assertEqual(server.counters()["other_hosts"], 14)


class BeyondThisMachine(unittest.TestCase):
    """On an address that other machines reach, or would."""

    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def start(self, *words):
        server = Program(SLUICE, *words, stdin=subprocess.DEVNULL, cwd=self.folder)
        self.addCleanup(server.__exit__)
        return server

    def refused(self, *words):
        server = self.start(*words)
        status, _, err = server.end()
        self.assertEqual(status, 2, (words, err))
        return err

    def put(self, port, path="/a"):
        client = HttpServer.__new__(HttpServer)
        client.port = port
        return client.put(path, SMALL)[0]

    def test_lines_are_taken_from_nobody_unless_that_was_said(self):
        for words in (
            ("chat", "serve", "--listen"),
            ("compute", "serve", "--listen"),
            ("serve", "--read-only", "--http", "0", "--compute", "0", "--chat"),
            ("serve", "--read-only", "--http", "0", "--chat", "0", "--compute"),
        ):
            with self.subTest(words):
                err = self.refused(*words, "0.0.0.0:0")
                self.assertIn("0.0.0.0:0 would let everybody who can reach it", err)
                self.assertIn("--open", err)
        exec_one = ("compute", "serve", "--listen", "[::]:0", "--exec", "cat")
        self.assertIn("answer", self.refused(*exec_one))
        for words in (("chat", "serve"), ("compute", "serve")):
            server = self.start(*words, "--listen", "0.0.0.0:0", "--open")
            server.expect_stderr(r"^listening on 0\.0\.0\.0:\d+")
            server.expect_stderr(r"warning: 0\.0\.0\.0:\d+ is open to everybody who can reach it")

    def test_files_are_given_and_taken_only_if_that_was_said(self):
        for flags, status in (
            ((), 403),
            (("--allow", "upload:/inbox"), 403),
            (("--allow", "upload"), 201),
            (("--open",), 201),
        ):
            with self.subTest(flags), tempfile.TemporaryDirectory() as folder:
                server = self.start("files", "serve", folder, "--http", "0.0.0.0:0", *flags)
                port = int(server.expect_stderr(r"^listening on 0\.0\.0\.0:(\d+)")[1])
                server.expect_stderr(r"warning: .* they may read all files")
                self.assertEqual(self.put(port), status)

    def test_streams_are_taken_only_if_that_was_said(self):
        for words in (("files", "serve", self.folder), ("serve", "--http", "0", "--chat", "0")):
            err = self.refused(*words, "--raw", "0.0.0.0:0")
            self.assertIn("--allow upload", err)
        for flags in (("--allow", "upload"), ("--open",), ("--discard",)):
            server = self.start("files", "serve", self.folder, "--raw", "0.0.0.0:0", *flags)
            server.expect_stderr(r"^listening on 0\.0\.0\.0:\d+")


if __name__ == "__main__":
    unittest.main()
