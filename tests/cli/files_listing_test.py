"""Directories by HTTP: in pages, in pieces, with a validator, and at little cost."""

import contextlib
import json
import os
import pathlib
import socket
import time
import unittest

from talk_rig import sanitized
from files_http_rig import SMALL, TIMEOUT, HttpServer, HttpTest, on_every_model, receive_to_end

MANY = 10_000


def name_of(i):
    return f"{i:05}-" + "a-name-of-some-length-" * 8


class Listings(HttpTest):
    def fill(self, count=MANY):
        for i in range(count):
            os.close(os.open(self.folder / name_of(i), os.O_CREAT | os.O_WRONLY))

    @on_every_model
    def test_a_listing_has_a_validator_and_says_what_may_be_done_with_it(self, flags, folder):
        (folder / "a").write_bytes(SMALL)
        with HttpServer(folder, *flags) as server:
            for form in ("", "?format=json"):
                status, fields, body = server.get("/" + form)
                self.assertEqual(status, 200)
                self.assertEqual(fields["X-Content-Type-Options"], "nosniff")
                self.assertIn("frame-ancestors 'none'", fields["Content-Security-Policy"])
                self.assertEqual(fields["Cache-Control"], "no-cache")
                tag = fields["ETag"]
                status, fields, body = server.get("/" + form, If_None_Match=tag)
                self.assertEqual((status, fields["ETag"], body), (304, tag, b""))
                status, fields, body = server.ask("HEAD", "/" + form)
                length = len(server.get("/" + form)[2])
                self.assertEqual((fields["Content-Length"], body), (str(length), b""))
                server.put("/b" + form[-1:], SMALL)
                status, fields, body = server.get("/" + form, If_None_Match=tag)
                self.assertEqual(status, 200)
                self.assertNotEqual(fields["ETag"], tag)
                self.assertIn(("b" + form[-1:]).encode(), body)

    def test_names_that_cannot_be_listed_are_counted(self):
        for name in (b"\xff", b"a\x01b", b"good"):
            os.close(os.open(os.fsencode(self.folder) + b"/" + name, os.O_CREAT | os.O_WRONLY))
        with HttpServer(self.folder) as server:
            found = json.loads(server.get("/?format=json")[2])
            self.assertEqual([each["name"] for each in found["entries"]], ["good"])
            self.assertEqual(found["unlisted"], 2)
            self.assertIn(b"2 names not shown", server.get("/")[2])

    def test_a_large_directory_has_pages(self):
        self.fill(2500)
        with HttpServer(self.folder, "--max-listing", "2400") as server:
            found = json.loads(server.get("/?format=json")[2])
            names = [each["name"] for each in found["entries"]]
            self.assertEqual((len(names), found["omitted"]), (2400, 100))
            self.assertEqual(names, sorted(names))
            third = json.loads(server.get("/?format=json&page=3")[2])
            self.assertEqual([each["name"] for each in third["entries"]], names[2000:])
            self.assertEqual((third["page"], third["pages"]), (3, 3))
            page = server.get("/")[2].decode()
            self.assertEqual(page.count("<tr"), 1001)
            self.assertIn("Page 1 of 3", page)
            self.assertIn('href="?page=2"', page)
            self.assertEqual(server.get("/?page=4")[0], 404)
            for wrong in ("0", "-1", "x", ""):
                self.assertEqual(server.get(f"/?page={wrong}")[0], 400)

    @unittest.skipIf(sanitized(), "its memory is not the program's alone")
    def test_readers_that_read_nothing_cost_little(self):
        self.fill()
        with HttpServer(self.folder, "--engine", "epoll") as server, contextlib.ExitStack() as kept:
            status = pathlib.Path(f"/proc/{server.process.pid}/status")

            def memory():
                for line in status.read_text().splitlines():
                    if line.startswith("RssAnon"):
                        return int(line.split()[1]) * 1024

            whole = len(server.get("/?format=json")[2])
            before = memory()
            for _ in range(60):
                peer = kept.enter_context(socket.socket())
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                peer.connect(("127.0.0.1", server.port))
                peer.sendall(b"GET /?format=json HTTP/1.1\r\nHost: x\r\n\r\n")
                self.assertIn(b" 200 ", peer.recv(100))
            # A client after them is answered as if they were not there.
            self.assertEqual(len(server.get("/?format=json")[2]), whole)
            # 150 KB each, and what they share; as a whole it was 3 MB each.
            self.assertLess(memory() - before, 60 * 150_000 + 8_000_000)

    def test_a_slow_reader_is_given_all_of_it_as_long_as_it_reads(self):
        self.fill()
        with contextlib.ExitStack() as kept:
            peers = {}
            servers = [
                kept.enter_context(HttpServer(self.folder, "--body-time", "3s", *flags))
                for flags in (("--engine", "epoll"), ("--engine", "uring"), ("--model", "thread"))
            ]
            # Not before all of them run: on a busy machine that takes seconds.
            for server in servers:
                peer = kept.enter_context(socket.socket())
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                peer.settimeout(TIMEOUT)
                peer.connect(("127.0.0.1", server.port))
                peer.sendall(
                    b"GET /?format=json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
                )
                peers[peer] = bytearray()
            began = time.monotonic()
            while time.monotonic() - began < 5:
                for peer, data in peers.items():
                    data += peer.recv(4096)
                time.sleep(0.005)
            for peer, data in peers.items():
                data += receive_to_end(peer)
                body = data.split(b"\r\n\r\n", 1)[1]
                self.assertEqual(len(json.loads(body)["entries"]), MANY)


if __name__ == "__main__":
    unittest.main()
