"""--access-log: clients that a login turns away, at every door, each with its reason."""

import base64
import contextlib
import pathlib
import socket
import tempfile
import unittest

from access_log_test import AccessLog, Log
from chat_rig import ChatServer
from compute_rig import Server as ComputeServer
from compute_rig import on_every_model as on_every_compute_model
from files_http_rig import HttpServer, on_every_model
from files_raw_test import FileServer
from login_test import PASSWORDS, login
from talk_rig import TIMEOUT, Server, on_every_engine, on_every_loop, one_by_one, wait_until

SECRET = "what-nobody-may-read"
# Beyond the passwords that may wait to be checked.
CROWD = 100


def by_line(*words):
    return f"login {' '.join(words)}\n".encode()


def in_head(*words):
    said = basic(*words) if len(words) == 2 else f"Bearer {words[0]}"
    return (
        "GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        f"Authorization: {said}\r\n\r\n"
    ).encode()


def basic(name, password):
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


class Refused(AccessLog):
    def assert_turned_away(self, server, log, service, action, right=True):
        """A client for each reason; `right` says that Eve lacks the right to come in."""
        said = [
            (f"login {SECRET} {SECRET}\n".encode(), "wrong login", None),
            (f"login {SECRET}\n".encode(), "wrong login", None),
            (f"{SECRET}\n".encode(), "no login", None),
        ]
        if right:
            said.append((login("eve") + b"\n", "no right", "eve"))
        for number, (line, reason, user) in enumerate(said):
            self.assertIn(b"* no: ", self.answer_to(server, line))
            event = log.wait(number + 1)[-1]
            self.assert_common(event, service, action)
            self.assert_event(
                event, event__outcome="failure", event__reason=reason, user__name=user,
            )
        with self.asked(server):
            pass  # and is gone
        self.assert_event(log.wait(len(said) + 1)[-1], event__reason="lost", user__name=None)
        for secret in (SECRET, PASSWORDS["eve"]):
            self.assertNotIn(secret, log.text())

    @on_every_compute_model
    def test_at_the_door_of_compute(self, start):
        with tempfile.TemporaryDirectory() as folder:
            log = Log(folder)
            with start(*log.flags, *self.flags) as server:
                self.assert_turned_away(server, log, "compute", "question")

    @on_every_model
    def test_at_the_raw_door(self, flags, folder):
        log = Log(folder)
        raw = ("serve", folder / "files", "--create", "--raw", "127.0.0.1:0")
        with FileServer(*raw, *log.flags, *self.flags, *flags) as server:
            self.assert_turned_away(server, log, "raw", "upload")

    @on_every_model
    def test_at_the_door_of_an_offer(self, flags, folder):
        log = Log(folder)
        (folder / "file").write_bytes(b"data")
        where = ("offer", folder / "file", "--listen", "127.0.0.1:0")
        with FileServer(*where, *log.flags, *self.flags, *flags) as server:
            self.assert_turned_away(server, log, "offer", "download", right=False)

    @on_every_loop
    def test_at_the_door_of_the_chat(self, engine):
        with tempfile.TemporaryDirectory() as folder:
            log = Log(folder)
            with ChatServer(engine, *log.flags, *self.flags) as server:
                self.assert_turned_away(server, log, "chat", "session")

    @on_every_engine
    def test_at_the_door_of_a_talk(self, engine):
        with tempfile.TemporaryDirectory() as folder:
            log = Log(folder)
            with Server(engine, "--echo", *log.flags, *self.flags) as server:
                self.assert_turned_away(server, log, "talk", "conversation")

    @on_every_model
    def test_over_http(self, flags, folder):
        log = Log(folder)
        with HttpServer(folder / "files", *log.flags, *self.flags, *flags) as server:
            for said in (basic(SECRET, SECRET), basic("ann", SECRET), f"Bearer {SECRET}"):
                self.assertEqual(server.get("/a", Authorization=said)[0], 401)
            self.assertEqual(server.get("/a")[0], 401)
            events = log.wait(4)
        for event, reason in zip(events, ["wrong login"] * 3 + [None]):
            self.assert_common(event, "http", "request")
            self.assert_event(
                event, http__response__status_code=401, event__outcome="failure",
                event__reason=reason, user__name=None, url__path="/a",
            )
        self.assertNotIn(SECRET, log.text())

    def test_as_text_the_reason_is_a_word(self):
        log = Log(self.folder, "text")
        with ComputeServer("event", *log.flags, *self.flags) as server:
            self.answer_to(server, b"login ann no\n")
            (line,) = log.wait(1)
        self.assertRegex(line, r' - "question" wrong_login in=0 out=0 \d+\.\d{6}s$')
        log = Log(tempfile.mkdtemp(dir=self.folder), "text")
        with HttpServer(self.folder / "files", *log.flags, *self.flags) as server:
            server.get("/a", Authorization=basic("ann", "no"))
            (line,) = log.wait(1)
        self.assertRegex(line, r' - "GET /a" 401 in=0 out=\d+ \d+\.\d{6}s wrong_login$')


class Guessing(AccessLog):
    """An address that guesses, and more passwords than may wait."""

    def lines_of(self, log, reason):
        return log.text().count(f'"event.reason":"{reason}"')

    @contextlib.contextmanager
    def doors(self, engine):
        """Servers of each door on that engine, with their logs and how a login is said."""
        with contextlib.ExitStack() as stack:
            folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))

            def open_door(name, make):
                (folder / name).mkdir()
                log = Log(folder / name)
                return stack.enter_context(make(*log.flags, *self.flags)), log

            raw = ("serve", folder / "raw" / "files", "--create", "--raw", "127.0.0.1:0")
            yield [
                (*open_door("chat", lambda *f: ChatServer(engine, *f)), by_line),
                (*open_door("compute", lambda *f: ComputeServer("event", *f, engine=engine)), by_line),
                (*open_door("raw", lambda *f: FileServer(*raw, "--engine", engine, *f)), by_line),
                (
                    *open_door(
                        "http", lambda *f: HttpServer(folder / "files", "--engine", engine, *f)
                    ),
                    in_head,
                ),
            ]

    @staticmethod
    def call_from(port, number=1):
        peer = socket.create_connection(
            ("127.0.0.1", port), timeout=TIMEOUT, source_address=(f"127.0.1.{number}", 0)
        )
        return contextlib.closing(peer)

    @on_every_loop
    def test_too_many_guesses(self, engine):
        # Of tokens: one that is wrong costs no time.
        with self.doors(engine) as doors:
            for server, log, said in doors:
                for number in range(8):
                    with self.call_from(server.port) as peer:
                        peer.sendall(said(f"sluice1.{number}.x"))
                        while peer.recv(4096):
                            pass
                log.wait(8)
                self.assertGreaterEqual(self.lines_of(log, "wrong login"), 5)
                self.assertGreaterEqual(self.lines_of(log, "too many wrong logins"), 1)

    @lambda test: on_every_loop(test, how=one_by_one)
    def test_more_passwords_than_may_wait(self, engine):
        with self.doors(engine) as doors:
            for server, log, said in doors:
                with contextlib.ExitStack() as crowd:
                    peers = [
                        crowd.enter_context(self.call_from(server.port, number + 1))
                        for number in range(CROWD)
                    ]
                    for number, peer in enumerate(peers):
                        peer.sendall(said("ann", str(number)))
                        peer.shutdown(socket.SHUT_WR)
                    wait_until(
                        lambda: self.lines_of(log, "too many logins") > 0, "there are too many"
                    )


if __name__ == "__main__":
    unittest.main()
