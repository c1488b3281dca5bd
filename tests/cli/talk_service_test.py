"""`sluice talk serve` under a service manager: what it says, the socket it is given, its pid file."""

import pathlib
import signal
import tempfile
import unittest

from service_rig import Manager, given, listening
from talk_rig import (
    SLUICE,
    Program,
    Server,
    TalkTest,
    call,
    on_every_engine,
)


class UnderAManager(TalkTest):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def talk_once(self, server, port):
        """A conversation that the client ends."""
        with call(port) as peer:
            peer.send(b"hello\n")
            server.read_line()
            server.type("hi\n")
            self.assertEqual(peer.receive(3), b"hi\n")
            peer.send(b"exit\n")
            self.assertEqual(peer.receive_to_end(), b"")

    @on_every_engine
    def test_it_says_what_it_does(self, engine):
        with Manager(str(self.folder / engine)) as manager:
            with Server(engine, "--keep", variables=manager.variables) as server:
                self.assertEqual(
                    manager.next(),
                    {"READY": "1", "STATUS": f"serving talk on 127.0.0.1:{server.port}"},
                )
                server.signal(signal.SIGHUP)
                self.assertEqual(manager.next()["RELOADING"], "1")
                self.assertEqual(manager.next(), {"READY": "1"})
                self.talk_once(server, server.port)
                server.signal(signal.SIGTERM)
                self.assertEqual(manager.next(), {"STOPPING": "1"})
                self.assert_ends(server, 0)
                self.assertEqual(manager.waiting(), [], "it is said once")

    @on_every_engine
    def test_the_end_of_the_conversation_is_its_own(self, engine):
        with Manager(str(self.folder / engine)) as manager:
            with Server(engine, variables=manager.variables) as server:
                self.assertEqual(manager.next()["READY"], "1")
                self.talk_once(server, server.port)
                self.assertEqual(manager.next(), {"STOPPING": "1"})
                self.assert_ends(server, 0)

    @on_every_engine
    def test_the_watchdog_is_fed_also_while_a_person_thinks(self, engine):
        with Manager(str(self.folder / engine)) as manager:
            fed = manager.variables | {"WATCHDOG_USEC": "100000"}
            with Server(engine, "--keep", variables=fed) as server, call(server.port) as peer:
                peer.send(b"hello\n")
                server.read_line()
                server.read_line()
                manager.waiting()
                for _ in range(5):
                    self.assertEqual(manager.socket.recv(64), b"WATCHDOG=1")

    @on_every_engine
    def test_a_socket_that_it_is_given(self, engine):
        with listening() as door:
            words, options = given([door], ["listen"])
            with Program(*words, SLUICE, "talk", "serve", "--engine", engine, **options) as server:
                port = door.getsockname()[1]
                server.expect_stderr(rf"^listening on 127\.0\.0\.1:{port} ")
                self.talk_once(server, port)
                self.assert_ends(server, 0)

    @on_every_engine
    def test_there_is_no_successor_and_that_is_said_once(self, engine):
        with Server(engine, "--keep") as server:
            server.signal(signal.SIGUSR2)
            server.expect_stderr("SIGUSR2: talk serve has one conversation, so none takes its place")
            server.signal(signal.SIGUSR2)
            self.talk_once(server, server.port)
            server.signal(signal.SIGUSR2)
            server.signal(signal.SIGTERM)
            self.assertEqual(self.assert_ends(server, 0).count("SIGUSR2"), 1)

    @on_every_engine
    def test_it_holds_a_pid_file(self, engine):
        pid_file = self.folder / f"{engine}.pid"
        with Server(engine, "--pid-file", pid_file) as server:
            self.assertEqual(pid_file.read_text(), f"{server.process.pid}\n")
            with Program(
                SLUICE, "talk", "serve", "--listen", "127.0.0.1:0", "--pid-file", pid_file
            ) as second:
                self.assert_ends(second, 1, err=f"is that of process {server.process.pid}, which")
            server.signal(signal.SIGTERM)
            self.assert_ends(server, 0)
            self.assertFalse(pid_file.exists())


if __name__ == "__main__":
    unittest.main()
