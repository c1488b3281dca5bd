"""sluice talk and signals: the first one asks, the second one does not."""

import unittest

from talk_rig import (
    INTERRUPT,
    TERMINATE,
    Client,
    Server,
    TalkTest,
    call,
    engines,
    listener,
    on_every_engine,
    sanitized,
    side_by_side,
)

STATUS = ((INTERRUPT, 130), (TERMINATE, 0))


class Serving(TalkTest):
    @on_every_engine
    def test_without_a_conversation_it_ends_at_once(self, engine):
        for number, status in STATUS:
            for flags in ((), ("--keep",)):
                with Server(engine, *flags) as server:
                    server.signal(number)
                    self.assertRegex(self.assert_ends(server, status, ""), r"\Alistening on .*\n\Z")

    def test_a_signal_may_come_as_soon_as_it_says_that_it_listens(self):
        # Many at a time, so that some lose their core between what they say and what they do next.
        def check(engine):
            for number, status in STATUS * (1 if sanitized() else 3):
                with Server(engine) as server:
                    server.signal(number)
                    self.assert_ends(server, status, "")

        cases = [({"engine": e, "number": n}, e) for e in engines() for n in range(4)]
        side_by_side(self, cases, check)

    @on_every_engine
    def test_a_conversation_may_end_by_itself(self, engine):
        for number, status in STATUS:
            with Server(engine, "--keep", "--grace", "1h") as server, call(server.port) as peer:
                with call(server.port) as second:
                    server.read_line()
                    server.signal(number)
                    server.expect_stderr("^stopping: the conversation may go on for 3600 s")
                    peer.send(b"hello\n")
                    server.type("hi\n")
                    self.assertEqual(peer.receive(3), b"hi\n")
                    peer.send(b"exit\n")
                    self.assertEqual(peer.receive_to_end(), b"")
                    self.assert_ends(
                        server,
                        status,
                        f"[Client {peer.name}] connected\n[Client {peer.name}]: hello\n",
                    )
                    self.assertRaises(ConnectionResetError, second.receive_to_end)

    @on_every_engine
    def test_after_the_grace_the_client_receives_exit(self, engine):
        for number, status in STATUS:
            with Server(engine, "--grace", "50ms") as server, call(server.port) as peer:
                server.read_line()
                peer.send(b"hello\n")
                server.read_line()
                server.signal(number)
                self.assertEqual(peer.receive_to_end(), b"exit\n")
                self.assert_ends(server, status)

    @on_every_engine
    def test_the_second_ends_it_at_once(self, engine):
        for number, status in STATUS:
            for their_turn in (True, False):
                with Server(engine, "--grace", "1h") as server, call(server.port) as peer:
                    server.read_line()
                    if not their_turn:
                        peer.send(b"hello\n")
                        server.read_line()
                    server.signal(number)
                    server.expect_stderr("^stopping")
                    server.signal(TERMINATE)
                    self.assertEqual(peer.receive_to_end(), b"")
                    self.assert_ends(server, status)

    @on_every_engine
    def test_two_at_once_count_as_two(self, engine):
        with Server(engine, "--grace", "1h") as server, call(server.port):
            server.read_line()
            server.signal(INTERRUPT)
            server.signal(TERMINATE)
            self.assertIn(server.end()[0], (0, 130))


class Joining(TalkTest):
    @on_every_engine
    def test_the_server_receives_exit_whichever_side_has_the_turn(self, engine):
        for number, status in STATUS:
            for said in (b"", b"hello\n"):
                with listener() as (port, accept), Client(engine, port) as client, accept() as peer:
                    client.expect_stderr("^connected to")
                    client.type(said.decode())
                    self.assertEqual(peer.receive(len(said)), said)
                    client.signal(number)
                    self.assertEqual(peer.receive_to_end(), b"exit\n")
                    peer.finish()
                    self.assert_ends(client, status, "")

    @on_every_engine
    def test_our_server_ends_orderly(self, engine):
        with Server(engine) as server, Client(engine, server.port) as client:
            client.type("hello\n")
            server.read_line()
            server.read_line()
            client.signal(INTERRUPT)
            self.assert_ends(client, 130)
            if engine == "blocking":
                server.type("hi\n")
            self.assert_ends(server, 0, err=r"^\[Client \S+\] ended the conversation$")


if __name__ == "__main__":
    unittest.main()
