"""Both sides of a talk with peers whose bytes come with pauses between them."""

import unittest

from framing_rig import HalfwayLink, keys, send_apart
from talk_rig import Client, Program, Server, TalkTest, call, listener, on_every_engine


class Framing(TalkTest):
    @on_every_engine
    def test_a_line_may_pause_once_one_has_come(self, engine):
        with Server(engine, "--echo") as server, call(server.port) as peer:
            peer.send(b"one\n")
            self.assertEqual(peer.receive(4), b"one\n")
            send_apart(peer, b"gr\xc3", b"\xbcn", b"\n")
            self.assertEqual(peer.receive(6), "grün\n".encode())
            send_apart(peer, b"ex", b"it\n")
            self.assertEqual(peer.receive_to_end(), b"")
            self.assert_ends(server, 0)

    @on_every_engine
    def test_a_newline_that_comes_late_brings_the_one_of_the_answer(self, engine):
        with Server(engine, "--echo") as server, call(server.port) as peer:
            send_apart(peer, b"one", b"\n")
            self.assertEqual(peer.receive(4), b"one\n")
            peer.send(b"two\n")
            self.assertEqual(peer.receive(4), b"two\n")

    @on_every_engine
    def test_keys_as_they_are_typed_are_a_line(self, engine):
        with Server(engine, "--echo") as server, call(server.port) as peer:
            send_apart(peer, *keys(b"hi\r\n"))
            self.assertEqual(peer.receive(3), b"hi\n")
            send_apart(peer, *keys(b"you\r"))
            self.assertEqual(peer.receive(4), b"you\n")

    @on_every_engine
    def test_a_telnet(self, engine):
        with Server(engine, "--echo") as server, call(server.port) as peer:
            # What it sends at Ctrl-C: it shows nothing before it has the mark that it asks for.
            peer.send_split(b"\xff\xf4\xff\xfd\x06hello\r\0")
            self.assertEqual(peer.receive(9), b"\xff\xfb\x06hello\n")
        with Server(engine, "--echo") as server:
            with Program("telnet", "127.0.0.1", server.port) as telnet:
                for _ in range(3):
                    telnet.read_line()
                telnet.type("hello\n")
                self.assertEqual(telnet.read_line(), "hello\n")

    @on_every_engine
    def test_the_end_comes_in_the_middle_of_a_line(self, engine):
        with Server(engine, "--echo") as server, call(server.port) as peer:
            peer.send(b"one\ntw")
            peer.finish()
            self.assertEqual(peer.receive_to_end(), b"one\ntw\n")
            self.assert_ends(server, 3)

    @on_every_engine
    def test_a_server_whose_lines_pause(self, engine):
        with listener() as (port, accept), Client(engine, port) as client, accept() as peer:
            client.type("hello\n")
            self.assertEqual(peer.receive(6), b"hello\n")
            peer.send(b"one\n")
            self.assertEqual(client.read_line(), f"[Server 127.0.0.1:{port}]: one\n")
            client.type("and\n")
            self.assertEqual(peer.receive(4), b"and\n")
            send_apart(peer, b"gr\xc3", b"\xbcn", b"\n")
            self.assertEqual(client.read_line(), f"[Server 127.0.0.1:{port}]: grün\n")
            client.type("exit\n")
            self.assertEqual(peer.receive_to_end(), b"exit\n")
            self.assert_ends(client, 0)

    @on_every_engine
    def test_both_sides_over_a_link_that_delays_halves(self, engine):
        with Server(engine, "--echo") as server, HalfwayLink(server.port) as link:
            with Client(engine, link.port) as client:
                client.type("one and two\nthree and four\nfünf\nexit\n")
                name = f"[Server 127.0.0.1:{link.port}]"
                said = ("one and two", "three and four", "fünf")
                self.assert_ends(client, 0, "".join(f"{name}: {line}\n" for line in said))
            self.assert_ends(server, 0)


if __name__ == "__main__":
    unittest.main()
