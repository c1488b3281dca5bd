"""sluice chat join on pipes: what is sent, what is shown, and with which status it ends."""

import re
import select
import socket
import subprocess
import unittest

from chat_join_rig import Member
from talk_rig import (
    INTERRUPT,
    SLUICE,
    TERMINATE,
    TIMEOUT,
    Program,
    TalkTest,
    free_port,
    listener,
    on_every_loop,
)


class OnPipes(TalkTest):
    @on_every_loop
    def test_lines_go_both_ways_at_any_time(self, engine):
        with listener() as (port, accept), Member(engine, port) as member, accept() as server:
            server.send(b"* welcome, you are Client 1 in lobby (1 here)\n")
            self.assertEqual(member.read_line(), "* welcome, you are Client 1 in lobby (1 here)\n")
            server.send(b"[bob]: one\n[bob]: two\n")
            self.assertEqual(member.read_line(), "[bob]: one\n")
            self.assertEqual(member.read_line(), "[bob]: two\n")
            member.type("first\nsecond\n\nth\u00efrd\n")
            expected = "first\nsecond\n\nth\u00efrd\n".encode()
            self.assertEqual(server.receive(len(expected)), expected)
            server.send(b"[bob]: three\n")
            self.assertEqual(member.read_line(), "[bob]: three\n")
            member.end_input()
            self.assertEqual(server.receive_to_end(), b"")
            server.socket.close()
            self.assert_ends(member, 0)

    @on_every_loop
    def test_the_end_of_input_loses_nothing_on_either_side(self, engine):
        with listener() as (port, accept), Member(engine, port) as member:
            member.type("one\ntwo\nlast without an end")
            member.end_input()
            with accept() as server:
                self.assertEqual(server.receive_to_end(), b"one\ntwo\nlast without an end\n")
                server.send(b"* two are here\n* that is all\n")
            self.assert_ends(member, 0, "* two are here\n* that is all\n", r"\A\Z")

    @on_every_loop
    def test_input_that_is_at_its_end_at_once_still_receives(self, engine):
        with listener() as (port, accept), Member(engine, port, stdin=subprocess.DEVNULL) as member:
            with accept() as server:
                self.assertEqual(server.receive_to_end(), b"")
                server.send(b"hello\n")
            self.assert_ends(member, 0, "hello\n", r"\A\Z")

    @on_every_loop
    def test_a_server_that_does_not_close_does_not_keep_the_client(self, engine):
        with listener() as (port, accept), Member(engine, port) as member:
            member.end_input()
            with accept() as server:
                self.assertEqual(server.receive_to_end(), b"")
                self.assert_ends(member, 0, "", r"\A\Z")

    @on_every_loop
    def test_exit_and_quit_are_sent_and_leave(self, engine):
        for word in ("exit", "/quit"):
            with listener() as (port, accept), Member(engine, port) as member, accept() as server:
                member.type(f"hello\n{word}\nnever\n")
                self.assertEqual(server.receive_to_end(), f"hello\n{word}\n".encode())
                server.send(b"* bye\n")
                server.socket.close()
                self.assert_ends(member, 0, "* bye\n", r"\A\Z")

    @on_every_loop
    def test_name_and_room_come_first(self, engine):
        with listener() as (port, accept):
            with Member(engine, port, "--nick", "bob", "--room", "tea") as member:
                member.type("hello\n")
                with accept() as server:
                    self.assertEqual(server.receive(26), b"/nick bob\n/join tea\nhello\n")
                    member.end_input()
                    self.assertEqual(server.receive_to_end(), b"")
                self.assert_ends(member, 0)

    @on_every_loop
    def test_a_server_that_ends_is_reported(self, engine):
        with listener() as (port, accept), Member(engine, port) as member:
            with accept() as server:
                server.send(b"* the chat is full\n")
            self.assert_ends(
                member, 3, "* the chat is full\n", r"^sluice: the server closed the connection$"
            )

    @on_every_loop
    def test_a_server_that_breaks_off_is_reported(self, engine):
        with listener() as (port, accept), Member(engine, port) as member:
            with accept() as server:
                server.send(b"hello\n")
                self.assertEqual(member.read_line(), "hello\n")
                server.reset()
            self.assert_ends(member, 3, "hello\n", r"^sluice: the server is gone: .*reset")

    @on_every_loop
    def test_connection_refused(self, engine):
        for flags in ((), ("--reconnect",)):
            with Member(engine, free_port(), *flags) as member:
                self.assert_ends(member, 3, "", r"^sluice: nobody listens at .*: start a server")

    @on_every_loop
    def test_signals(self, engine):
        for number, status in ((INTERRUPT, 130), (TERMINATE, 0)):
            with listener() as (port, accept), Member(engine, port) as member, accept() as server:
                server.send(b"hello\n")
                member.read_line()
                member.signal(number)
                self.assertEqual(server.receive_to_end(), b"")
                self.assert_ends(member, status, "hello\n")

    @on_every_loop
    def test_what_could_harm_a_terminal_is_written_out(self, engine):
        with listener() as (port, accept), Member(engine, port) as member, accept() as server:
            server.send(b"[eve]: \x1b[2Jgone \xff \xe2\x80\xae\n")
            self.assertEqual(member.read_line(), "[eve]: \\x1b[2Jgone \\xff \\u202e\n")

    @on_every_loop
    def test_unterminated_messages_are_taken_and_answered_so(self, engine):
        with listener() as (port, accept), Member(engine, port) as member, accept() as server:
            server.send(b"[Client 2]: hi")
            self.assertEqual(member.read_line(), "[Client 2]: hi\n")
            member.type("one\ntwo\n")
            self.assertEqual(server.receive(6), b"onetwo")
        with listener() as (port, accept), Member(engine, port, "--framing", "raw") as member:
            with accept() as server:
                server.send(b"hi\n")
                self.assertEqual(member.read_line(), "hi\n")
                member.type("one\n")
                self.assertEqual(server.receive(3), b"one")
                member.end_input()
                self.assertEqual(server.receive_to_end(), b"")

    @on_every_loop
    def test_messages_stay_apart_without_ends_even_before_the_server_has_spoken(self, engine):
        said = [b"one\n", b"two\n", b"three\n"]
        # Time tells them apart, of which a busy machine may have none to spare.
        self.assertTrue(any(self.pieces(engine, b"".join(said)) == said for _ in range(10)))

    def pieces(self, engine, text):
        """What the reads of a server that says nothing bring."""
        with listener() as (port, accept), Member(engine, port) as member:
            member.type(text.decode())
            with accept() as server:
                pieces = []
                while b"".join(pieces) != text:
                    pieces.append(server.socket.recv(65536))
                member.end_input()
                self.assertEqual(server.receive_to_end(), b"")
        return pieces

    @on_every_loop
    def test_a_long_pipe_waits_for_a_slow_server(self, engine):
        lines = b"".join(b"line %d of many\n" % i for i in range(100_000))
        with listener() as (port, accept), Member(engine, port, stdin=subprocess.PIPE) as member:
            with accept() as server:
                server.send(b"* welcome\n")
                member.read_line()
                writer = subprocess.Popen(
                    ["cat"], stdin=subprocess.PIPE, stdout=member.process.stdin
                )
                member.end_input()
                writer.communicate(lines, timeout=TIMEOUT)
                self.assertEqual(server.receive_to_end(), lines)
            self.assert_ends(member, 0, "* welcome\n", r"\A\Z")

    @on_every_loop
    def test_lines_that_could_not_be_sent_are_a_failure(self, engine):
        with listener() as (port, accept), Member(engine, port) as member:
            with accept() as server:
                server.send(b"* welcome\n")
                member.read_line()
                chunk = "x" * 1000 + "\n"
                for _ in range(8000):  # more than the kernel takes
                    try:
                        member.process.stdin.write(chunk.encode())
                    except BrokenPipeError:
                        break
                    if not self.can_write(member):
                        break
                server.reset()
            self.assert_ends(member, 3, "* welcome\n", r"could not be sent$")

    @staticmethod
    def can_write(member):
        return bool(select.select([], [member.process.stdin], [], 0.5)[1])

    @on_every_loop
    def test_a_line_over_the_limit(self, engine):
        with listener() as (port, accept), Member(engine, port, "--max-line", "10") as member:
            with accept() as server:
                server.send(b"0123456789\n")
                self.assertEqual(member.read_line(), "0123456789\n")
                server.send(b"0123456789a\n")
                self.assert_ends(member, 1, None, r"sent a line longer than 10 bytes")
        with listener() as (port, accept), Member(engine, port, "--max-line", "10") as member:
            with accept() as server:
                member.type("0123456789a\nshorter\n")
                self.assertEqual(server.receive(8), b"shorter\n")
                member.end_input()
                self.assertEqual(server.receive_to_end(), b"")
                server.socket.close()
                self.assert_ends(member, 0, None, r"your line is longer than 10 bytes.*left out")

    @on_every_loop
    def test_the_output_has_no_reader(self, engine):
        with open("/dev/full", "wb") as full, listener() as (port, accept):
            with Member(engine, port, stdout=full) as member, accept() as server:
                server.send(b"one\n")
                self.assert_ends(member, 1, None, r"cannot write to standard output \(no space")

    def test_the_engine_that_waits_for_one_thing_is_refused(self):
        with Program(SLUICE, "chat", "join", "--engine", "blocking") as member:
            self.assert_ends(member, 2, "", r"use --engine epoll or --engine uring")

    def test_a_name_of_several_words_is_refused(self):
        for flag in ("--nick", "--room"):
            with Program(SLUICE, "chat", "join", flag, "two words") as member:
                self.assert_ends(member, 2, "", r"'two words' is no name")


class Reconnecting(TalkTest):
    @on_every_loop
    def test_comes_back_under_the_granted_name_and_room(self, engine):
        with listener() as (port, accept):
            flags = ("--reconnect", "--nick", "bob", "--room", "tea")
            with Member(engine, port, *flags) as member:
                with accept() as server:
                    self.assertEqual(server.receive(20), b"/nick bob\n/join tea\n")
                    server.send(b"* you are now bob\n* you are in room tea (1 here)\n")
                    member.read_line()
                    member.type("/nick robert\n/join coffee\n")
                    server.receive(26)
                    server.send(b"* you are now robert\n* you are in room coffee (1 here)\n")
                    server.send(b"* you are now eve\n")  # without a request
                    for _ in range(4):
                        member.read_line()
                member.expect_stderr(r"^the server closed the connection$")
                member.expect_stderr(r"^calling again in \d\.\d s; what you type is kept until then$")
                member.type("while away\n")
                with accept() as server:
                    self.assertEqual(server.receive(26), b"/nick robert\n/join coffee\n")
                    server.send(b"* you are now robert\n")
                    self.assertEqual(server.receive(11), b"while away\n")
                    member.expect_stderr(r"^connected to \S+ again; sending the line you typed")
                    member.type("exit\n")
                    self.assertEqual(server.receive_to_end(), b"exit\n")
                self.assert_ends(member, 0)

    @on_every_loop
    def test_a_name_that_is_still_held_is_asked_for_again(self, engine):
        with (
            listener() as (port, accept),
            Member(engine, port, "--reconnect", "--nick", "bob") as member,
        ):
            with accept() as server:
                server.receive(10)
                server.send(b"* you are now bob\n")
                member.read_line()
                server.reset()
            with accept() as server:
                taken = b"* the name bob is taken; choose another with /nick NAME\n"
                for _ in range(3):
                    self.assertEqual(server.receive(10), b"/nick bob\n")
                    server.send(taken)
                self.assertEqual(server.receive(10), b"/nick bob\n")
                server.send(b"* you are now bob\n[eve]: hi\n")
                self.assertEqual(member.read_line(), "* you are now bob\n", "the refusals were not shown")
                self.assertEqual(member.read_line(), "[eve]: hi\n")
                member.type("/nick eve\n")
                self.assertEqual(server.receive(10), b"/nick eve\n")
                server.send(taken.replace(b"bob", b"eve"))
                self.assertEqual(member.read_line(), taken.decode().replace("bob", "eve"))
                member.end_input()
                self.assertEqual(server.receive_to_end(), b"")
            err = self.assert_ends(member, 0)
            self.assertEqual(len(re.findall("still taken", err)), 1, err)

    @on_every_loop
    def test_a_name_that_another_has_is_reported_on_arrival(self, engine):
        with (
            listener() as (port, accept),
            Member(engine, port, "--reconnect", "--nick", "bob") as member,
        ):
            with accept() as server:
                server.send(b"* the name bob is taken; choose another with /nick NAME\n")
                self.assertIn("is taken", member.read_line())

    @on_every_loop
    def test_what_was_piped_in_is_sent_on_return(self, engine):
        with listener() as (port, accept), Member(engine, port, "--reconnect") as member:
            with accept():
                pass
            member.expect_stderr("^calling again")
            member.type("one\ntwo\n")
            member.end_input()
            with accept() as server:
                self.assertEqual(server.receive_to_end(), b"one\ntwo\n")
            self.assert_ends(member, 0, "")

    @on_every_loop
    def test_reconnects_while_no_server_listens(self, engine):
        with listener() as (port, accept):
            member = Member(engine, port, "--reconnect")
            accept().socket.close()
        with member:
            member.expect_stderr("^nobody listens at ")
            member.expect_stderr("^calling again")
            with socket.create_server(("127.0.0.1", port)) as second:
                second.settimeout(TIMEOUT)
                second.accept()[0].close()
            member.expect_stderr("^connected to .* again$")
            member.expect_stderr("^the server closed the connection$")
            member.expect_stderr("^calling again")
            member.signal(INTERRUPT)
            self.assert_ends(member, 130, "")

    @on_every_loop
    def test_the_end_of_input_while_away_leaves(self, engine):
        with listener() as (port, accept), Member(engine, port, "--reconnect") as member:
            with accept():
                pass
            member.expect_stderr("^calling again")
            member.end_input()
            self.assert_ends(member, 0, "")


if __name__ == "__main__":
    unittest.main()
