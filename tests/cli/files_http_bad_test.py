"""The HTTP endpoint under bad input: the right status, and nothing written."""

import contextlib
import ctypes
import os
import select
import socket
import threading
import time
import unittest

from files_http_rig import (
    DATA,
    SMALL,
    HttpServer,
    HttpTest,
    ask,
    on_every_model,
    receive_to_end,
    statuses,
)


LIBC = ctypes.CDLL(None, use_errno=True)
RENAME_EXCHANGE = 2


class Bad(HttpTest):
    def setUp(self):
        super().setUp()
        self.store = self.folder / "store"
        self.server = HttpServer(self.store, "--allow-delete", "--stats")
        self.addCleanup(self.server.__exit__)

    def serve(self):
        """A new one, for a test that ends it."""
        return HttpServer(self.store, "--stats")

    def expect(self, status, request, closes=True):
        """All at once, and byte by byte: the same answer, and nothing is written."""
        if not closes:
            request = request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)
        for pieces in ([request], [request[i : i + 1] for i in range(len(request))]):
            if len(pieces) > 2000:
                continue
            said = self.server.say(*pieces)
            self.assertEqual(statuses(said), [status], (request[:200], said[:500]))
            if status >= 400:
                self.assertIn(b"Connection: close\r\n", said)
                self.assertRegex(said, rb"\r\n\r\n[^\r\n]+\n$", "a sentence says why")
        self.assertEqual(os.listdir(self.store), [])
        self.assertEqual(sorted(os.listdir(self.folder)), ["store"])

    def put(self, path, *lines, body=b"hello"):
        head = b"PUT " + path + b" HTTP/1.1\r\nHost: x\r\n" + b"".join(x + b"\r\n" for x in lines)
        return head + b"\r\n" + body

    def test_paths_that_lead_elsewhere(self):
        length = b"Content-Length: 5"
        for path in (
            b"/../../etc/passwd", b"/..", b"/a/../b", b"/a/./b", b"/%2e%2e/%2e%2e/etc/passwd",
            b"/..%2f..%2fetc%2fpasswd", b"/a%2fb", b"/a%2Fb", b"//etc/passwd", b"/a//b", b"/%00",
            b"/a%00.txt", b"/a%0ab", b"/a%1bb", b"/%ff", b"/%c0%af", b"/%", b"/%2", b"/%zz",
            b"/%e2%80%ae.txt", b"/" + b"x" * 256, b"/a#b",
        ):
            for request in (
                self.put(path, length),
                b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n",
                b"DELETE " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n",
            ):
                self.expect(400, request, closes=False)
        for path in (b"/.hidden", b"/a/.b", b"/.sluice-part-0123", b"/.%2esluice"):
            self.expect(403, self.put(path, length), closes=False)
            self.expect(404, b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n", closes=False)
        self.expect(414, self.put(b"/" + b"x/" * 2100 + b"y", length), closes=False)
        self.expect(414, self.put(b"/" + b"x" * 9000, length), closes=False)

    def test_a_doubly_encoded_path_is_a_name_like_others(self):
        self.assertEqual(self.server.put("/%252e%252e%252fetc", SMALL)[0], 201)
        self.assertEqual(os.listdir(self.store), ["%2e%2e%2fetc"])

    def test_links_devices_and_pipes(self):
        outside = self.folder / "outside"
        outside.mkdir()
        (outside / "secret").write_bytes(b"secret")
        (self.store / "link").symlink_to(outside / "secret")
        (self.store / "dir").symlink_to(outside)
        os.mkfifo(self.store / "pipe")
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(str(self.store / "socket"))
        names = sorted(os.listdir(self.store))
        for path in ("/link", "/dir/secret", "/dir/", "/pipe", "/socket"):
            status, _, body = self.server.get(path)
            self.assertIn(status, (403, 404), path)
            self.assertNotIn(b"secret", body)
        for path in ("/link", "/dir", "/dir/new", "/pipe", "/socket"):
            self.assertIn(self.server.put(path, SMALL)[0], (403, 409), path)
            self.assertIn(self.server.ask("DELETE", path)[0], (403, 404, 409), path)
        self.assertEqual(sorted(os.listdir(self.store)), names)
        self.assertEqual(os.listdir(outside), ["secret"])
        self.assertEqual((outside / "secret").read_bytes(), b"secret")

    def test_a_directory_that_is_swapped_for_a_link_all_the_while_leads_nowhere(self):
        outside = self.folder / "outside"
        outside.mkdir()
        (outside / "a").write_bytes(b"secret")
        real, link = self.store / "dir", self.store / "link"
        real.mkdir()
        (real / "a").write_bytes(SMALL)
        link.symlink_to(outside)
        stop = threading.Event()

        def swap():
            names = os.fsencode(real), os.fsencode(link)
            while not stop.is_set():
                self.assertEqual(LIBC.renameat2(-100, names[0], -100, names[1], RENAME_EXCHANGE), 0)

        swapper = threading.Thread(target=swap)
        swapper.start()
        try:
            with self.server.open() as connection:
                answers = []
                for i in range(1500):
                    status, _, body = ask(connection, "GET", "/dir/a")
                    answers.append(status)
                    self.assertIn((status, body == SMALL), ((200, True), (403, False)))
                    if i % 5 == 0:
                        self.assertIn(ask(connection, "PUT", f"/dir/{i}", SMALL)[0], (201, 403, 409))
        finally:
            stop.set()
            swapper.join()
        self.assertEqual(set(answers), {200, 403})
        self.assertEqual(os.listdir(outside), ["a"])

    def test_lengths_that_contradict_each_other(self):
        self.expect(400, self.put(b"/a", b"Content-Length: 5", b"Content-Length: 5"))
        self.expect(400, self.put(b"/a", b"Content-Length: 5", b"Content-Length: 6"))
        self.expect(400, self.put(b"/a", b"Content-Length: 5, 6"))
        self.expect(400, self.put(b"/a", b"Content-Length: -5"))
        self.expect(400, self.put(b"/a", b"Content-Length: 5", b"Transfer-Encoding: chunked"))
        self.expect(501, self.put(b"/a", b"Transfer-Encoding: gzip"))
        self.expect(411, self.put(b"/a", body=b""), closes=False)

    def test_a_length_that_lies_both_ways(self):
        # Fewer bytes than promised, and the end.
        said = self.server.say(self.put(b"/a", b"Content-Length: 6"), end=True)
        self.assertEqual(statuses(said), [])
        # More: what is left over is a request that is none.
        said = self.server.say(self.put(b"/a", b"Content-Length: 4") + b" x\r\n\r\n")
        self.assertEqual(statuses(said), [201, 400])
        self.assertEqual((self.store / "a").read_bytes(), b"hell")

    def test_heads_that_are_none(self):
        for request in (
            b"GET / HTTP/1.1\nHost: x\n\n", b"GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n",
            b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\nA: \0\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\n\r\n",
            b"GET http:/// HTTP/1.1\r\nHost: x\r\n\r\n", b"GET * HTTP/1.1\r\nHost: x\r\n\r\n",
        ):
            if b"*" in request or b"http:" in request:
                self.expect(400, request, closes=False)
            else:
                self.expect(400, request)
        self.expect(505, b"GET / HTTP/2.0\r\nHost: x\r\n\r\n")
        self.expect(417, self.put(b"/a", b"Content-Length: 5", b"Expect: cake"))
        self.expect(431, b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 4000)

    def test_chunks_that_are_none(self):
        chunked = b"Transfer-Encoding: chunked"
        for body in (
            b"x\r\n", b"5\r\nhelloX", b"5\nhello", b"-1\r\n", b"0x5\r\nhello\r\n", b"5\r\nhello\n",
            b"ffffffffffffffff\r\n", b"00000000000000005\r\nhello", b"0\r\nA b\r\n\r\n",
            b"5;" + b"x" * 1500 + b"\r\n",
        ):
            self.expect(400, self.put(b"/a", chunked, body=body))
        # A flood of the smallest chunks costs time alone.
        flood = self.put(b"/a", chunked, body=b"1\r\nx\r\n" * 200_000 + b"0\r\n\r\n")
        with self.server.dial() as peer:
            peer.sendall(flood)
            self.assertEqual(statuses(peer.recv(4096)), [201])
        self.assertEqual((self.store / "a").read_bytes(), b"x" * 200_000)

    def test_parts_of_uploads_that_make_no_sense(self):
        for said in (
            b"bytes 0-4", b"bytes */*", b"bytes 0-4/*", b"bytes 4-0/9", b"bytes 0-4/4", b"x 0-4/9",
            b"bytes 0-5/9", b"bytes 0-3/9",
        ):
            request = self.put(b"/a", b"Content-Length: 5", b"Content-Range: " + said)
            self.expect(400, request, closes=False)
        self.expect(
            411, self.put(b"/a", b"Transfer-Encoding: chunked", b"Content-Range: bytes 0-4/9",
                          body=b"0\r\n\r\n"), closes=False,
        )

    def test_slow_heads_and_bodies_are_left(self):
        with HttpServer(
            self.store, "--head-time", "300ms", "--body-time", "300ms", "--idle-time", "300ms",
            "--stats",
        ) as server:
            self.assertEqual(statuses(server.say(b"GET / HTTP/1.1\r\n")), [408])
            self.assertEqual(server.say(b""), b"")
            for lines in ((b"Content-Length: 9",), (b"Content-Length: 9000000",),
                          (b"Transfer-Encoding: chunked",)):
                self.assertEqual(statuses(server.say(self.put(b"/a", *lines, body=b"1"))), [408])
            # A reader that never reads.
            (self.store / "big").write_bytes(bytes(64 << 20))
            with server.dial() as peer:
                peer.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
                counted = self.wait_for_slow(server, peer)
            self.assertEqual((counted["slow_heads"], counted["idle"]), (1, 1))
            self.assertEqual(counted["slow_bodies"], 4)
        self.assertEqual(self.visible(self.store), ["big"])

    @on_every_model
    def test_idle_connections_are_closed_under_every_model(self, flags, folder):
        # One after another, others would wait for the first.
        many = 1 if "sync" in flags else 20
        with HttpServer(
            folder, *flags, "--idle-time", "1s", "--stats"
        ) as server, contextlib.ExitStack() as all_peers:
            peers = [all_peers.enter_context(server.dial()) for _ in range(many)]
            for peer in peers:
                peer.sendall(b"GET /none HTTP/1.1\r\nHost: x\r\n\r\n")
                self.assertEqual(statuses(peer.recv(4096)), [404])
            begun = time.monotonic()
            # A client that sends stays connected, in the same idle set as the others.
            while "pool" in flags and time.monotonic() < begun + 1.5:
                peers[0].sendall(b"GET /none HTTP/1.1\r\nHost: x\r\n\r\n")
                self.assertEqual(statuses(peers[0].recv(4096)), [404])
                time.sleep(0.02)
            for peer in reversed(peers):
                self.assertEqual(peer.recv(4096), b"")
            self.assertGreaterEqual(time.monotonic(), begun + 0.6)
            self.assertEqual(server.counters()["idle"], many)

    def test_an_upload_that_stands_still_is_left_under_a_pool(self):
        with HttpServer(
            self.store, "--model", "pool", "--workers", "1", "--body-time", "200ms", "--stats"
        ) as server:
            with server.dial() as peer:
                peer.sendall(self.put(b"/a", b"Content-Length: 30000000", body=bytes(16 << 20)))
                self.assertEqual(statuses(receive_to_end(peer)), [408])
            self.assertEqual(server.counters()["slow_bodies"], 1)

    def wait_for_slow(self, server, peer):
        """Until the server has left it."""
        watcher = select.poll()
        watcher.register(peer, select.POLLRDHUP)
        self.assertTrue(watcher.poll(10_000))
        return server.counters()

    def test_a_trickle_is_too_slow(self):
        with HttpServer(self.store, "--body-time", "500ms", "--min-rate", "1K") as server:
            with server.dial() as peer:
                peer.sendall(self.put(b"/a", b"Content-Length: 5000000", body=b""))
                peer.settimeout(0.05)
                said = b""
                for _ in range(200):
                    try:
                        peer.sendall(b"x")
                        said = peer.recv(4096)
                        break
                    except TimeoutError:
                        continue
                self.assertEqual(statuses(said), [408])

    def test_many_kinds_are_counted(self):
        with self.serve() as server:
            server.say(b"GET / HTTP/1.1\n\n")
            server.say(b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n")
            server.get("/none")
            server.put("/a", DATA)
            server.get("/a")
            counted = server.counters()
        self.assertEqual((counted["bad_requests"], counted["large_heads"]), (1, 1))
        self.assertEqual((counted["requests"], counted["clients"]), (3, 5))
        self.assertEqual((counted["stored"], counted["bytes_stored"]), (1, len(DATA)))
        self.assertEqual((counted["fetched"], counted["bytes_fetched"]), (1, len(DATA)))


if __name__ == "__main__":
    unittest.main()
