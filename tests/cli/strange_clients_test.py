"""Browsers and TLS at doors that speak neither: they are no peers there, and harm no other."""

import contextlib
import socket
import sys
import unittest

from chat_rig import ChatServer, Member
from compute_rig import ComputeTest
from compute_rig import on_every_model as on_every_compute_model
from files_http_rig import HttpTest, on_every_model
from fleet_rig import Fleet
from talk_rig import SLUICE, TIMEOUT, Program, Server, TalkTest, call, engines, loops

# As fetch() of a page elsewhere sends it, after the question of CORS that it need not ask here.
REQUEST = (
    b"POST / HTTP/1.1\r\nHost: 127.0.0.1:5000\r\nConnection: keep-alive\r\nContent-Length: 18\r\n"
    b"Content-Type: text/plain;charset=UTF-8\r\nOrigin: http://example.org\r\nAccept: */*\r\n"
    b"Sec-Fetch-Mode: no-cors\r\n\r\nexit\n/nick root\n1\n"
)
LONG = REQUEST.replace(b"/ ", b"/" + b"x" * 70_000 + b" ", 1)
HELLO = b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00\n1\nexit\n"
STRANGERS = {"http": REQUEST, "http with a long target": LONG, "tls": HELLO}


def send(port, data, split=False):
    """Sends it, at once or a byte a packet, and gives what comes back until the end or a reset."""
    said = b""
    with call(port) as stranger, contextlib.suppress(ConnectionError):
        (stranger.send_split if split else stranger.send)(data)
        while more := stranger.socket.recv(65536):
            said += more
    return said


def all_ways():
    for name, data in STRANGERS.items():
        for split in (False, True):
            if not split or len(data) < 1000:
                yield f"{name}{', split' if split else ''}", data, split


class Everywhere(unittest.TestCase):
    def test_a_request_ends_no_server(self):
        with Fleet(("talk", "chat", "compute", "files")) as fleet:
            fleet.begin()
            for client in fleet.clients:
                client.timeout = TIMEOUT
                # It may be gone already.
                with client.dial(-1) as peer, contextlib.suppress(OSError):
                    client.connected.remove(peer)
                    peer.sendall(REQUEST)
                    peer.shutdown(socket.SHUT_WR)
                    while peer.recv(65536):
                        pass
            fleet.end()


class Chat(unittest.TestCase):
    def test_nothing_of_it_is_said(self):
        for engine in loops():
            with self.subTest(engine), ChatServer(engine, "--stats") as server:
                with Member(server.port) as member:
                    member.greeted()
                    for name, data, split in all_ways():
                        with self.subTest(name):
                            # It is greeted, as anybody is.
                            self.assertNotIn(b"goodbye", send(server.port, data, split))
                    with call(server.port) as late:
                        late.send(b"hello\n")
                        heard = member.until(r"\]: hello")
                        for line in heard[:-1]:
                            self.assertRegex(line, r"^\* Client \d+ has (joined|left)$")
                server.signal(15)
                status, out, err = server.end()
                self.assertEqual(status, 0)
                self.assertRegex(out, r"<< Client 2 is sent away: it speaks HTTP, .* >>")
                self.assertRegex(out, r"<< Client \d+ is sent away: it speaks TLS, .* >>")
                self.assertRegex(err, rf"strangers +{len(list(all_ways()))} ")


class Talk(TalkTest):
    def test_it_is_no_conversation(self):
        for engine in engines():
            with self.subTest(engine), Server(engine) as server:
                for name, data, split in all_ways():
                    with self.subTest(name):
                        self.assertEqual(send(server.port, data, split), b"")
                with call(server.port) as client:
                    client.send(b"hello\nexit\n")
                    server.type("hi\n")
                    self.assertEqual(client.receive(3), b"hi\n")
                    status, out, err = server.end()
                self.assertEqual(status, 0)
                said = [line for line in out.splitlines() if not line.endswith("] connected")]
                self.assertEqual(len(said), 1, out)
                self.assertIn("]: hello", said[0])
                self.assertIn("has to go: it speaks HTTP", err)
                self.assertIn("has to go: it speaks TLS", err)


class Compute(ComputeTest):
    @on_every_compute_model
    def test_it_is_answered_nothing(self, serve):
        with serve() as server:
            for _, data, split in all_ways():
                self.assertEqual(send(server.port, data, split), b"")
            self.assert_answers(server)
            status, said = server.stop()
            self.assertEqual(status, 0)
            self.assertRegex(said, r"warning: 127\.0\.0\.1:\d+ has to go: it speaks HTTP")
            self.assertRegex(said, r"warning: 127\.0\.0\.1:\d+ has to go: it speaks TLS")

    @on_every_compute_model
    def test_no_program_hears_of_it(self, serve):
        echo = ("--exec", sys.executable, "-uc", "for line in iter(input, ''): print(line)")
        with serve(*echo) as server:
            for _, data, split in all_ways():
                self.assertEqual(send(server.port, data, split), b"")


class Raw(HttpTest):
    @on_every_model
    def test_it_becomes_no_file(self, flags, folder):
        with self.serve(folder, *flags) as server:
            port = int(server.expect_stderr(r"^listening on 127\.0\.0\.1:(\d+)")[1])
            for data in STRANGERS.values():
                self.assertEqual(send(port, data), b"")
            self.assertEqual(list(folder.iterdir()), [])
            for data in (b"GET lost\n", b"\x16\x02\x01", b"POST / HTTP\n"):
                self.stream(port, data)
            kept = sorted(each.read_bytes() for each in folder.iterdir())
            self.assertEqual(kept, [b"\x16\x02\x01", b"GET lost\n", b"POST / HTTP\n"])
            server.signal(15)
            _, out, _ = server.end()
            self.assertRegex(out, r"Refused \[Client 1\]: it speaks HTTP, .*--raw-any")

    @on_every_model
    def test_it_becomes_one_where_that_is_wanted(self, flags, folder):
        with self.serve(folder, *flags, "--raw-any") as server:
            port = int(server.expect_stderr(r"^listening on 127\.0\.0\.1:(\d+)")[1])
            for data in STRANGERS.values():
                self.stream(port, data)
            kept = {each.read_bytes() for each in folder.iterdir()}
            self.assertEqual(kept, set(STRANGERS.values()))

    @on_every_model
    def test_a_client_that_is_reset_before_its_first_byte_leaves_no_file(self, flags, folder):
        with self.serve(folder, *flags) as server:
            port = int(server.expect_stderr(r"^listening on 127\.0\.0\.1:(\d+)")[1])
            for number in range(1, 4):
                call(port).reset()
                lost = rf"^Lost \[Client {number}\] before its first byte: connection reset by peer$"
                self.assertRegex(server.read_line(), lost)
            self.assertEqual(list(folder.iterdir()), [])

    def serve(self, folder, *flags):
        raw = ("--raw", "127.0.0.1:0", "--no-sync")
        return Program(SLUICE, "files", "serve", folder, *raw, *flags)

    def stream(self, port, data):
        with call(port) as client:
            client.send(data)
            client.finish()
            self.assertEqual(client.receive_to_end(), b"")


if __name__ == "__main__":
    unittest.main()
