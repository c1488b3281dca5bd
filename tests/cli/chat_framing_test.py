"""Members of a chat whose bytes come with pauses between them: lines, keys, characters, telnets."""

import unittest

from chat_join_rig import Member as Joined
from chat_rig import ChatServer, members
from framing_rig import HalfwayLink, keys, send_apart
from talk_rig import TalkTest, call, on_every_loop, one_by_one


class Framing(TalkTest):
    @on_every_loop
    def test_a_character_may_pause_in_its_middle(self, engine):
        with ChatServer(engine, "--quiet", "--workers", "1") as server:
            with members(server, 2) as (ann, bob):
                ann.say("a whole line")
                self.assertEqual(bob.line(), "[Client 1]: a whole line")
                send_apart(ann, b"gr\xc3", b"\xbcn\n")
                self.assertEqual(bob.line(), "[Client 1]: grün")
                bob.say("one")
                bob.say("two")
                self.assertEqual([ann.line(), ann.line()], ["[Client 2]: one", "[Client 2]: two"])
                # Also the first of all.
                send_apart(bob, b"sch\xc3", b"\xb6n\n")
                self.assertEqual(ann.line(), "[Client 2]: schön")

    @on_every_loop(how=one_by_one)
    def test_keys_as_they_are_typed_are_a_line(self, engine):
        with ChatServer(engine, "--quiet", "--workers", "1", "--history", "0") as server:
            for end in (b"\r\n", b"\r\0", b"\r", b"\n"):
                with self.subTest(end=end), call(server.port) as typist:
                    with call(server.port) as other:
                        other.receive(len(b"* welcome"))
                        send_apart(typist, *keys(b"hi" + end), *keys(b"/quit" + end))
                        typist.receive_to_end()
                        other.finish()
                        received = other.receive_to_end().decode().splitlines()
                        said = [line.partition("]: ")[2] for line in received if "]: " in line]
                        self.assertEqual(said, ["hi"])

    @on_every_loop
    def test_what_a_telnet_commands_reaches_no_member(self, engine):
        with ChatServer(engine, "--quiet", "--workers", "1") as server:
            with members(server, 2) as (ann, bob):
                ann.send(b"\xff\xf4\xff\xfd\x06")
                send_apart(ann, b"hello\r\0", b"\xff\xfa\x1f\0\n", b"\0\n\xff", b"\xf0you\r")
                self.assertEqual(bob.line(), "[Client 1]: hello")
                self.assertEqual(bob.line(), "[Client 1]: you")

    @on_every_loop
    def test_lines_without_ends_are_received(self, engine):
        with ChatServer(engine, "--quiet", "--workers", "1") as server:
            with members(server, 2) as (ann, bob):
                for text in ("hello", "ok", "y"):
                    ann.send(text.encode())
                    self.assertEqual(bob.line(), f"[Client 1]: {text}")
                bob.say("hi")
                self.assertEqual(ann.receive(14), b"[Client 2]: hi")

    @on_every_loop
    def test_join_over_a_link_that_delays_halves(self, engine):
        with ChatServer(engine, "--quiet", "--workers", "1") as server:
            with members(server, 1) as (ann,), HalfwayLink(server.port) as link:
                with Joined(engine, link.port) as joined:
                    self.assertRegex(joined.read_line(), r"^\* welcome, you are Client 2 in lobby")
                    self.assertEqual(ann.line(), "* Client 2 has joined")
                    for text in ("one of the lines", "two and three", "grün"):
                        joined.type(text + "\n")
                        self.assertEqual(ann.line(), f"[Client 2]: {text}")
                        ann.say(text)
                        self.assertEqual(joined.read_line(), f"[Client 1]: {text}\n")


if __name__ == "__main__":
    unittest.main()
