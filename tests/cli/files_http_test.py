"""The HTTP endpoint of `sluice files serve`: what it does with files, under every model."""

import concurrent.futures
import email.utils
import fcntl
import hashlib
import json
import os
import pathlib
import re
import signal
import socket
import threading
import time
import unittest

from files_http_rig import (
    DATA, SMALL, TIMEOUT, HttpServer, HttpTest, ask, digest_of, on_every_model, receive_to_end,
    statuses,
)  # fmt: skip
from talk_rig import wait_until


class EveryModel(HttpTest):
    @on_every_model
    def test_a_file_goes_in_and_comes_out(self, flags, folder):
        with HttpServer(folder / "made", *flags) as server:
            for name, data in (("a.bin", DATA), ("small.txt", SMALL), ("empty", b"")):
                status, fields, body = server.put(f"/dir/{name}", data)
                self.assertEqual((status, body), (201, b""))
                self.assertEqual(fields["Location"], f"/dir/{name}")
                self.assertEqual(fields["Repr-Digest"], digest_of(data))
                tag = fields["ETag"]
                self.assertIn(f"Received {len(data)} bytes from [Client ", server.read_line())
                status, fields, body = server.get(f"/dir/{name}")
                self.assertEqual((status, len(body), body == data), (200, len(data), True))
                self.assertEqual((fields["ETag"], fields["Repr-Digest"]), (tag, digest_of(data)))
                self.assertEqual(fields["Accept-Ranges"], "bytes")
            status, fields, _ = server.put("/dir/a.bin", SMALL)
            self.assertEqual((status, fields["Content-Length"]), (204, None))
            self.assertEqual((folder / "made/dir/a.bin").read_bytes(), SMALL)
            self.assertEqual(sorted(os.listdir(folder / "made")), ["dir"])
            server.signal(signal.SIGTERM)
            self.assertEqual(server.end()[0], 0)

    @on_every_model
    def test_a_connection_carries_many_requests_and_pipelined_ones(self, flags, folder):
        (folder / "a").write_bytes(SMALL)
        (folder / "big").write_bytes(DATA)
        with HttpServer(folder, *flags) as server:
            with server.open() as connection:
                for name, data in (("a", SMALL), ("big", DATA), ("a", SMALL)):
                    status, _, body = ask(connection, "GET", f"/{name}")
                    self.assertTrue((status, body) == (200, data))
                self.assertEqual(ask(connection, "PUT", "/b", DATA)[0], 201)
                self.assertEqual(ask(connection, "GET", "/none")[0], 404)
                self.assertTrue(ask(connection, "GET", "/b")[2] == DATA)
            get = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
            put = b"PUT /c HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
            last = b"GET /c HTTP/1.0\r\n\r\n"
            said = server.say(get * 50 + put + b"\r\n" + get + last)
            self.assertEqual(statuses(said), [200] * 50 + [201, 200, 200])
            self.assertEqual(said.count(SMALL), 51)
            self.assertTrue(said.endswith(b"\r\n\r\nhello"))

    @on_every_model
    def test_chunks_of_every_size_make_one_file(self, flags, folder):
        head = b"PUT /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        sizes = [1] * 20_000 + [70_000, 1, 4095, 2, 4096, 3, 4097] + [*range(1, 300)] + [1] * 5
        body, first = b"", 0
        for size in sizes:
            body += b"%x\r\n" % size + DATA[first : first + size] + b"\r\n"
            first += size
        with HttpServer(folder, *flags) as server:
            self.assertEqual(statuses(server.say(head + body + b"0\r\n\r\n")), [201])
            self.assertTrue((folder / "a").read_bytes() == DATA[:first])

    @on_every_model
    def test_eight_uploads_and_sixteen_downloads_at_once(self, flags, folder):
        with HttpServer(folder, *flags) as server, concurrent.futures.ThreadPoolExecutor(
            8
        ) as pool:
            texts = [bytes([65 + i]) * (1_000_000 + i) for i in range(8)]
            put = pool.map(lambda i: server.put(f"/{i}", texts[i])[0], range(8))
            self.assertEqual(list(put), [201] * 8)
            got = pool.map(lambda i: server.get(f"/{i % 8}")[2] == texts[i % 8], range(16))
            self.assertTrue(all(got))

    def test_more_uploads_than_threads_go_on_side_by_side(self):
        size, step = 100_000_000, bytes(1_000_000)
        large = 10 * size
        sent, all_are_done = [0] * 2, threading.Event()
        with HttpServer(self.folder, "--model", "pool", "--workers", "2") as server:

            def head(name, length):
                text = f"PUT /{name} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"
                return text.encode()

            def keep_on(i):
                """As fast as it can, until the others are done."""
                with server.dial() as peer:
                    peer.sendall(head(f"large-{i}", large))
                    while sent[i] < large and not all_are_done.is_set():
                        peer.sendall(step)
                        sent[i] += len(step)

            def upload(i):
                with server.dial() as peer:
                    peer.sendall(head(i, size))
                    for _ in range(size // len(step)):
                        peer.sendall(step)
                    return statuses(peer.recv(4096))

            with concurrent.futures.ThreadPoolExecutor(6) as pool:
                greedy = [pool.submit(keep_on, i) for i in range(2)]
                wait_until(lambda: min(sent) > 0, "both threads have an upload")
                try:
                    self.assertEqual(list(pool.map(upload, range(4))), [[201]] * 4)
                finally:
                    all_are_done.set()
                # A thread for each to its end would have kept the four out.
                self.assertLess(max(sent), large)
                for each in greedy:
                    each.result()

    @on_every_model
    def test_a_client_that_vanishes_leaves_nothing(self, flags, folder):
        with HttpServer(folder, *flags) as server:
            with server.dial() as peer:
                peer.sendall(b"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n")
                peer.sendall(DATA[:1_000_000])
            self.assertRegex(server.read_line(), r"^Lost \[Client 1\] after \d+ bytes of a: ")
            self.assertEqual(os.listdir(folder), [])
            with server.dial() as peer:
                peer.sendall(b"GET / HTTP/1.1\r\n")
            self.assertEqual(server.put("/a", DATA)[0], 201)

    # One after another, the second would never be served.
    @on_every_model(but=("sync",))
    def test_draining_closes_idle_connections_and_finishes_what_runs(self, flags, folder):
        with HttpServer(folder, *flags) as server, server.dial() as idle, server.dial() as busy:
            idle.sendall(b"GET /none HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertIn(b"404", idle.recv(4096))
            busy.sendall(
                b"PUT /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                b"Content-Length: 1000\r\n\r\n"
            )
            self.assertEqual(busy.recv(25), b"HTTP/1.1 100 Continue\r\n\r\n")
            server.signal(signal.SIGTERM)
            self.assertEqual(receive_to_end(idle), b"")
            # Each client's thread, process or shard learns of the stop on its own.
            server.wait_asleep()
            busy.sendall(bytes(1000))
            said = receive_to_end(busy)
            self.assertEqual(statuses(said), [201])
            self.assertIn(b"Connection: close\r\n", said)
            self.assertEqual(server.end()[0], 0)

    @on_every_model
    def test_the_summary_counts_those_who_were_here_at_a_time(self, flags, folder):
        for many in (0, 1):
            with HttpServer(folder, *flags) as server:
                for _ in range(many):
                    self.assertEqual(server.put("/a", SMALL)[0], 201)
                server.signal(signal.SIGTERM)
                status, _, errors = server.end()
                self.assertEqual(status, 0)
                self.assertIn(f"served {many} clients, {many} at most at a time", errors)


class Files(HttpTest):
    def setUp(self):
        super().setUp()
        self.server = HttpServer(self.folder, "--allow-delete")
        self.addCleanup(self.server.__exit__)

    def test_parts_are_sent(self):
        self.server.put("/a", DATA)
        size = len(DATA)
        for asked, first, last in (
            ("0-9", 0, 9), ("100000-2999999", 100_000, 2_999_999), ("3000000-", 3_000_000, size - 1),
            ("-1", size - 1, size - 1), ("0-99999999999999999999", 0, size - 1),
        ):
            status, fields, body = self.server.get("/a", Range=f"bytes={asked}")
            self.assertEqual((status, fields["Content-Range"]), (206, f"bytes {first}-{last}/{size}"))
            self.assertTrue(body == DATA[first : last + 1])
        for asked in (f"{size}-", "-0"):
            status, fields, _ = self.server.get("/a", Range=f"bytes={asked}")
            self.assertEqual((status, fields["Content-Range"]), (416, f"bytes */{size}"))
        for asked in ("bytes=9-0", "lines=0-1", "bytes=x", "bytes=" + ",".join(f"{i}-{i}" for i in range(0, 400, 2))):
            status, _, body = self.server.get("/a", Range=asked)
            self.assertTrue((status, body) == (200, DATA), asked)
        status, fields, body = self.server.ask("HEAD", "/a", None, {"Range": "bytes=0-9"})
        self.assertEqual((status, fields["Content-Length"], body), (200, str(size), b""))

    def test_several_parts_are_sent_in_one_answer(self):
        self.server.put("/a.txt", DATA)
        spans = [(0, 9), (100_000, 200_000), (len(DATA) - 5, len(DATA) - 1)]
        asked = ",".join(f"{first}-{last}" for first, last in spans)
        status, fields, body = self.server.get("/a.txt", Range=f"bytes={asked}")
        self.assertEqual((status, len(body)), (206, int(fields["Content-Length"])))
        boundary = re.fullmatch(r"multipart/byteranges; boundary=(\S+)", fields["Content-Type"])[1]
        parts = body.split(f"--{boundary}".encode())
        self.assertEqual((parts[0], parts[-1]), (b"", b"--\r\n"))
        for part, (first, last) in zip(parts[1:-1], spans, strict=True):
            head, _, data = part.partition(b"\r\n\r\n")
            self.assertIn(f"Content-Range: bytes {first}-{last}/{len(DATA)}".encode(), head)
            self.assertIn(b"Content-Type: text/plain", head)
            self.assertTrue(data == DATA[first : last + 1] + b"\r\n")
        status, fields, body = self.server.get("/a.txt", Range="bytes=0-9,5-20,10-30")
        self.assertEqual(fields["Content-Range"], f"bytes 0-30/{len(DATA)}")

    def test_two_hundred_ranges_at_once_are_all_right(self):
        self.server.put("/a", DATA)
        step = len(DATA) // 200

        def fetch(i):
            status, _, body = self.server.get("/a", Range=f"bytes={i * step}-{(i + 1) * step - 1}")
            return status == 206 and body == DATA[i * step : (i + 1) * step]

        with concurrent.futures.ThreadPoolExecutor(50) as pool:
            self.assertTrue(all(pool.map(fetch, range(200))))

    def test_conditions_of_reading(self):
        _, fields, _ = self.server.put("/a", SMALL)
        tag = fields["ETag"]
        _, fields, _ = self.server.get("/a")
        changed = fields["Last-Modified"]
        before = email.utils.formatdate(time.time() - 86400, usegmt=True)
        for wanted, field, value in (
            (304, "If-None-Match", tag), (304, "If-None-Match", f'"x", W/{tag}'),
            (304, "If-None-Match", "*"), (200, "If-None-Match", '"x"'),
            (304, "If-Modified-Since", changed), (200, "If-Modified-Since", before),
            (200, "If-Modified-Since", "rubbish"), (200, "If-Match", tag), (200, "If-Match", "*"),
            (412, "If-Match", f"W/{tag}"), (412, "If-Match", '"x"'),
            (412, "If-Unmodified-Since", before), (200, "If-Unmodified-Since", changed),
        ):
            status, fields, body = self.server.ask("GET", "/a", None, {field: value})
            self.assertEqual(status, wanted, (field, value))
            if status == 304:
                self.assertEqual((fields["ETag"], body), (tag, b""))
        for wanted, value in ((206, tag), (200, '"x"'), (200, f"W/{tag}"), (200, before)):
            status, _, _ = self.server.get("/a", Range="bytes=0-1", If_Range=value)
            self.assertEqual(status, wanted, value)
        # Both, and the tag alone counts.
        both = {"If-None-Match": '"x"', "If-Modified-Since": changed}
        self.assertEqual(self.server.ask("GET", "/a", None, both)[0], 200)

    def test_conditions_of_writing(self):
        self.assertEqual(self.server.put("/a", SMALL, If_Match="*")[0], 412)
        self.assertEqual(self.visible(), [])
        status, fields, _ = self.server.put("/a", SMALL, If_None_Match="*")
        self.assertEqual(status, 201)
        self.assertEqual(self.server.put("/a", b"other", If_None_Match="*")[0], 412)
        self.assertEqual(self.server.put("/a", b"other", If_Match='"x"')[0], 412)
        self.assertEqual((self.folder / "a").read_bytes(), SMALL)
        self.assertEqual(self.server.put("/a", b"other", If_Match=fields["ETag"])[0], 204)
        self.assertEqual(self.server.ask("DELETE", "/a", None, {"If-Match": fields["ETag"]})[0], 412)
        self.assertEqual((self.folder / "a").read_bytes(), b"other")

    def test_a_change_while_an_upload_is_on_its_way_is_noticed(self):
        for condition, status in ((b"If-None-Match: *", 412), (b"If-Match: TAG", 412)):
            tag = b""
            if b"TAG" in condition:
                tag = self.server.put("/b", b"1")[1]["ETag"].encode()
            with self.server.dial() as peer:
                peer.sendall(
                    b"PUT /b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n"
                    + condition.replace(b"TAG", tag) + b"\r\n\r\n"
                )
                self.assertEqual(peer.recv(25), b"HTTP/1.1 100 Continue\r\n\r\n")
                self.assertIn(self.server.put("/b", b"mine")[0], (201, 204))
                peer.sendall(b"yours")
                self.assertEqual(statuses(peer.recv(4096)), [status])
            self.assertEqual((self.folder / "b").read_bytes(), b"mine")
            self.server.ask("DELETE", "/b")

    def test_of_two_conditional_uploads_one_wins(self):
        for flags, sync in (((), False), ((), True), (("--model", "fork"), False),
                            (("--model", "thread"), True)):  # fmt: skip
            with self.subTest(flags=flags, sync=sync), HttpServer(
                self.folder, *flags, sync=sync
            ) as server:
                for _ in range(5):
                    tag = server.put("/b", b"before")[1]["ETag"]
                    for name, condition in (("b", f"If-Match: {tag}"), ("new", "If-None-Match: *")):
                        (self.folder / "new").unlink(missing_ok=True)
                        self.race(server, name, condition)

    def race(self, server, name, condition):
        head = (
            f"PUT /{name} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
            f"Expect: 100-continue\r\n{condition}\r\n\r\n"
        )
        with server.dial() as one, server.dial() as other:
            for peer in (one, other):
                peer.sendall(head.encode())
                self.assertEqual(peer.recv(25), b"HTTP/1.1 100 Continue\r\n\r\n")
                peer.sendall(b"mine")
            one.sendall(b"1")
            other.sendall(b"2")
            said = [statuses(peer.recv(4096))[0] for peer in (one, other)]
        winner = said.index(min(said))
        self.assertEqual(said[1 - winner], 412)
        self.assertIn(said[winner], (201, 204))
        self.assertEqual((self.folder / name).read_bytes(), (b"mine1", b"mine2")[winner])

    def test_a_directory_that_another_process_locks_is_waited_for(self):
        tag = self.server.put("/b", b"before")[1]["ETag"]
        held = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(held, fcntl.LOCK_EX)
            with self.server.dial() as peer:
                peer.sendall(
                    b"PUT /b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nIf-Match: "
                    + tag.encode() + b"\r\n\r\nafter"
                )
                # Others are served meanwhile.
                self.assertEqual(self.server.get("/b")[2], b"before")
                peer.settimeout(0.2)
                self.assertRaises(TimeoutError, peer.recv, 4096)
                fcntl.flock(held, fcntl.LOCK_UN)
                peer.settimeout(TIMEOUT)
                self.assertEqual(statuses(peer.recv(4096)), [204])
        finally:
            os.close(held)
        self.assertEqual((self.folder / "b").read_bytes(), b"after")

    def test_digests_are_checked_before_a_file_gets_its_name(self):
        status, fields, _ = self.server.put("/a", DATA, Repr_Digest=digest_of(DATA))
        self.assertEqual((status, fields["Repr-Digest"]), (201, digest_of(DATA)))
        status, _, body = self.server.put("/a", DATA, Repr_Digest=digest_of(b"other"))
        self.assertEqual(status, 422)
        self.assertIn(b"SHA-256", body)
        self.assertEqual(self.server.put("/b", SMALL, Repr_Digest=digest_of(b"other"))[0], 422)
        self.assertEqual(self.server.put("/b", SMALL, Repr_Digest="sha-256=:x:")[0], 400)
        self.assertEqual(self.visible(), ["a"])
        self.assertTrue((self.folder / "a").read_bytes() == DATA)
        # In a trailer, too.
        for digest, wanted in ((digest_of(SMALL), 201), (digest_of(b"other"), 422)):
            said = self.server.say(
                b"PUT /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n"
                b"\r\nd\r\n" + SMALL + b"\r\n0\r\nRepr-Digest: " + digest.encode() + b"\r\n\r\n"
            )
            self.assertEqual(statuses(said), [wanted])
            (self.folder / "c").unlink(missing_ok=True)

    def test_the_answer_to_a_large_upload_has_its_digest(self):
        large = DATA * 25
        self.assertGreater(len(large), 64 << 20)
        for flags, sync, has_it in (
            ((), True, True),
            (("--model", "fork"), True, True),
            (("--digest-always",), False, True),
            ((), False, False),
        ):
            with self.subTest(flags=flags, sync=sync), HttpServer(
                self.folder, *flags, sync=sync
            ) as server:
                _, fields, _ = server.put("/large", large)
                self.assertEqual(fields["Repr-Digest"], digest_of(large) if has_it else None)
                if has_it:
                    self.assertEqual(server.get("/large")[1]["Repr-Digest"], digest_of(large))
                    self.assertIn(f"(sha256 {hashlib.sha256(large).hexdigest()})", server.read_line())
                wanted = "sha-256=1"
                _, fields, _ = server.put("/large", large, Want_Repr_Digest=wanted)
                self.assertEqual(fields["Repr-Digest"], digest_of(large))
                status, _, _ = server.put("/large", large, Repr_Digest=digest_of(b"other"))
                self.assertEqual(status, 422)

    def test_a_large_part_that_ends_an_upload_has_the_digest_of_all(self):
        large = DATA * 25
        with HttpServer(self.folder, sync=True) as server:
            half, end = len(large) // 2, len(large) - 1
            for first, last, status in ((0, half, 308), (half + 1, end, 201)):
                answer = server.put(
                    "/a",
                    large[first : last + 1],
                    Content_Range=f"bytes {first}-{last}/{len(large)}",
                )
                self.assertEqual(answer[0], status)
            self.assertEqual(answer[1]["Repr-Digest"], digest_of(large))

    def test_the_digest_of_a_file_of_another_program_is_computed_on_request(self):
        (self.folder / "a").write_bytes(DATA)
        self.assertIsNone(self.server.get("/a")[1]["Repr-Digest"])
        _, fields, _ = self.server.get("/a", Want_Repr_Digest="sha-256=1")
        self.assertEqual(fields["Repr-Digest"], digest_of(DATA))
        # It is kept, and not for a file that has changed.
        (self.folder / "a").write_bytes(SMALL)
        self.assertIsNone(self.server.get("/a")[1]["Repr-Digest"])

    def test_chunked_bodies(self):
        said = self.server.say(
            b"PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"5\r\nhel", b"lo\r", b"\n7;ext=1\r\n, world\r\n0\r\nX: y\r\n\r\n",
            b"GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        )
        self.assertEqual(statuses(said), [201, 200])
        self.assertTrue(said.endswith(b"\r\n\r\nhello, world"))
        pieces = iter([DATA[i : i + 100_000] for i in range(0, len(DATA), 100_000)])
        status, fields, _ = self.server.ask("PUT", "/b", pieces)
        self.assertEqual((status, fields["Repr-Digest"]), (201, digest_of(DATA)))
        self.assertTrue((self.folder / "b").read_bytes() == DATA)
        self.assertEqual((self.folder / "b").stat().st_blocks * 512 // 10**6, 3)

    def test_directories(self):
        self.server.put("/dir/a%20b%25.txt", SMALL)
        (self.folder / "dir/.hidden").write_bytes(b"")
        (self.folder / "dir/link").symlink_to("/etc/passwd")
        status, fields, _ = self.server.get("/dir?x=1")
        self.assertEqual((status, fields["Location"]), (301, "/dir/?x=1"))
        for path, accept in (("/dir/", "application/json"), ("/dir/?format=json", "text/html")):
            status, fields, body = self.server.get(path, Accept=accept)
            self.assertEqual((status, fields["Content-Type"]), (200, "application/json"))
            found = json.loads(body)
            self.assertEqual(found["path"], "/dir/")
            self.assertEqual([each["name"] for each in found["entries"]], ["a b%.txt"])
            self.assertEqual(found["entries"][0]["size"], len(SMALL))
        status, fields, body = self.server.get("/", Accept="text/html,application/json;q=0.9")
        self.assertEqual((status, fields["Content-Type"]), (200, "text/html; charset=utf-8"))
        self.assertIn(b"dir", body)
        self.assertEqual(self.server.ask("HEAD", "/")[2], b"")
        self.assertEqual(self.server.get("/none/")[0], 404)
        self.assertEqual(self.server.put("/dir/", SMALL)[0], 409)
        self.assertEqual(self.server.put("/dir", SMALL)[0], 409)
        self.assertEqual(self.server.put("/dir/a%20b%25.txt/c", SMALL)[0], 409)
        self.assertEqual(self.server.get("/dir/a%20b%25.txt/")[0], 404)

    def test_deleting_is_allowed_by_a_flag_alone(self):
        self.server.put("/dir/a", SMALL)
        self.assertEqual(self.server.ask("DELETE", "/dir")[0], 409)
        self.assertEqual(self.server.ask("DELETE", "/dir/")[0], 409)
        self.assertEqual(self.server.ask("DELETE", "/dir/a")[0], 204)
        self.assertEqual(self.server.ask("DELETE", "/dir/a")[0], 404)
        (self.folder / "b").write_bytes(SMALL)
        with HttpServer(self.folder) as careful:
            status, fields, _ = careful.ask("DELETE", "/b")
            self.assertEqual((status, fields["Allow"]), (405, "GET, HEAD, PUT, OPTIONS"))
        self.assertEqual(self.visible(), ["b", "dir"])

    def test_other_methods(self):
        status, fields, _ = self.server.ask("OPTIONS", "*")
        self.assertEqual((status, fields["Allow"]), (204, "GET, HEAD, PUT, DELETE, OPTIONS"))
        for method in ("POST", "PATCH", "TRACE"):
            self.assertEqual(self.server.ask(method, "/a", b"x")[0], 405)
        self.assertEqual(self.server.ask("BREW", "/pot")[0], 501)

    def test_names_for_saving_and_types(self):
        self.server.put("/gr%C3%BCn.html", SMALL)
        _, fields, _ = self.server.get("/gr%C3%BCn.html?download")
        self.assertEqual(
            fields["Content-Disposition"],
            "attachment; filename=\"gr__n.html\"; filename*=UTF-8''gr%C3%BCn.html",
        )
        self.assertEqual(fields["Content-Type"], "text/html; charset=utf-8")
        self.assertEqual(fields["X-Content-Type-Options"], "nosniff")

    def test_what_was_uploaded_runs_no_scripts(self):
        self.server.put("/page.html", b"<script>document.title = 1</script>")
        for name in ("a.svg", "a.txt", "unknown"):
            self.server.put(f"/{name}", SMALL)
        for path, headers, wanted in (
            ("/page.html", {}, 200), ("/a.svg", {}, 200), ("/a.txt", {}, 200), ("/unknown", {}, 200),
            ("/page.html", {"Range": "bytes=0-1"}, 206), ("/page.html", {"Range": "bytes=0-1,4-5"}, 206),
        ):  # fmt: skip
            for method in ("GET", "HEAD"):
                status, fields, _ = self.server.ask(method, path, None, headers)
                self.assertEqual(status, wanted if method == "GET" else 200)
                self.assertEqual(fields["Content-Security-Policy"], "sandbox", path)
                self.assertEqual(fields["X-Content-Type-Options"], "nosniff", path)
        # Browsers show these in a page of their own, which a sandbox would forbid.
        self.server.put("/a.pdf", SMALL)
        _, fields, _ = self.server.get("/a.pdf")
        self.assertIsNone(fields["Content-Security-Policy"])
        self.assertEqual(fields["X-Content-Type-Options"], "nosniff")
        # The page of a directory has scripts, and a policy of its own.
        status, fields, body = self.server.get("/", Accept="text/html")
        policy = fields["Content-Security-Policy"]
        self.assertEqual((status, policy), (200, "frame-ancestors 'none'"))
        self.assertIn(b"Content-Security-Policy", body)

    def test_what_was_uploaded_last_wins_and_no_reader_sees_a_mixture(self):
        texts = [bytes([65 + i]) * 2_000_000 for i in range(4)]
        mixtures = []

        def look():
            status, _, body = self.server.get("/a")
            if status == 200 and body not in texts:
                mixtures.append(len(body))

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            done = [pool.submit(self.server.put, "/a", texts[i % 4]) for i in range(16)]
            done += [pool.submit(look) for _ in range(16)]
            for each in done:
                each.result()
        self.assertEqual(mixtures, [])
        self.assertIn((self.folder / "a").read_bytes(), texts)
        self.assertEqual(os.listdir(self.folder), ["a"])

    def test_a_body_that_will_be_refused_is_not_asked_for(self):
        with HttpServer(self.folder, "--max-size", "1M") as server:
            head = b"PUT %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n"
            for path, length, wanted in (
                (b"/a", 2 << 20, 413), (b"/..", 5, 400), (b"/.x", 5, 403), (b"/dir/", 5, 409),
            ):
                self.assertEqual(statuses(server.say(head % (path, length))), [wanted])
            # Without waiting for it, the answer arrives all the same.
            self.assertEqual(server.put("/a", DATA)[0], 413)
            pieces = iter([DATA[i : i + 100_000] for i in range(0, len(DATA), 100_000)])
            self.assertEqual(server.ask("PUT", "/a", pieces)[0], 413)
            self.assertEqual(server.put("/a", bytes(1 << 20))[0], 201)
        self.assertEqual(self.visible(), ["a"])

    def test_both_endpoints_share_the_store(self):
        with HttpServer(self.folder, "--raw", "127.0.0.1:0") as server:
            raw = int(server.expect_stderr(r"^listening on 127\.0\.0\.1:(\d+) \(")[1])
            with socket.create_connection(("127.0.0.1", raw)) as peer:
                peer.sendall(DATA)
                peer.shutdown(socket.SHUT_WR)
                self.assertEqual(peer.recv(1), b"")
            name = re.search(r" as (\S+) ", server.read_line())[1]
            _, fields, body = server.get(f"/{name}")
            self.assertTrue(body == DATA)
            self.assertEqual(fields["Repr-Digest"], digest_of(DATA))

    def test_a_file_that_shrinks_while_it_is_sent_ends_the_connection(self):
        path = pathlib.Path(self.folder, "a")
        path.write_bytes(bytes(64 << 20))
        with self.server.dial() as peer:
            peer.sendall(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
            head = peer.recv(4096)
            self.assertIn(b"Content-Length: 67108864\r\n", head)
            os.truncate(path, 1 << 20)
            self.assertLess(len(receive_to_end(peer)), 64 << 20)


if __name__ == "__main__":
    unittest.main()
