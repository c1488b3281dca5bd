"""The plain-socket chat in examples/python: its server with our client, its client with its server."""

import contextlib
import socket
import sys
import unittest

from chat_join_rig import Member, Typist
from talk_rig import PEERS, Program, TalkTest, call, on_every_loop


@contextlib.contextmanager
def python_server():
    """The program, and its port."""
    with Program(sys.executable, "-B", PEERS / "chat_server.py", 0) as program:
        yield program, int(program.expect_stderr(r"^listening on 127\.0\.0\.1:(\d+)$")[1])


def python_client(port):
    return Program(sys.executable, "-B", PEERS / "chat_client.py", "127.0.0.1", port)


class PythonServer(TalkTest):
    def arrive(self, server, number):
        self.assertRegex(server.read_line(), rf"\A<< Client {number} connected from 127\.0\.0\.1:\d+ >>\n\Z")

    @on_every_loop
    def test_our_client_is_a_member(self, engine):
        with python_server() as (server, port), call(port) as other:
            self.arrive(server, 1)
            with Member(engine, port) as member:
                self.arrive(server, 2)
                # One by one: two messages without ends in one read are one.
                for said in ("hello", "wie geht's, grüß dich 🙂"):
                    member.type(f"{said}\n")
                    line = f"[Client 2]: {said}"
                    self.assertEqual(server.read_line(), f"{line}\n")
                    self.assertEqual(other.receive(len(line.encode())), line.encode())
                other.send(b"and you")
                self.assertEqual(member.read_line(), "[Client 1]: and you\n", "shown without an end")
                self.assertEqual(server.read_line(), "[Client 1]: and you\n")
                member.type("last")
                member.end_input()
                self.assertEqual(server.read_line(), "[Client 2]: last\n")
                self.assertEqual(server.read_line(), "<< Client 2 disconnected >>\n")
                self.assert_ends(member, 0, "[Client 1]: and you\n", r"\A\Z")

    @on_every_loop
    def test_our_client_leaves_with_exit_and_learns_that_the_server_is_gone(self, engine):
        with python_server() as (server, port):
            with Member(engine, port) as member:
                self.arrive(server, 1)
                member.type("exit\n")
                self.assert_ends(member, 0, "", r"\A\Z")
                self.assertEqual(server.read_line(), "<< Client 1 disconnected >>\n")
            with Member(engine, port) as member:
                self.arrive(server, 2)
                server.process.kill()
                self.assert_ends(member, 3, "", r"^sluice: the server ")

    @on_every_loop
    def test_a_person_at_a_terminal_is_a_member(self, engine):
        with python_server() as (server, port), Typist(engine, port) as me:
            self.arrive(server, 1)
            with call(port) as other:
                self.arrive(server, 2)
                me.type("hel")
                me.see(["> hel"])
                other.send(b"hi")
                me.see(["[Client 2]: hi", "> hel"])
                me.type("lo\r")
                self.assertEqual(other.receive(17), b"[Client 1]: hello")
                me.type("\x04")
                self.assertEqual(me.end(), 0)

    def test_python_alone(self):
        with python_server() as (server, port), python_client(port) as one:
            self.arrive(server, 1)
            with python_client(port) as two:
                self.arrive(server, 2)
                one.type("hello\n\n  \n")
                self.assertEqual(two.read_line(), "[Client 1]: hello\n")
                two.type("hi\nexit\n")
                self.assertEqual(one.read_line(), "[Client 2]: hi\n")
                self.assertEqual(two.end(), (0, "[Client 1]: hello\n", ""))
            one.type("last")
            one.end_input()
            self.assertEqual(one.end(), (0, "[Client 2]: hi\n", ""))
            said = [server.read_line() for _ in range(5)]
            self.assertEqual(
                said,
                [
                    "[Client 1]: hello\n",
                    "[Client 2]: hi\n",
                    "<< Client 2 disconnected >>\n",
                    "[Client 1]: last\n",
                    "<< Client 1 disconnected >>\n",
                ],
            )

    def test_the_python_client_says_that_its_server_is_gone(self):
        with python_server() as (server, port), python_client(port) as one:
            self.arrive(server, 1)
            server.process.kill()
            server.process.wait()
            # It looks when it is to send.
            one.type("hello\n")
            one.type("hello\n")
            status, _, errors = one.end()
            self.assertEqual(status, 1)
            self.assertRegex(errors, "the server closed the connection|the chat failed")

    def test_a_client_that_does_not_read_is_dropped_in_the_end(self):
        with python_server() as (server, port), call(port) as lazy, call(port) as other:
            self.arrive(server, 1)
            self.arrive(server, 2)
            lazy.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            message = b"x" * 60_000
            said = []
            while "<< Client 1 disconnected >>\n" not in said:
                other.send(message)
                said.append(server.read_line())


if __name__ == "__main__":
    unittest.main()
