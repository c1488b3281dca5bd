"""sluice talk with peers that go away without a word: closed, killed, reset."""

import unittest

from talk_rig import (
    KILL,
    Client,
    Server,
    TalkTest,
    call,
    listener,
    on_every_engine,
    on_every_loop,
    python_client,
)


class PeersThatVanish(TalkTest):
    @on_every_engine
    def test_killed_in_its_own_turn(self, engine):
        with Server(engine) as server, python_client(server.port) as client:
            client.type("hello\n")
            server.type("hi\n")
            client.read_line()
            client.signal(KILL)
            self.assert_ends(server, 3, err=r"^sluice: \[Client \S+\] went away during its own ")

    @on_every_loop
    def test_killed_while_we_think(self, engine):
        with Server(engine) as server, python_client(server.port) as client:
            client.type("hello\n")
            server.read_line()
            server.read_line()
            client.signal(KILL)
            self.assert_ends(server, 3, err=r"^sluice: \[Client \S+\] went away during your turn")

    @on_every_loop
    def test_ours_is_killed_while_we_think(self, engine):
        with Server(engine) as server:
            with Client(engine, server.port) as client:
                client.type("hello\n")
                server.read_line()
                server.read_line()
                client.signal(KILL)
                self.assert_ends(server, 3, err=r"^sluice: \[Client \S+\] went away during your ")

    @on_every_engine
    def test_killed_while_we_think_is_known_at_the_next_use(self, engine):
        with Server(engine) as server, python_client(server.port) as client:
            client.type("hello\n")
            server.read_line()
            server.read_line()
            client.signal(KILL)
            client.process.wait()
            if engine == "blocking":
                server.type("are you there?\n")
            self.assert_ends(server, 3, err=r"^sluice: \[Client \S+\] went away")

    @on_every_engine
    def test_reset_in_its_own_turn(self, engine):
        with Server(engine) as server, call(server.port) as peer:
            peer.send(b"hello\n")
            server.type("hi\n")
            peer.receive(3)
            peer.reset()
            self.assert_ends(
                server,
                3,
                err=rf"^sluice: \[Client {peer.name}\] went away during its own turn, without "
                r"'exit' \(connection reset by peer\)$",
            )

    @on_every_loop
    def test_reset_while_we_think(self, engine):
        with Server(engine) as server, call(server.port) as peer:
            peer.send(b"hello\n")
            server.read_line()
            server.read_line()
            peer.reset()
            self.assert_ends(server, 3, err="during your turn, without 'exit' .connection reset by")

    @on_every_engine
    def test_reset_in_the_middle_of_a_message(self, engine):
        with Server(engine, "--framing", "line") as server, call(server.port) as peer:
            peer.send(b"hello, this is")
            server.read_line()
            peer.reset()
            self.assert_ends(server, 3, f"[Client {peer.name}] connected\n")

    @on_every_engine
    def test_a_server_that_vanishes(self, engine):
        with listener() as (port, accept), Client(engine, port) as client:
            client.type("hello\n")
            with accept() as peer:
                peer.receive(6)
            self.assert_ends(client, 3, "", rf"^sluice: \[Server 127.0.0.1:{port}\] went away ")

    @on_every_loop
    def test_a_server_that_vanishes_while_we_think(self, engine):
        with listener() as (port, accept), Client(engine, port) as client:
            peer = accept()
            client.expect_stderr("^connected to")
            peer.reset()
            self.assert_ends(client, 3, "", "during your turn, without 'exit' .connection reset by")

    @on_every_engine
    def test_one_that_stops_sending_is_still_answered(self, engine):
        with Server(engine) as server, call(server.port) as peer:
            server.type("hi\n")
            peer.send(b"hello\n")
            peer.finish()
            self.assertEqual(peer.receive_to_end(), b"hi\n")
            self.assert_ends(server, 3, err="during its own turn, without 'exit'$")


if __name__ == "__main__":
    unittest.main()
