"""One room of all kinds of clients: ours, the Python client, nc, a bare socket, on our server."""

import contextlib
import random
import socket
import sys
import unittest

from chat_join_rig import Member
from talk_rig import PEERS, SLUICE, Program, TalkTest, call, on_every_loop


class ChatServer(Program):
    """`sluice chat serve` on a port of the kernel's choice."""

    def __init__(self, engine, *flags, port=0):
        where = ("--listen", f"127.0.0.1:{port}", "--engine", engine)
        super().__init__(SLUICE, "chat", "serve", *where, *flags)
        self.port = int(self.expect_stderr(r"^listening on 127\.0\.0\.1:(\d+) \(event, ")[1])


def lasting_port():
    """A free port that stays free without a listener: not an ephemeral one."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as one, contextlib.suppress(OSError):
            one.bind(("127.0.0.1", port))
            return port


def until(program, line):
    """What the program printed up to `line`, which is the last."""
    said = []
    while not said or said[-1] != line:
        said.append(program.read_line())
    return said


class Room(TalkTest):
    @on_every_loop
    def test_every_client_receives_from_every_other(self, engine):
        with ChatServer(engine) as server:
            python = Program(sys.executable, "-B", PEERS / "chat_client.py", "127.0.0.1", server.port)
            plain = Program("nc", "127.0.0.1", server.port)
            with Member(engine, server.port, "--nick", "ann") as ann, python, plain:
                until(ann, "* you are now ann\n")
                for program, name in ((python, "py"), (plain, "cat")):
                    program.type(f"/nick {name}\n")
                    while True:
                        if f"* you are now {name}" in program.read_line():
                            break
                with call(server.port) as bare:
                    # Without a newline: received after a pause, and answered without one.
                    bare.send(b"hello from a bare socket")
                    for program in (ann, python, plain):
                        while "hello from a bare socket" not in program.read_line():
                            pass
                    for speaker, name in ((ann, "ann"), (python, "py"), (plain, "cat")):
                        speaker.type(f"{name} says grüß dich 🙂\n")
                        said = f"[{name}]: {name} says grüß dich 🙂"
                        for listener in (ann, python, plain):
                            if listener is not speaker:
                                until(listener, f"{said}\n")
                        data = b""
                        while said.encode() not in data:
                            data += bare.receive(1)
                        self.assertFalse(data.endswith(b"\n"))
                ann.type("exit\n")
                self.assertEqual(ann.end()[0], 0)
                python.type("exit\n")
                self.assertEqual(python.end()[0], 0)

    @on_every_loop
    def test_a_client_comes_back_under_its_name_when_the_server_does(self, engine):
        port = lasting_port()
        with ChatServer(engine, port=port) as server:
            ann = Member(engine, port, "--nick", "ann", "--room", "tea", "--reconnect")
            with ann:
                until(ann, "* you are in room tea (1 here)\n")
                server.process.kill()
                server.process.wait()
                with ChatServer(engine, port=port):
                    until(ann, "* you are in room tea (1 here)\n")
                    with call(port) as other:
                        other.send(b"/join tea\n/msg ann welcome back\n")
                        until(ann, "[Client 2 -> you]: welcome back\n")


if __name__ == "__main__":
    unittest.main()
