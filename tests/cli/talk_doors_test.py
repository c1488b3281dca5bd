"""sluice talk with too many clients, too much said, and listeners that are closed."""

import os
import pathlib
import unittest

from talk_rig import (
    SLUICE,
    TERMINATE,
    Client,
    Program,
    Server,
    TalkTest,
    call,
    free_port,
    listener,
    on_every_engine,
)


class Others(TalkTest):
    @on_every_engine
    def test_wait_in_the_backlog_and_are_never_served(self, engine):
        with Server(engine) as server, call(server.port) as first, call(server.port) as second:
            second.send(b"me too\n")
            first.send(b"hello\n")
            server.type("hi\n")
            self.assertEqual(first.receive(3), b"hi\n")
            first.send(b"exit\n")
            self.assert_ends(
                server,
                0,
                f"[Client {first.name}] connected\n[Client {first.name}]: hello\n",
            )
            # The server did not read what it said, so this is no orderly end.
            self.assertRaises(ConnectionResetError, second.receive_to_end)

    @on_every_engine
    def test_are_next_if_we_keep_on(self, engine):
        with Server(engine, "--keep") as server, call(server.port) as first:
            with call(server.port) as second, call(server.port) as third:
                second.send(b"me too\n")
                first.send(b"hello\n")
                server.type("hi\n")
                self.assertEqual(first.receive(3), b"hi\n")
                first.reset()
                server.expect_stderr(rf"^sluice: \[Client {first.name}\] went away during its own")
                server.type("you too\n")
                self.assertEqual(second.receive(8), b"you too\n")
                second.send(b"exit\n")
                self.assertEqual(second.receive_to_end(), b"")
                third.send(b"and I\n")
                server.type("exit\n")
                self.assertEqual(third.receive_to_end(), b"exit\n")
                with call(server.port) as fourth:
                    fourth.send(b"exit\n")
                    self.assertEqual(fourth.receive_to_end(), b"")
                server.signal(TERMINATE)
                out = "".join(
                    f"[Client {name}] connected\n" + (f"[Client {name}]: {text}\n" if text else "")
                    for name, text in (
                        (first.name, "hello"),
                        (second.name, "me too"),
                        (third.name, "and I"),
                        (fourth.name, ""),
                    )
                )
                self.assert_ends(server, 0, out)


class TooMuch(TalkTest):
    @on_every_engine
    def test_a_mebibyte_is_refused_in_words_and_ends_orderly(self, engine):
        with Server(engine) as server, call(server.port) as peer:
            peer.send(b"hello\n")
            server.type("hi\n")
            self.assertEqual(peer.receive(3), b"hi\n")
            peer.send(b"x" * (1 << 20) + b"\n")
            reason = b"error: message longer than 65536 bytes\n"
            self.assertEqual(peer.receive(len(reason)), reason)
            peer.finish()
            self.assertEqual(peer.receive_to_end(), b"")
            self.assert_ends(server, 1, err=r"^sluice: \[Client \S+\] sent a message longer than 655")

    @on_every_engine
    def test_from_a_program_that_writes_it_all_before_it_reads(self, engine):
        with Server(engine) as server:
            with Program("nc", "-N", "127.0.0.1", server.port) as nc:
                nc.type("x" * (1 << 20) + "\n")
                nc.end_input()
                self.assert_ends(nc, 0, "error: message longer than 65536 bytes\n")
            self.assert_ends(server, 1)

    @on_every_engine
    def test_without_line_ends_the_reason_has_none(self, engine):
        with Server(engine, "--framing", "raw", "--max-line", "10") as server:
            with call(server.port) as peer:
                peer.send(b"x" * 11)
                peer.finish()
                self.assertEqual(peer.receive_to_end(), b"error: message longer than 10 bytes")
            self.assert_ends(server, 1)

    @on_every_engine
    def test_ends_only_that_conversation_if_we_keep_on(self, engine):
        with Server(engine, "--keep", "--max-line", "1K") as server:
            with call(server.port) as peer:
                peer.send(b"x" * 1025)
                peer.finish()
                self.assertEqual(peer.receive_to_end(), b"error: message longer than 1024 bytes\n")
            with call(server.port) as peer:
                peer.send(b"hello\n")
                server.type("hi\n")
                self.assertEqual(peer.receive(3), b"hi\n")

    @on_every_engine
    def test_a_server_that_talks_too_much(self, engine):
        with listener() as (port, accept), Client(engine, port) as client, accept() as peer:
            client.type("hello\n")
            self.assertEqual(peer.receive(6), b"hello\n")
            peer.send(b"x" * (1 << 20))
            peer.finish()
            self.assertEqual(peer.receive_to_end(), b"error: message longer than 65536 bytes\n")
            self.assert_ends(client, 1, "", "sent a message longer than 65536 bytes")


class Listeners(TalkTest):
    @on_every_engine
    def test_connection_refused(self, engine):
        port = free_port()
        with Client(engine, port) as client:
            self.assert_ends(
                client,
                3,
                "",
                rf"^sluice: nobody listens at 127.0.0.1:{port} \(connection refused\): start a server "
                "there with 'sluice talk serve', or correct the address$",
            )

    @on_every_engine
    def test_a_name_with_two_addresses(self, engine):
        with Server(engine, "--echo") as server:
            with Client(engine, f"localhost:{server.port}") as client:
                client.type("hello\n")
                client.end_input()
                self.assert_ends(client, 0, f"[Server 127.0.0.1:{server.port}]: hello\n")

    def test_a_name_that_does_not_exist(self):
        with Client("epoll", "nobody.invalid:5000") as client:
            self.assert_ends(client, 3, "", "^sluice: cannot find 'nobody.invalid:5000' ")
        self.assert_no_server("nobody.invalid:5000", "cannot listen on 'nobody.invalid:5000': ")

    def test_the_port_is_taken(self):
        with listener() as (port, _):
            self.assert_no_server(
                f"127.0.0.1:{port}",
                f"cannot listen on 127.0.0.1:{port}: address already in use; end the program that "
                "has it, or choose another port with --listen\n",
            )

    def test_the_address_is_not_ours(self):
        self.assert_no_server("192.0.2.1:0", "cannot listen on 192.0.2.1:0: ")

    def test_a_port_that_is_roots(self):
        first = pathlib.Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
        if os.getuid() != 0 or int(first.read_text(encoding="ascii")) <= 1:
            self.skipTest("needs root, who becomes somebody else, and ports that are only root's")
        executable = os.open(SLUICE, os.O_RDONLY)
        self.addCleanup(os.close, executable)

        def become_nobody():
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)

        with Program(
            f"/proc/self/fd/{executable}",
            *("talk", "serve", "--listen", "1"),
            pass_fds=[executable],
            preexec_fn=become_nobody,
            cwd="/",
        ) as server:
            self.assert_ends(server, 1, "", "^sluice: cannot listen on 127.0.0.1:1: permission de")

    def assert_no_server(self, where, why):
        with Program(SLUICE, "talk", "serve", "--listen", where) as server:
            status, out, err = server.end()
            self.assertEqual((status, out), (1, ""), err)
            self.assertIn("sluice: " + why, err)
            self.assertNotIn("listening on", err)


if __name__ == "__main__":
    unittest.main()
