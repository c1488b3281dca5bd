"""Requests that come together, break off or go on: what is answered, in order, and to its end."""

import os
import random
import select
import socket
import time
import unittest

from files_http_rig import (
    DATA,
    SMALL,
    HttpServer,
    HttpTest,
    digest_of,
    on_every_model,
    receive_to_end,
    statuses,
)


def get(path, *lines, method=b"GET"):
    head = [method + b" " + path + b" HTTP/1.1", b"Host: x", *lines]
    return b"\r\n".join(head) + b"\r\n\r\n"


def put(path, body, *lines, length=None):
    return get(path, b"Content-Length: %d" % (length or len(body)), *lines, method=b"PUT") + body


def receive_answer(peer):
    """One answer with its body, from a server that keeps the connection."""
    said = b""
    while b"\r\n\r\n" not in said:
        said += peer.recv(1)
    left = int(said.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    while left > 0:
        more = peer.recv(left)
        said, left = said + more, left - len(more)
    return said


class Order(HttpTest):
    @on_every_model
    def test_any_ranges_of_a_large_file_are_sent(self, flags, store):
        data = os.urandom(200_000)
        parts = [(0, 30999), (40000, 55999), (60000, 68499), (70000, 74399)]
        parts += [(80000 + 10 * i,) * 2 for i in range(59)]
        asked = [parts]
        chance = random.Random(7)
        for _ in range(40):
            # As many parts as may be, of sizes that fill a buffer in any way.
            edges = sorted(chance.sample(range(0, len(data), 3), 2 * chance.randint(2, 64)))
            pairs = zip(edges[::2], edges[1::2])
            asked.append([(a, a if chance.random() < 0.6 else b - 2) for a, b in pairs])
        with HttpServer(store, *flags) as server, server.open() as connection:
            (store / "a").write_bytes(data)
            for ranges in asked:
                field = "bytes=" + ",".join(f"{a}-{b}" for a, b in ranges)
                connection.request("GET", "/a", headers={"Range": field})
                answer = connection.getresponse()
                self.assertEqual(answer.status, 206)
                mark = answer.headers.get_boundary().encode()
                pieces = answer.read().split(b"--" + mark)[1:-1]
                self.assertEqual(len(pieces), len(ranges))
                for piece, (first, last) in zip(pieces, ranges):
                    body = piece.partition(b"\r\n\r\n")[2][:-2]
                    self.assertEqual(body, data[first : last + 1])

    @on_every_model
    def test_a_refusal_is_the_same_whatever_was_asked_before_it(self, flags, store):
        (store / "a").write_bytes(SMALL)
        with HttpServer(store, *flags) as server:
            first = server.say(b"BAD\r\n\r\n")
            self.assertTrue(first.partition(b"\r\n\r\n")[2], first)
            strip = lambda said: [l for l in said.split(b"\r\n") if not l.startswith(b"Date")]
            for before in (
                get(b"/a", b"Connection: close", method=b"HEAD"),
                get(b"/a?q", b"Expect: 100-continue", b"Connection: close", method=b"HEAD"),
                put(b"/b", SMALL, b"Connection: close"),
            ):
                server.say(before)
                self.assertEqual(strip(server.say(b"BAD\r\n\r\n")), strip(first))
            # And on the same connection.
            both = server.say(get(b"/a", method=b"HEAD") + b"BAD\r\n\r\n")
            self.assertEqual(both.count(first.partition(b"\r\n\r\n")[2]), 1)
            # What answers a HEAD has no body, be it a refusal.
            for head in (b"HEAD /a HTTP/1.1\r\n\r\n", b"HEAD /a HTTP/1.1\nHost: x\n\n"):
                self.assertTrue(server.say(head).endswith(b"\r\n\r\n"))

    @on_every_model
    def test_what_came_before_an_upload_does_not_wait_for_its_body(self, flags, store):
        (store / "a").write_bytes(SMALL)
        for body in (5, 5_000_000):
            for lines in ((), (b"Expect: 100-continue",)):
                with HttpServer(store, *flags) as server, server.dial() as peer:
                    peer.sendall(get(b"/a") + put(b"/b", b"", *lines, length=body))
                    self.assertTrue(receive_answer(peer).endswith(SMALL))
                    peer.sendall(b"x" * (body - 2))
                    peer.sendall(b"xx" + get(b"/none", b"Connection: close"))
                    said = receive_to_end(peer)
                    found = [s for s in statuses(said) if s != 100]
                    self.assertIn(found, ([201, 404], [204, 404]), said)
                    self.assertEqual((store / "b").stat().st_size, body)

    @on_every_model
    def test_what_is_stored_is_acknowledged_though_the_next_request_breaks_off(self, flags, store):
        with HttpServer(store, *flags) as server:
            for broken in (
                put(b"/half", b"he", length=5), put(b"/half", b"", length=5),
                put(b"/half", b"he", length=5_000_000), b"PUT /half HT",
                get(b"/half", b"Transfer-Encoding: chunked", method=b"PUT") + b"5\r\nhe",
                get(b"/none", b"Content-Length: 5") + b"he",
            ):
                said = server.say(put(b"/whole", SMALL) + broken, end=True)
                self.assertIn(statuses(said), ([201], [204]), broken)
            self.assertEqual(self.visible(store), ["whole"])

    @on_every_model
    def test_what_comes_after_the_last_request_does_not_cut_its_answer(self, flags, store):
        data = os.urandom(6_000_000)
        (store / "large").write_bytes(data)
        with HttpServer(store, *flags) as server, server.dial() as peer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            peer.sendall(get(b"/large", b"Connection: close"))
            select.select([peer], [], [])
            peer.sendall(b"\r\n")
            time.sleep(0.1)  # until the server is done with it, if it can be
            peer.sendall(b"\r\n")
            said = receive_to_end(peer)
            self.assertEqual(len(said.partition(b"\r\n\r\n")[2]), len(data))

    def test_a_body_that_stops_or_trickles_is_answered_408(self):
        with HttpServer(
            self.folder, "--body-time", "300ms", "--min-rate", "1K", "--stats"
        ) as server:
            (self.folder / "a").write_bytes(SMALL)
            for method in (b"GET", b"POST", b"PUT"):
                head = get(b"/a", b"Content-Length: 1000", method=method)
                for body in (b"", b"hel"):
                    self.assertEqual(statuses(server.say(head + body)), [408], (method, body))
                with server.dial() as peer:
                    peer.settimeout(0.02)
                    peer.sendall(head)
                    said = b""
                    for _ in range(200):
                        try:
                            peer.sendall(b"x")
                            said = peer.recv(4096)
                            break
                        except TimeoutError:
                            continue
                    self.assertEqual(statuses(said), [408], method)
            self.assertEqual(server.counters()["slow_bodies"], 9)

    def test_an_upload_that_cannot_be_is_refused_before_its_body(self):
        with HttpServer(self.folder, "--quota", "1M", "--max-size", "2M") as server:
            (self.folder / "d").mkdir()
            for path, length, status in (
                (b"/a", 1_500_000, 507), (b"/a", 3_000_000, 413), (b"/d", 5, 409), (b"/d/", 5, 409),
            ):
                for lines in ((), (b"Expect: 100-continue",)):
                    said = server.say(put(path, b"", *lines, length=length))
                    self.assertEqual(statuses(said), [status], path)
            part = b"Content-Range: bytes 5-9/10"
            said = server.say(put(b"/a", b"", part, b"Expect: 100-continue", length=5))
            self.assertEqual(statuses(said), [409])
            with server.dial() as peer:
                peer.sendall(put(b"/a", b"", b"Expect: 100-continue", length=5))
                self.assertEqual(peer.recv(99), b"HTTP/1.1 100 Continue\r\n\r\n")
                peer.sendall(b"hello")
                self.assertIn(b"HTTP/1.1 201 ", peer.recv(4096))


class Representations(HttpTest):
    def setUp(self):
        super().setUp()
        self.server = HttpServer(self.folder)
        self.addCleanup(self.server.__exit__)

    def test_the_type_that_an_upload_has_is_kept(self):
        for name, sent, got in (
            ("a.bin", "text/csv; header=present", "text/csv; header=present"),
            ("b.txt", None, "text/plain; charset=utf-8"),
            ("c.txt", "text/plain; charset=latin1", "text/plain; charset=latin1"),
            ("d.txt", "text/plain; charset=utf-8", "text/plain; charset=utf-8"),
            ("e.pdf", "text/html", "text/html"),
            ("f", "application/pdf", "application/pdf"),
        ):
            headers = {"Content-Type": sent} if sent else {}
            self.assertEqual(self.server.ask("PUT", "/" + name, SMALL, headers)[0], 201)
            for method in ("GET", "HEAD"):
                _, headers, _ = self.server.ask(method, "/" + name)
                self.assertEqual(headers["Content-Type"], got)
                # Only what is shown as a PDF is left out of the sandbox.
                is_pdf = got == "application/pdf"
                self.assertEqual(headers["Content-Security-Policy"], None if is_pdf else "sandbox")
                self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
        # Another file under the name has its own.
        self.assertEqual(self.server.put("/a.bin", SMALL)[0], 204)
        self.assertEqual(self.server.get("/a.bin")[1]["Content-Type"], "application/octet-stream")
        # What others write beside a file gets into no head.
        (self.folder / "g.txt").write_bytes(SMALL)
        os.setxattr(self.folder / "g.txt", "user.mime_type", b"text/html\r\nX: y")
        self.assertEqual(self.server.get("/g.txt")[1]["Content-Type"], "text/plain; charset=utf-8")
        status, headers, _ = self.server.put("/h", SMALL, Content_Encoding="gzip")
        self.assertEqual((status, headers["Accept-Encoding"]), (415, "identity"))

    def test_a_part_of_several_has_the_type_too(self):
        self.server.put("/a", SMALL, Content_Type="text/csv")
        _, headers, body = self.server.get("/a", Range="bytes=0-0,3-3")
        self.assertEqual(headers.get_content_type(), "multipart/byteranges")
        self.assertEqual(body.count(b"\r\nContent-Type: text/csv\r\n"), 2)

    def test_the_digest_of_what_a_request_carries_is_checked(self):
        right, wrong = digest_of(SMALL), digest_of(b"another")
        self.assertEqual(self.server.put("/a", SMALL, Content_Digest=right)[0], 201)
        self.assertEqual(self.server.put("/b", SMALL, Content_Digest=wrong)[0], 422)
        self.assertEqual(self.server.put("/b", SMALL, Content_Digest="sha-256=:x:")[0], 400)
        self.assertEqual(self.server.put("/b", SMALL, Content_Digest="sha-512=:x:")[0], 201)
        both = {"Content_Digest": wrong, "Repr_Digest": right}
        self.assertEqual(self.server.put("/c", SMALL, **both)[0], 422)
        trailer = b"0\r\nContent-Digest: %s\r\n\r\n"
        for said, status in ((right, 201), (wrong, 422)):
            body = b"%x\r\n%s\r\n" % (len(SMALL), SMALL) + trailer % said.encode()
            head = get(b"/d%d" % status, b"Transfer-Encoding: chunked", b"Connection: close", method=b"PUT")
            self.assertEqual(statuses(self.server.say(head + body)), [status])
        self.assertEqual(self.visible(), ["a", "b", "d201"])

    def test_the_digest_of_a_part_is_that_of_the_part(self):
        total, half = len(DATA), 1_000_000
        first, second = DATA[:half], DATA[half:]
        whole = {"Repr_Digest": digest_of(DATA)}

        def part(data, begin, digest):
            span = f"bytes {begin}-{begin + len(data) - 1}/{total}"
            return self.server.put("/a", data, Content_Range=span, Content_Digest=digest, **whole)

        self.assertEqual(part(first, 0, digest_of(second))[0], 422)
        status, headers, _ = self.server.put("/a", None, Content_Range=f"bytes */{total}", **whole)
        self.assertEqual((status, headers["Range"]), (308, None), "nothing of it was kept")
        status, headers, _ = part(first, 0, digest_of(first))
        self.assertEqual((status, headers["Range"]), (308, f"bytes=0-{half - 1}"))
        self.assertEqual(part(second, half, digest_of(DATA))[0], 422)
        self.assertEqual(part(second, half, digest_of(second))[0], 201)
        self.assertEqual((self.folder / "a").read_bytes(), DATA)

    def test_a_digest_that_is_not_wanted_is_not_sent(self):
        for wish, has in ((None, True), ("sha-256=0", False), ("sha-256=3", True), ("sha-512=1", True)):
            wishes = {"Want_Repr_Digest": wish} if wish else {}
            for answer in (self.server.put("/a", SMALL, **wishes), self.server.get("/a", **wishes)):
                self.assertEqual("Repr-Digest" in answer[1], has, wish)

    def test_no_date_lies_ahead(self):
        (self.folder / "a").write_bytes(SMALL)
        os.utime(self.folder / "a", (2_051_222_400, 2_051_222_400))
        _, headers, _ = self.server.get("/a")
        self.assertEqual(headers["Last-Modified"], headers["Date"])

    def test_a_listing_has_the_form_that_is_preferred(self):
        for target, accepted, form in (
            ("/", None, "text/html"), ("/", "application/json", "application/json"),
            ("/", "application/json;q=0.5, text/html", "text/html"),
            ("/", "application/json;q=0, */*", "text/html"),
            ("/", "text/html;q=0, */*", "application/json"),
            ("/?format=json", "text/html", "application/json"),
            ("/?format=html", "application/json", "text/html"),
        ):
            headers = {"Accept": accepted} if accepted else {}
            _, headers, _ = self.server.get(target, **headers)
            self.assertEqual(headers.get_content_type(), form, (target, accepted))
            self.assertEqual(headers["Vary"], "Accept")


if __name__ == "__main__":
    unittest.main()
