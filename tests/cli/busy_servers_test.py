"""Servers that thousands connect to, that signals hail on, and that stand still for a while."""

import contextlib
import signal
import socket
import threading
import unittest

from chat_rig import ChatServer, Member
from fleet_rig import Fleet
from talk_rig import TIMEOUT, TalkTest, on_every_loop, sanitized

CROWD = 2000
LINES = 50


class Crowd(TalkTest):
    @on_every_loop
    def test_a_chat_goes_on_while_thousands_connect(self, engine):
        most = ("--max-clients", str(2 * CROWD), "--max-per-address", str(2 * CROWD))
        with ChatServer(engine, "--quiet", *most) as server:
            ended = threading.Event()
            connects = []

            def crowd():
                """Comes whole, leaves whole and comes again until the others are done."""
                while not ended.is_set() or len(connects) < CROWD:
                    with contextlib.ExitStack() as here:
                        for _ in range(CROWD):
                            where = ("127.0.0.1", server.port)
                            here.enter_context(socket.create_connection(where, TIMEOUT))
                            connects.append(where)
                            if ended.is_set() and len(connects) >= CROWD:
                                return

            with Member(server.port).greeted() as ann, Member(server.port).greeted() as bob:
                for member in (ann, bob):
                    member.say("/join quiet")
                    member.until("you are in room quiet")
                coming = threading.Thread(target=crowd)
                coming.start()
                try:
                    for number in range(LINES):
                        ann.say(f"ping {number}")
                        bob.until(rf"\]: ping {number}$")
                        bob.say(f"pong {number}")
                        ann.until(rf"\]: pong {number}$")
                finally:
                    ended.set()
                    coming.join()
            server.signal(signal.SIGTERM)
            self.assert_ends(server, 0)


@unittest.skipIf(sanitized(), "nineteen servers at once are slow under a sanitizer")
class Signals(TalkTest):
    def hail(self, *signals, pause=0.02, times=40):
        """On all servers at once, which are asked meanwhile."""
        with Fleet() as fleet:
            fleet.begin()
            with fleet.at_work():
                for _ in range(times):
                    for number in signals:
                        for server in fleet.servers:
                            server.process.send_signal(number)
                        threading.Event().wait(pause)
            for client in fleet.clients:
                with self.subTest(server=str(client.server)):
                    self.assertEqual(client.broken, 0)
                    self.assertGreater(client.answered, 0)
            fleet.end()

    def test_none_costs_a_client_anything(self):
        self.hail(signal.SIGHUP, signal.SIGUSR1)

    def test_a_server_that_stood_still_goes_on(self):
        self.hail(signal.SIGSTOP, signal.SIGCONT, pause=0.3, times=3)


if __name__ == "__main__":
    unittest.main()
