"""sluice talk with every kind of peer: itself, plain Python sockets, nc; whole, glued and split."""

import contextlib
import time
import unittest

from talk_rig import (
    Client,
    Program,
    Server,
    TalkTest,
    call,
    engines,
    free_port,
    listener,
    listens,
    on_every_engine,
    python_client,
    python_server,
    wait_until,
)

GREETING = "grüße, мир, 世界 🌍"


class WithItself(TalkTest):
    @on_every_engine
    def test_takes_turns_until_the_client_says_exit(self, engine):
        with Server(engine) as server, Client(engine, server.port) as client:
            client.type("hello\n")
            name = server.read_line().removesuffix(" connected\n")
            self.assertRegex(name, r"^\[Client 127\.0\.0\.1:\d+\]$")
            self.assertEqual(server.read_line(), f"{name}: hello\n")
            server.type("hi\n")
            self.assertEqual(client.read_line(), f"[Server 127.0.0.1:{server.port}]: hi\n")
            client.type(GREETING + "\n")
            self.assertEqual(server.read_line(), f"{name}: {GREETING}\n")
            server.type(GREETING + "\n")
            self.assertEqual(client.read_line(), f"[Server 127.0.0.1:{server.port}]: {GREETING}\n")
            client.type("exit\n")
            self.assert_ends(client, 0, err="\nyou ended the conversation\n")
            self.assert_ends(server, 0, err=r"\[Client 127\.0\.0\.1:\d+\] ended the conv")
            self.assertEqual("".join(server.out.seen).count("exit"), 0)

    @on_every_engine
    def test_the_server_may_say_exit(self, engine):
        with Server(engine) as server, Client(engine, server.port) as client:
            client.type("hello\n")
            server.type("exit\n")
            self.assert_ends(server, 0, err="\nyou ended the conversation\n")
            self.assert_ends(client, 0, out="", err=r"\[Server \S+\] ended the conversation\n")

    def test_engines_do_not_matter_to_each_other(self):
        for here in engines():
            for there in engines():
                with self.subTest(here=here, there=there):
                    with Server(here, "--echo") as server, Client(there, server.port) as client:
                        client.type("one\ntwo\n")
                        client.end_input()
                        name = f"[Server 127.0.0.1:{server.port}]"
                        self.assert_ends(client, 0, out=f"{name}: one\n{name}: two\n")
                        self.assert_ends(server, 0)

    @on_every_engine
    def test_pasted_lines_are_used_in_turn(self, engine):
        lines = [f"line {number}" for number in range(200)]
        with Server(engine) as server, Client(engine, server.port) as client:
            client.type("".join(f"ask {line}\n" for line in lines) + "exit\n")
            server.type("".join(f"answer {line}\n" for line in lines))
            name = f"[Server 127.0.0.1:{server.port}]"
            self.assert_ends(client, 0, "".join(f"{name}: answer {line}\n" for line in lines))
            received = server.end()[1].splitlines()[1:]
            self.assertEqual(
                [line.partition("]: ")[2] for line in received], [f"ask {line}" for line in lines]
            )

    @on_every_engine
    def test_a_message_of_the_limit_passes_both_ways(self, engine):
        text = "x" * 65536
        with Server(engine, "--echo") as server, Client(engine, server.port) as client:
            client.type(text + "\nexit\n")
            self.assert_ends(client, 0, f"[Server 127.0.0.1:{server.port}]: {text}\n")
            self.assert_ends(server, 0)


class WithPython(TalkTest):
    """Peers whose every send is a message, without a line end."""

    @on_every_engine
    def test_as_client(self, engine):
        with Server(engine) as server, python_client(server.port) as client:
            client.type("hello\n")
            name = server.read_line().removesuffix(" connected\n")
            self.assertEqual(server.read_line(), f"{name}: hello\n")
            server.type(GREETING + "\n")
            there = f"[Server 127.0.0.1:{server.port}]"
            self.assertEqual(client.read_line(), f"{there}: {GREETING}\n")
            client.type(GREETING + "\n")
            self.assertEqual(server.read_line(), f"{name}: {GREETING}\n")
            server.type("bye\n")
            self.assertEqual(client.read_line(), f"{there}: bye\n")
            client.type("exit\n")
            self.assert_ends(client, 0, err="^$")
            self.assert_ends(server, 0)

    @on_every_engine
    def test_as_server(self, engine):
        with python_server() as (server, port), Client(engine, port) as client:
            client.type("hello\n")
            name = server.read_line().removesuffix(" connected\n")
            self.assertEqual(server.read_line(), f"{name}: hello\n")
            server.type(GREETING + "\n")
            self.assertEqual(client.read_line(), f"[Server 127.0.0.1:{port}]: {GREETING}\n")
            client.type(GREETING + "\n")
            self.assertEqual(server.read_line(), f"{name}: {GREETING}\n")
            server.type("exit\n")
            self.assert_ends(client, 0, err=r"\] ended the conversation\n")
            self.assert_ends(server, 0)

    @on_every_engine
    def test_pasted_lines_both_ways(self, engine):
        with Server(engine) as server, python_client(server.port) as client:
            server.type("a\nb\nc\n")
            client.type("1\n2\n3\nexit\n")
            there = f"[Server 127.0.0.1:{server.port}]"
            self.assert_ends(client, 0, f"{there}: a\n{there}: b\n{there}: c\n")
            received = server.end()[1].splitlines()[1:]
            self.assertEqual([line[-1] for line in received], ["1", "2", "3"])

    @on_every_engine
    def test_our_exit_ends_theirs(self, engine):
        with Server(engine) as server, python_client(server.port) as client:
            client.type("hello\n")
            server.type("exit\n")
            self.assert_ends(client, 0, f"[Server 127.0.0.1:{server.port}]: exit\n")
            self.assert_ends(server, 0)
        with python_server() as (server, port), Client(engine, port) as client:
            client.type("exit\n")
            self.assert_ends(client, 0)
            self.assertRegex(server.end()[1], r"\]: exit\n$")


class WithNc(TalkTest):
    @on_every_engine
    def test_as_client(self, engine):
        with Server(engine) as server, Program("nc", "127.0.0.1", server.port) as nc:
            nc.type("hello\n")
            name = server.read_line().removesuffix(" connected\n")
            self.assertEqual(server.read_line(), f"{name}: hello\n")
            server.type(GREETING + "\n")
            self.assertEqual(nc.read_line(), GREETING + "\n")
            nc.type(GREETING + "\nexit\n")
            self.assertEqual(server.read_line(), f"{name}: {GREETING}\n")
            server.type("bye\n")
            self.assertEqual(nc.read_line(), "bye\n")
            self.assert_ends(server, 0)

    @on_every_engine
    def test_as_client_that_receives_our_exit(self, engine):
        with Server(engine) as server, Program("nc", "127.0.0.1", server.port) as nc:
            nc.type("hello\n")
            server.type("exit\n")
            self.assertEqual(nc.read_line(), "exit\n")
            self.assert_ends(server, 0)

    @on_every_engine
    def test_as_client_that_pipes_and_stops_sending(self, engine):
        with Server(engine, "--echo") as server:
            with Program("nc", "-N", "127.0.0.1", server.port) as nc:
                nc.type("one\ntwo\nexit\n")
                nc.end_input()
                self.assert_ends(nc, 0, "one\ntwo\n")
            self.assert_ends(server, 0)

    @on_every_engine
    def test_as_server(self, engine):
        with self.nc_that_listens() as (nc, port), Client(engine, port) as client:
            client.type("hello\n")
            self.assertEqual(nc.read_line(), "hello\n")
            nc.type(GREETING + "\n")
            self.assertEqual(client.read_line(), f"[Server 127.0.0.1:{port}]: {GREETING}\n")
            client.type(GREETING + "\n")
            self.assertEqual(nc.read_line(), GREETING + "\n")
            nc.type("exit\n")
            self.assert_ends(client, 0, err="ended the conversation")

    @contextlib.contextmanager
    def nc_that_listens(self):
        """nc cannot choose a port by itself, and another program may take the one that was free."""
        for _ in range(10):
            port = free_port()
            with Program("nc", "-l", "127.0.0.1", port) as nc:
                wait_until(lambda: nc.process.poll() is not None or listens(port), "nc listens")
                if nc.process.poll() is None:
                    yield nc, port
                    return
        self.fail("nc found no port that was free")


class HoweverItIsCut(TalkTest):
    @on_every_engine
    def test_lines_split_at_every_byte(self, engine):
        text = (GREETING + "\r\n").encode()
        with Server(engine, "--echo", "--framing", "line") as server:
            with call(server.port) as peer:
                peer.send_split(text * 3 + b"exit\n")
                self.assertEqual(peer.receive_to_end().decode(), (GREETING + "\n") * 3)
            received = server.end()[1]
            self.assertEqual(received.count(f"]: {GREETING}\n"), 3, received)

    @on_every_engine
    def test_a_line_may_pause_within_a_character(self, engine):
        with Server(engine, "--echo", "--framing", "line") as server:
            with call(server.port) as peer:
                for byte in "ü🌍\n".encode():
                    peer.send(bytes([byte]))
                    time.sleep(0.03)  # not to wait for anything: the pause is what is tested
                self.assertEqual(peer.receive(7), "ü🌍\n".encode())
                peer.send(b"exit\n")
            self.assertIn("]: ü🌍\n", server.end()[1])

    @on_every_engine
    def test_no_byte_is_lost_without_line_ends(self, engine):
        text = (GREETING * 3).encode()
        for framing in ("auto", "raw"):
            with Server(engine, "--echo", "--framing", framing) as server:
                with call(server.port) as peer:
                    peer.send_split(text)
                    self.assertEqual(peer.receive(len(text)), text, framing)
                    peer.send(b"exit")
                    self.assertEqual(peer.receive_to_end(), b"")
                self.assert_ends(server, 0)

    @on_every_engine
    def test_auto_takes_a_pause_for_the_end_and_answers_alike(self, engine):
        with Server(engine) as server, call(server.port) as peer:
            peer.send(b"no line end")
            self.assertEqual(server.read_line(), f"[Client {peer.name}] connected\n")
            self.assertEqual(server.read_line(), f"[Client {peer.name}]: no line end\n")
            server.type("likewise\n")
            self.assertEqual(peer.receive(8), b"likewise")
            peer.send(b"exit")
            self.assertEqual(peer.receive_to_end(), b"")
            self.assert_ends(server, 0)

    @on_every_engine
    def test_glued_messages_are_a_turn_each(self, engine):
        with Server(engine) as server, call(server.port) as peer:
            peer.send(b"one\ntwo\nthree\nexit\n")
            server.read_line()
            for question, answer in (("one", b"1\n"), ("two", b"2\n"), ("three", b"3\n")):
                self.assertEqual(server.read_line(), f"[Client {peer.name}]: {question}\n")
                server.type(answer.decode())
                self.assertEqual(peer.receive(2), answer)
            self.assert_ends(server, 0)

    @on_every_engine
    def test_the_client_waits_for_its_turn_too(self, engine):
        with listener() as (port, accept), Client(engine, port) as client:
            client.type("one\ntwo\nthree\n")
            with accept() as peer:
                self.assertEqual(peer.receive(4), b"one\n")
                peer.send(b"1\n2\nexit\n")
                self.assertEqual(peer.receive_to_end(), b"two\nthree\n")
            name = f"[Server 127.0.0.1:{port}]"
            self.assert_ends(client, 0, f"{name}: 1\n{name}: 2\n")


if __name__ == "__main__":
    unittest.main()
