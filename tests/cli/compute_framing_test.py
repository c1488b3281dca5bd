"""Questions whose bytes come with pauses between them, from programs, people and telnets."""

import unittest

from compute_rig import ComputeTest, ask, call, on_every_model
from framing_rig import HalfwayLink, keys, send_apart
from talk_rig import Program, one_by_one


class Framing(ComputeTest):
    @on_every_model
    def test_a_line_may_pause_once_one_has_come(self, serve):
        with serve() as server, call(server.port) as client:
            client.send(b"20\n")
            self.assertEqual(client.receive(6), b"10946\n")
            send_apart(client, b"1", b"5", b"\n2", b"0\n")
            self.assertEqual(client.receive(10), b"987\n10946\n")

    @on_every_model
    def test_a_newline_that_comes_late_brings_the_one_of_the_answer(self, serve):
        with serve() as server, call(server.port) as client:
            send_apart(client, b"10", b"\n")
            self.assertEqual(client.receive(3), b"89\n")
            send_apart(client, b"11", b"\r", b"\n")
            self.assertEqual(client.receive(4), b"144\n")

    @on_every_model
    def test_a_number_and_its_newline_in_two_writes_are_a_line(self, serve):
        with serve() as server, call(server.port) as client:
            for number, answer in ((10, b"89\n"), (11, b"144\n"), (12, b"233\n")):
                client.send(b"%d" % number)
                client.send(b"\n")
                self.assertEqual(client.receive(len(answer)), answer)

    @on_every_model
    def test_who_ends_no_lines_is_answered_so_however_often_it_asks(self, serve):
        with serve() as server, call(server.port) as client:
            for _ in range(6):
                client.send(b"10")
                self.assertEqual(client.receive(2), b"89")
            client.send(b"11")
            client.finish()
            self.assertEqual(client.receive_to_end(), b"144")

    @on_every_model
    def test_the_end_comes_in_the_middle_of_a_line(self, serve):
        with serve() as server, call(server.port) as client:
            client.send(b"10\n1")
            client.finish()
            self.assertEqual(client.receive_to_end(), b"89\n1\n")

    @on_every_model(how=one_by_one)
    def test_a_telnet_ends_lines_with_returns_and_its_commands_are_no_question(self, serve):
        with serve() as server, call(server.port) as client:
            client.send_split(b"\xff\xfd\x03\xff\xfb\x18\xff\xfa\x18\0xterm\n\xff\xf0" b"10\r\0")
            self.assertEqual(client.receive(3), b"89\n")
            send_apart(client, *keys(b"11\r"))
            self.assertEqual(client.receive(4), b"144\n")
            client.send(b"\xff\xf4\xff\xfd\x06" b"12\r\n")
            # The mark that it asks for after Ctrl-C comes first.
            self.assertEqual(client.receive(7), b"\xff\xfb\x06" b"233\n")

    @on_every_model
    def test_a_mark_of_a_telnet_in_other_text_is_text(self, serve):
        with serve("--work", "echo") as server, call(server.port) as client:
            text = b"gr\xff\xdf\xff\xfbe \xff\xff\n"
            client.send(text)
            self.assertEqual(client.receive(len(text)), text)

    @on_every_model
    def test_ask_over_a_link_that_delays_halves(self, serve):
        with serve() as server, HalfwayLink(server.port) as link:
            status, out, err = ask(link.port, 20, "--requests", 3)
            self.assertEqual((status, err), (0, ""))
            self.assertRegex(out, r"\Afunction\(20\): 10946\n3 answers .*\n.*\nerrors: none\n\Z")

    @on_every_model
    def test_a_real_telnet(self, serve):
        with serve() as server, Program("telnet", "127.0.0.1", server.port) as telnet:
            telnet.read_line()
            telnet.read_line()
            telnet.read_line()
            telnet.type("10\n")
            self.assertEqual(telnet.read_line(), "89\n")


if __name__ == "__main__":
    unittest.main()
