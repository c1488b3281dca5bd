"""What a client makes the HTTP endpoint hold, measured against what it has sent."""

import contextlib
import os
import unittest

from compute_rig import memory_of
from files_http_rig import HttpServer, HttpTest, engines
from talk_rig import sanitized

MANY = 600
MOST = 2048  # bytes a connection


class Memory(HttpTest):
    @unittest.skipIf(sanitized(), "its memory is not the program's alone")
    def test_a_request_that_has_only_begun_costs_little(self):
        part = b"Content-Range: bytes 0-4/9\r\n"
        for engine in ("epoll", "uring"):
            if engine not in engines():
                continue
            for index, (name, sent, files) in enumerate((
                ("half a word", b"GET ", 0),
                ("half a head", b"GET /some/where HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\nA", 0),
                ("the head of an upload", b"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n", 0),
                ("the head of a large one",
                 b"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 50000000\r\n\r\n", 0),
                ("a chunked one", b"PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 0),
                ("a part", b"PUT /a HTTP/1.1\r\nHost: x\r\n" + part + b"Content-Length: 5\r\n\r\n", 0),
                ("one that is invited",
                 b"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n", 0),
                ("one that has begun",
                 b"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 50000000\r\n\r\nx", 1),
                ("a small one that has begun",
                 b"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\nx", 1),
            )):
                if engine == "uring" and index % 3 != 0:
                    continue  # it differs in little, and connections cost time
                with self.subTest(name, engine=engine), HttpServer(
                    self.folder, "--engine", engine, "--workers", "1", "--quiet"
                ) as server, contextlib.ExitStack() as peers:
                    def begin(many):
                        for _ in range(many):
                            peer = peers.enter_context(server.dial())
                            peer.sendall(sent)

                    # What the first ones cost is the server's.
                    begin(50)
                    server.get("/none")
                    memory, held = memory_of(server.process.pid), self.descriptors(server)
                    begin(MANY)
                    # Asked last, it is answered last.
                    server.get("/none")
                    grown = 1024 * (memory_of(server.process.pid) - memory) / MANY
                    self.assertLess(grown, max(MOST, 10 * len(sent)))
                    self.assertLess((self.descriptors(server) - held) / MANY, 1.1 + files)

    def descriptors(self, server):
        return len(os.listdir(f"/proc/{server.process.pid}/fd"))


if __name__ == "__main__":
    unittest.main()
