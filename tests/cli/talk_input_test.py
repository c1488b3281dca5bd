"""sluice talk with every kind of stdin but a terminal: pipes, files, nothing at all."""

import os
import subprocess
import tempfile
import unittest

from talk_rig import (
    Client,
    Server,
    TalkTest,
    call,
    listener,
    on_every_engine,
)


class Stdin(TalkTest):
    @on_every_engine
    def test_a_regular_file(self, engine):
        with tempfile.TemporaryFile() as answers, tempfile.TemporaryFile() as questions:
            answers.write(b"1\n2\nnever needed\n")
            answers.seek(0)
            questions.write("eins\nzwei\nüber, ohne Ende".encode())
            questions.seek(0)
            with Server(engine, stdin=answers) as server:
                with Client(engine, server.port, stdin=questions) as client:
                    name = f"[Server 127.0.0.1:{server.port}]"
                    out = f"{name}: 1\n{name}: 2\n{name}: never needed\n"
                    err = self.assert_ends(client, 0, out)
                    self.assertIn("your input is at its end: you ended the conversation\n", err)
                received = server.end()[1].splitlines()[1:]
                self.assertEqual(
                    [line.partition("]: ")[2] for line in received],
                    ["eins", "zwei", "über, ohne Ende"],
                )

    @on_every_engine
    def test_dev_null_answers_exit(self, engine):
        with Server(engine, stdin=subprocess.DEVNULL) as server, call(server.port) as peer:
            peer.send(b"hello\n")
            self.assertEqual(peer.receive_to_end(), b"exit\n")
            self.assert_ends(
                server,
                0,
                f"[Client {peer.name}] connected\n[Client {peer.name}]: hello\n",
                "your input is at its end",
            )
        with listener() as (port, accept):
            with Client(engine, port, stdin=subprocess.DEVNULL) as client, accept() as peer:
                self.assertEqual(peer.receive_to_end(), b"exit\n")
                self.assert_ends(client, 0, "")

    @on_every_engine
    def test_the_end_before_our_turn_does_not_matter(self, engine):
        with Server(engine) as server:
            server.end_input()
            with call(server.port) as peer:
                server.read_line()
                peer.send(b"hello\n")
                self.assertEqual(peer.receive_to_end(), b"exit\n")
            self.assert_ends(server, 0)

    @on_every_engine
    def test_an_echo_needs_none(self, engine):
        with Server(engine, "--echo", stdin=subprocess.DEVNULL) as server:
            with call(server.port) as peer:
                peer.send(b"hello\nexit\n")
                self.assertEqual(peer.receive_to_end(), b"hello\n")
            self.assert_ends(server, 0)

    @on_every_engine
    def test_closed(self, engine):
        with Server(engine, stdin=None, preexec_fn=lambda: os.close(0)) as server:
            with call(server.port) as peer:
                peer.send(b"hello\n")
                self.assertEqual(peer.receive_to_end(), b"exit\n")
            self.assert_ends(server, 0)

    @on_every_engine
    def test_a_server_that_keeps_on_ends_when_its_input_has_ended(self, engine):
        with Server(engine, "--keep", stdin=subprocess.DEVNULL) as server:
            with call(server.port) as peer:
                peer.send(b"hello\n")
                self.assertEqual(peer.receive_to_end(), b"exit\n")
            self.assert_ends(server, 0, err="nobody can answer the next client, so the server")

    @on_every_engine
    def test_a_line_that_is_too_long(self, engine):
        with Server(engine, "--max-line", "1K") as server, call(server.port) as peer:
            server.type("x" * 1025 + "\nshorter\n")
            peer.send(b"hello\n")
            self.assertEqual(peer.receive(8), b"shorter\n")
            server.end_input()
            peer.send(b"bye\n")
            self.assertEqual(peer.receive_to_end(), b"exit\n")
            self.assert_ends(server, 0, err="^sluice: your line is longer than 1024 bytes.*left out")

    @on_every_engine
    def test_one_that_cannot_be_read(self, engine):
        folder = os.open("/", os.O_RDONLY)
        try:
            with Server(engine, stdin=folder) as server, call(server.port) as peer:
                peer.send(b"hello\n")
                self.assertEqual(peer.receive_to_end(), b"exit\n")
                self.assert_ends(server, 1, err="cannot read your input .is a directory")
        finally:
            os.close(folder)


if __name__ == "__main__":
    unittest.main()
