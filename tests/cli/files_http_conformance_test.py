"""What HTTP/1.1 asks of a server, request by request: raw bytes in, the status and the end out.

The cases follow RFC 9110 and RFC 9112 section by section, as h1spec and Http11Probe do."""

import contextlib
import re
import unittest

from files_http_rig import HttpServer, HttpTest, statuses
from talk_rig import on_every_loop, one_by_one

CLOSE = b"Connection: close\r\n"


def get(target=b"/a", *lines, version=b"1.1", host=b"Host: x", method=b"GET", body=b""):
    head = [method + b" " + target + b" HTTP/" + version, *([host] if host else []), *lines]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def put(*lines, body=b"", target=b"/put"):
    return get(target, *lines, method=b"PUT", body=body)


def chunked(body, *lines):
    return put(b"Transfer-Encoding: chunked", *lines, body=body)


# RFC 9112, section 2.2 to 2.3, 5: what a head is. All of these end the connection.
HEADS_THAT_ARE_NONE = {
    "a line feed alone": (b"GET /a HTTP/1.1\nHost: x\n\n", 400),
    "a line feed alone within": (b"GET /a HTTP/1.1\r\nHost: x\nA: b\r\n\r\n", 400),
    "a carriage return alone": (b"GET /a HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n", 400),
    "a NUL": (get(b"/a", b"A: \0"), 400),
    "a blank before the request line": (b" " + get(), 400),
    "two blanks": (b"GET  /a HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "a tab for a blank": (b"GET\t/a HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "a blank behind the version": (b"GET /a HTTP/1.1 \r\nHost: x\r\n\r\n", 400),
    "no version": (b"GET /a\r\nHost: x\r\n\r\n", 400),
    "a version in small letters": (b"GET /a http/1.1\r\nHost: x\r\n\r\n", 400),
    "a version of no number": (get(version=b"1.x"), 400),
    "a version of many digits": (get(version=b"1.10"), 400),
    "HTTP/2": (get(version=b"2.0"), 505),
    "HTTP/0.9": (get(version=b"0.9"), 505),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "a method that is no token": (get(method=b"G(T"), 400),
    "a blank before the colon": (get(b"/a", b"A : b"), 400),
    "no colon": (get(b"/a", b"A b"), 400),
    "no name": (get(b"/a", b": b"), 400),
    "a name that is no token": (get(b"/a", b"A[: b"), 400),
    "a folded line": (get(b"/a", b"A: b\r\n c"), 400),
    "a line that begins with a blank": (b"GET /a HTTP/1.1\r\n Host: x\r\n\r\n", 400),
    "a control in a value": (get(b"/a", b"A: \x01"), 400),
    "a delete in a value": (get(b"/a", b"A: \x7f"), 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    # Section 3.2, RFC 9110, section 7.2: one host, and none but that.
    "no Host": (get(host=None), 400),
    "two Hosts": (get(b"/a", b"Host: x"), 400),
    **{
        f"a Host of {host!r}": (get(host=b"Host: " + host), 400)
        for host in (b"", b"u@x", b"x/y", b"###", b"a, b", b"a,b", b"a\\b", b"x:80x", b"x:1:2",
                     b"x:65536", b":80", b"[::1", b"http://x", b"x y", b"x\x80")
    },
    # Section 6: how long a body is.
    "two lengths": (put(b"Content-Length: 1", b"Content-Length: 2", body=b"x"), 400),
    "a list of lengths": (put(b"Content-Length: 1, 1", body=b"x"), 400),
    "a length below zero": (put(b"Content-Length: -1"), 400),
    "a length with a plus": (put(b"Content-Length: +1", body=b"x"), 400),
    "a length in hexadecimal": (put(b"Content-Length: 0x1", body=b"x"), 400),
    "a length with a blank in it": (put(b"Content-Length: 1 1", body=b"x"), 400),
    "no length behind the colon": (put(b"Content-Length: "), 400),
    "a length of 2^63": (put(b"Content-Length: 9223372036854775808"), 413),
    "a length of 2^64": (put(b"Content-Length: 18446744073709551616"), 400),
    "a length of 2^63 for a GET": (get(b"/a", b"Content-Length: 9223372036854775808"), 413),
    "a length and chunks": (chunked(b"0\r\n\r\n", b"Content-Length: 5"), 400),
    "chunks twice": (chunked(b"0\r\n\r\n", b"Transfer-Encoding: chunked"), 400),
    "chunked, chunked": (put(b"Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n"), 400),
    "chunked, gzip": (put(b"Transfer-Encoding: chunked, gzip", body=b"0\r\n\r\n"), 400),
    "no coding": (put(b"Transfer-Encoding: ", body=b"0\r\n\r\n"), 400),
    "a coding that is not known": (put(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n"), 501),
    "gzip, chunked": (put(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"), 501),
    "chunks in HTTP/1.0": (b"PUT /put HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    # Section 7.1: chunks.
    **{
        f"a body of {body!r}": (chunked(body), 400)
        for body in (b"\r\n", b"x\r\n", b"-1\r\n", b"0x1\r\n", b" 1\r\nx\r\n", b"1\nx\n0\n\n",
                     b"1_0\r\n", b"1\r\nxx\r\n0\r\n\r\n", b"1\r\nx0\r\n\r\n", b"1;\r\nx\r\n",
                     b"1;bad[=x\r\nx\r\n", b"1;a=\r\nx\r\n", b"1;a=b c\r\nx\r\n", b"1;a=\"b\r\nx\r\n",
                     b"1 a\r\nx\r\n", b"1;a\nx\r\n", b"8000000000000000\r\n",
                     b"fffffffffffffffff\r\n", b"0\r\na : b\r\n\r\n", b"0\r\n a: b\r\n\r\n",
                     b"0\r\na\r\n\r\n")
    },
    # RFC 9110, section 10.1.1.
    "an expectation that is not known": (put(b"Expect: cake", b"Content-Length: 0"), 417),
}

# What is answered, by one status, and the connection is kept.
ANSWERED = {
    "a GET": (get(), 200),
    "a HEAD": (get(method=b"HEAD"), 200),
    "empty lines before": (b"\r\n\r\n" + get(), 200),
    "no blank behind the colon": (get(b"/a", host=b"Host:x"), 200),
    "blanks around a value": (get(b"/a", host=b"Host: \t x \t "), 200),
    "an empty value": (get(b"/a", b"A:"), 200),
    "bytes beyond ASCII in a value": (get(b"/a", b"A: \xe9\xff"), 200),
    "a Host with a port": (get(host=b"Host: x:80"), 200),
    "a Host of IPv6": (get(host=b"Host: [::1]:8080"), 200),
    "HTTP/1.2": (get(version=b"1.2"), 200),
    "HTTP/1.9": (get(version=b"1.9"), 200),
    # Section 3.2: forms of a target.
    "a URL": (get(b"http://y/a"), 200),
    "a URL in large letters": (get(b"HTTP://Y:80/a"), 200),
    "a URL with a query": (get(b"http://y/a?b"), 200),
    "a URL without a path": (get(b"http://y?format=json"), 200),
    "an asterisk": (get(b"*", method=b"OPTIONS"), 204),
    "an asterisk for a GET": (get(b"*"), 400),
    "a word": (get(b"a"), 400),
    "an authority": (get(b"x:80", method=b"CONNECT"), 400),
    "a URL of another scheme": (get(b"ftp://y/a"), 400),
    **{
        f"a target of {target!r}": (get(target), 400)
        for target in (b"/a#b", b"/#", b"http://y#b", b"http://y/a#b", b"/a?b#c", b"http:///a",
                       b"http://u@y/a", b"http://y:80x/a", b"http://y:1:2/a", b"http://a,b/",
                       b"//a", b"/b//a", b"/./a", b"/b/../a", b"/%2e/a", b"/a%00", b"/a%", b"/%zz",
                       b"/b%2fa")
    },
    # RFC 9110, section 9: methods.
    "a method that is not known": (get(method=b"BREW"), 501),
    "a method in small letters": (get(method=b"get"), 501),
    "a method that is not for files": (get(method=b"POST", body=b""), 405),
    "a DELETE that is not allowed": (get(method=b"DELETE"), 405),
    "OPTIONS": (get(method=b"OPTIONS"), 204),
    "a GET with a body": (get(b"/a", b"Content-Length: 2", body=b"xx"), 200),
    "a POST with a body": (get(b"/a", b"Content-Length: 2", method=b"POST", body=b"xx"), 405),
    "a PUT": (put(b"Content-Length: 1", body=b"x"), (201, 204)),
    "a PUT of nothing": (put(b"Content-Length: 0"), (201, 204)),
    "a PUT without a length": (put(), 411),
    "chunks": (chunked(b"1\r\nx\r\n0\r\n\r\n"), (201, 204)),
    "chunks of any case": (put(b"TRANSFER-ENCODING: Chunked", body=b"0\r\n\r\n"), (201, 204)),
    "digits of a chunk in any case": (chunked(b"00A\r\n0123456789\r\n0\r\n\r\n"), (201, 204)),
    "extensions": (chunked(b'1;a=b ; c="d;e\\""\r\nx\r\n0;f\r\n\r\n'), (201, 204)),
    "trailers": (chunked(b"0\r\nA: b\r\nC:\r\n\r\n"), (201, 204)),
    "an empty Expect": (put(b"Expect:", b"Content-Length: 1", body=b"x"), (201, 204)),
    "100-continue and the body at once":
        (put(b"Expect: 100-continue", b"Content-Length: 1", body=b"x"), (201, 204)),
    # Section 8: what is sent.
    "a coding of content": (put(b"Content-Encoding: gzip", b"Content-Length: 0"), 415),
    "no coding of content": (put(b"Content-Encoding: identity", b"Content-Length: 0"), (201, 204)),
    "a type that is none": (put(b"Content-Type: text", b"Content-Length: 0"), 400),
    # Section 13: conditions, of files and of directories.
    "If-Match of another": (get(b"/a", b'If-Match: "x"'), 412),
    "If-Match of any": (get(b"/a", b"If-Match: *"), 200),
    "If-None-Match of any": (get(b"/a", b"If-None-Match: *"), 304),
    "If-Modified-Since tomorrow": (get(b"/a", b"If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT"), 304),
    "If-Modified-Since of no date": (get(b"/a", b"If-Modified-Since: now"), 200),
    "If-Unmodified-Since long ago":
        (get(b"/a", b"If-Unmodified-Since: Sat, 01 Jan 2000 00:00:00 GMT"), 412),
    "If-Match of another directory": (get(b"/d/", b'If-Match: "x"'), 412),
    "If-Match of any directory": (get(b"/d/", b"If-Match: *"), 200),
    "If-None-Match of any directory": (get(b"/d/", b"If-None-Match: *"), 304),
    # Section 14: ranges.
    "a range": (get(b"/a", b"Range: bytes=0-0"), 206),
    "ranges": (get(b"/a", b"Range: bytes=0-0,2-2"), 206),
    "a range from the end": (get(b"/a", b"Range: bytes=-1"), 206),
    "a range behind the end": (get(b"/a", b"Range: bytes=9-"), 416),
    "a range of no sense": (get(b"/a", b"Range: bytes=2-1"), 200),
    "a range of another unit": (get(b"/a", b"Range: lines=0-0"), 200),
    "a range for a HEAD": (get(b"/a", b"Range: bytes=0-0", method=b"HEAD"), 200),
    "a total of 2^63":
        (put(b"Content-Range: bytes 0-0/9223372036854775808", b"Content-Length: 1", body=b"x"), 413),
}


class Conformance(HttpTest):
    @contextlib.contextmanager
    def server_on(self, engine):
        store = self.folder / engine
        (store / "d").mkdir(parents=True)
        (store / "a").write_bytes(b"hello")
        with HttpServer(store, "--engine", engine) as server:
            yield server

    @on_every_loop(how=one_by_one)
    def test_what_is_no_head_or_no_body_is_refused_and_ends_the_connection(self, engine):
        with self.server_on(engine) as server:
            for name, (request, status) in HEADS_THAT_ARE_NONE.items():
                with self.subTest(name):
                    said = server.say(request + get())
                    self.assertEqual(statuses(said), [status], said)
                    self.assertIn(b"\r\nConnection: close\r\n", said)
                    self.assertIn(b"\r\nX-Content-Type-Options: nosniff\r\n", said)
                    self.assertRegex(said, rb"\r\nContent-Security-Policy: [^\r]*frame-ancestors 'none'")
                    self.assertRegex(said, rb"\r\n\r\n[^\r\n]+\n$", "a sentence says why")

    @on_every_loop(how=one_by_one)
    def test_what_is_a_request_is_answered_and_the_next_one_too(self, engine):
        with self.server_on(engine) as server:
            for name, (request, status) in ANSWERED.items():
                with self.subTest(name):
                    status = status if isinstance(status, tuple) else (status,)
                    last = get(b"/none", b"Connection: close")
                    # Where a body may still follow, nothing else is answered.
                    said = server.say(request + last)
                    found = [s for s in statuses(said) if s != 100]
                    self.assertIn(found[0], status, said)
                    self.assertIn(found[1:], ([404], []), said)
                    if found[1:] == []:
                        self.assertIn(b"\r\nConnection: close\r\n", said)

    @on_every_loop(how=one_by_one)
    def test_answers_say_what_they_must(self, engine):
        with self.server_on(engine) as server:
            for request in (get(), get(b"/none"), get(b"/d"), get(b"/d/"), get(method=b"POST")):
                said = server.say(request.replace(b"\r\n\r\n", b"\r\n" + CLOSE + b"\r\n", 1))
                head, _, body = said.partition(b"\r\n\r\n")
                self.assertRegex(head, rb"\r\nDate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT")
                self.assertIn(b"\r\nContent-Length: %d" % len(body), head)
                whole, _, rest = server.say(
                    request.replace(b"GET", b"HEAD", 1).replace(b"\r\n\r\n", b"\r\n" + CLOSE + b"\r\n", 1)
                ).partition(b"\r\n\r\n")
                if request.startswith(b"GET"):
                    self.assertEqual(rest, b"", "what answers a HEAD has no body")
                    self.assertEqual(re.sub(rb"Date: [^\r]*", b"", whole),
                                     re.sub(rb"Date: [^\r]*", b"", head))
            said = server.say(get(b"/a", b"Connection: close"))
            self.assertIn(b"\r\nCache-Control: no-cache\r\n", said)
            said = server.say(get(b"/d", b"Connection: close"))
            self.assertIn(b"\r\nCache-Control: no-cache\r\n", said, "a file may be there tomorrow")
            said = server.say(get(method=b"POST"), end=True)
            self.assertIn(b"\r\nAllow: GET, HEAD, PUT, OPTIONS\r\n", said)
            said = server.say(get(b"/a", version=b"1.0", host=None))
            self.assertTrue(said.startswith(b"HTTP/1.1 200 "), "ours is the version that is said")
            self.assertIn(b"\r\nConnection: close\r\n", said)


if __name__ == "__main__":
    unittest.main()
