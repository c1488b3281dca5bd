"""The doors that take lines over TLS: chat, talk and compute, and their clients."""

import contextlib
import os
import pathlib
import pty
import re
import socket
import tempfile
import unittest

from chat_rig import ChatServer, Member
from compute_rig import on_every_model as on_every_compute_model
from files_http_rig import HttpServer
from talk_rig import SLUICE, TERMINATE, Ended, Program, Server, TalkTest, call, on_every_engine, on_every_loop, one_by_one
from tls_rig import Authority, dial_tls, fingerprint_said_by

SENTENCE = b"* this port speaks TLS: write tls:// in front of its address\n"


class TlsMember(Member):
    """A member whose socket is secure."""

    def __init__(self, port):
        self.socket = dial_tls(port)
        self.waiting = b""


class LineTest(TalkTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.authority = Authority(cls.addClassCleanup)
        cls.pair = cls.authority.sign("localhost")
        cls.flags = ("--cert", cls.pair[0], "--key", cls.pair[1])

    def join(self, *words, **options):
        return Program(SLUICE, *words, "--ca", self.authority.file, **options)


class Chat(LineTest):
    @on_every_loop
    def test_members_hear_each_other(self, engine):
        with ChatServer(engine, *self.flags) as server:
            members = [TlsMember(server.port).greeted() for _ in range(20)]
            with contextlib.ExitStack() as all_members:
                for each in members:
                    all_members.enter_context(each)
                for number, each in enumerate(members):
                    each.say(f"line {number}")
                for number, each in enumerate(members):
                    heard = set()
                    wanted = {f"line {n}" for n in range(len(members)) if n != number}
                    while heard != wanted:
                        line = each.line()
                        if found := re.search(r"\]: (line \d+)$", line):
                            heard.add(found[1])
                server.signal(TERMINATE)
                for each in members:
                    self.assertEqual(each.until("going down")[-1], "* the server is going down")
                    self.assertIsNone(each.line())  # the end is announced
                self.assert_ends(server, 0)

    @on_every_loop
    def test_a_flood_arrives_whole_and_in_order(self, engine):
        with ChatServer(engine, *self.flags, "--window", "64M") as server:
            with TlsMember(server.port).greeted() as speaker, TlsMember(server.port).greeted() as hearer:
                speaker.until("has joined")
                count, filler = 3000, "x" * 1000
                speaker.send("".join(f"{n} {filler}\n" for n in range(count)).encode())
                for number in range(count):
                    self.assertEqual(hearer.line(), f"[Client 1]: {number} {filler}")

    @on_every_loop
    def test_our_client_joins_and_is_heard(self, engine):
        with ChatServer(engine, *self.flags) as server, TlsMember(server.port).greeted() as member:
            at = f"tls://localhost:{server.port}"
            with self.join("chat", "join", at, "--nick", "ann", "--engine", engine) as client:
                client.type("hello\n")
                member.until(r"\[ann\]: hello")
                member.say("welcome")
                while client.read_line() != "[Client 1]: welcome\n":
                    pass
                client.end_input()
                self.assert_ends(client, 0)

    @on_every_loop
    def test_who_speaks_in_the_clear_is_told(self, engine):
        with ChatServer(engine, *self.flags) as server:
            with call(server.port) as plain:
                plain.send(b"hello\n")
                self.assertEqual(plain.receive_to_end(), SENTENCE)
            with TlsMember(server.port).greeted() as member:
                member.say("/who")
                self.assertIn("1", member.line())

    @on_every_loop
    def test_a_member_that_reads_nothing_holds_up_no_other(self, engine):
        with ChatServer(engine, *self.flags) as server:
            with TlsMember(server.port) as deaf, TlsMember(server.port) as speaker:
                with TlsMember(server.port).greeted() as hearer:
                    filler = "x" * 4000
                    for number in range(2000):
                        speaker.say(f"{number} {filler}")
                        hearer.until(rf": {number} x")
                    # What it was sent before it fell behind is whole, and it is told of the rest.
                    missed = deaf.until(r"^\* you missed \d+ messages?$")
                    numbers = [int(m[1]) for line in missed if (m := re.search(r": (\d+) x", line))]
                    self.assertEqual(numbers, list(range(len(numbers))))


class Both(LineTest):
    """Doors that speak TLS and the clear."""

    @on_every_loop
    def test_members_of_a_chat(self, engine):
        with ChatServer(engine, *self.flags, "--clear-too") as server:
            # One that waits to be greeted is greeted, if after a while.
            with TlsMember(server.port).greeted() as secure, Member(server.port).greeted() as plain:
                secure.say("over TLS")
                plain.until(r"\]: over TLS$")
                plain.say("in the clear")
                secure.until(r"\]: in the clear$")

    @on_every_compute_model
    def test_questions(self, start):
        with start(*self.flags, "--clear-too") as server:
            for _ in range(2):
                with dial_tls(server.port) as client:
                    client.sendall(b"10\n")
                    self.assertEqual(client.recv(10), b"89\n")
                with call(server.port) as client:
                    client.send(b"10\n")
                    self.assertEqual(client.receive(3), b"89\n")

    @on_every_compute_model
    def test_clients_that_say_nothing(self, start):
        with start(*self.flags, "--clear-too") as server:
            with call(server.port) as client:
                client.socket.shutdown(socket.SHUT_WR)
                self.assertEqual(client.receive_to_end(), b"")

    def test_client_authorities_are_for_all(self):
        with self.assertRaisesRegex(Ended, "--clear-too all; leave one of them out"):
            ChatServer("epoll", *self.flags, "--clear-too", "--client-ca", self.authority.file)


class Compute(LineTest):
    @on_every_compute_model
    def test_questions_are_answered(self, start):
        with start(*self.flags) as server:
            with dial_tls(server.port) as peer:
                peer.sendall(b"10\n20\n")
                answer = b""
                while answer.count(b"\n") < 2:
                    answer += peer.recv(100)
                self.assertEqual(answer, b"89\n10946\n" if answer[:2] == b"89" else b"55\n6765\n")
            at = f"tls://localhost:{server.port}"
            with self.join("compute", "ask", at, "10", "--requests", "20", "--clients", "3") as client:
                self.assertEqual(client.end()[0], 0)
            with call(server.port) as plain:
                plain.send(b"10\n")
                self.assertEqual(plain.receive_to_end(), SENTENCE)


class Talk(LineTest):
    @on_every_engine
    def test_a_conversation(self, engine):
        with Server(engine, "--echo", "--keep", *self.flags) as server:
            at = f"tls://localhost:{server.port}"
            with self.join("talk", "join", at, "--engine", engine) as client:
                client.type("one\ntwo\nexit\n")
                status, out, err = client.end()
                self.assertEqual((status, out.count("]: one"), out.count("]: two")), (0, 1, 1), err)
            with dial_tls(server.port) as peer:
                peer.sendall(b"three\n")
                self.assertEqual(peer.recv(100), b"three\n")


class Known(LineTest):
    """Servers that nothing vouches for, and what the user says of them."""

    def ask(self, server, home, answer, words=None, greeting=b"you have the first word"):
        """Runs a client on a terminal of its own and types an answer to its question: its status, and
        what it showed."""
        words = words or ("talk", "join", f"tls://localhost:{server.port}")
        pid, terminal = pty.fork()
        if pid == 0:
            os.environ["HOME"] = str(home)
            os.environ.pop("XDG_STATE_HOME", None)
            os.environ.pop("STATE_DIRECTORY", None)
            os.execv(SLUICE, [SLUICE, *words])
        shown = b""
        answered = left = False
        with contextlib.suppress(OSError):
            while more := os.read(terminal, 4096):
                shown += more
                if not answered and b"(yes/no) " in shown:
                    os.write(terminal, answer)
                    answered = True
                if greeting in shown and not left:
                    os.write(terminal, b"exit\n")
                    left = True
        os.close(terminal)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode()

    def home(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return pathlib.Path(folder.name)

    def test_the_question_ends_by_ctrl_c(self):
        home = self.home()
        of_files = HttpServer(self.home(), *self.flags)
        with Server("epoll", "--echo", "--keep", *self.flags) as lines, of_files as files:
            at = f"tls://localhost:{lines.port}"
            for server, words in (
                (lines, ("talk", "join", at)),
                (lines, ("chat", "join", at)),
                (lines, ("compute", "ask", at, "10")),
                (files, ("files", "get", f"https://localhost:{files.port}/a", "-o", home / "a")),
            ):
                with self.subTest(words):
                    status, shown = self.ask(server, home, b"\x03", words)
                    self.assertEqual(status, 130, shown)
                    self.assertIn("is not trusted", shown)
        self.assertFalse((home / ".local/state/sluice/known_servers").exists())

    @on_every_loop(how=one_by_one)
    def test_the_question_is_asked_beside_a_line_editor(self, engine):
        home = self.home()
        with ChatServer(engine, *self.flags) as server:
            words = ("chat", "join", f"tls://localhost:{server.port}")
            status, shown = self.ask(server, home, b"yes\n", words, b"welcome, you are")
            self.assertEqual(status, 0, shown)
        self.assertTrue((home / ".local/state/sluice/known_servers").exists())

    def test_an_unknown_server_is_asked_about_once(self):
        home = self.home()
        with Server("epoll", "--echo", "--keep", *self.flags) as server:
            said = fingerprint_said_by(server)
            status, shown = self.ask(server, home, b"no\n")
            self.assertEqual(status, 3, shown)
            self.assertRegex(shown, f"fingerprint is {said}\r\n(.*\r?\n)*.* is not trusted")
            for question in (True, False):
                status, shown = self.ask(server, home, b"yes\n")
                self.assertEqual((status, "(yes/no)" in shown), (0, question), shown)
            known = home / ".local/state/sluice/known_servers"
            self.assertEqual(known.read_text(), f"localhost:{server.port} {said}\n")
            known.write_text(f"localhost:{server.port} {'0' * 64}\n")
            status, shown = self.ask(server, home, b"yes\n")
            self.assertEqual(status, 3, shown)
            self.assertIn(f"HAS CHANGED: its SHA-256 fingerprint is {said}, and was 000", shown)
        self.assertEqual(known.stat().st_mode & 0o777, 0o600)


if __name__ == "__main__":
    unittest.main()
