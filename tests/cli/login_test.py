"""Logins at the doors that take lines or streams, and by our own clients at every door."""

import contextlib
import pathlib
import subprocess
import tempfile
import unittest

import compute_rig
import files_http_rig
from chat_rig import ChatServer, Member
from files_http_rig import HttpServer
from files_raw_test import FileServer, upload
from talk_rig import (
    ENVIRONMENT, SLUICE, TIMEOUT, Program, Server, TalkTest, call, listener, on_every_engine,
    on_every_loop,
)
from talk_terminal_test import Terminal
from tls_rig import Authority, dial_tls

QUESTION = b"* who are you? say: login NAME PASSWORD, or: login TOKEN\n"
PASSWORDS = {"ann": "a secret of Ann's: with ünicode", "bob": "bobs", "eve": "eves"}
RIGHTS = {"ann": "all,chat,ask,talk", "bob": "read,upload:/inbox,chat", "eve": "read"}
WRONG = b"* no: wrong name, password or token\n"


def run(*words, stdin="", **variables):
    return subprocess.run(
        [SLUICE, *map(str, words)], input=stdin, text=True, capture_output=True, timeout=TIMEOUT,
        env=ENVIRONMENT | variables,
    )


class LoginTest(TalkTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        # With one file for all tests, scrypt is run once an account here.
        cls.accounts = pathlib.Path(folder.name) / "accounts"
        for name, rights in RIGHTS.items():
            done = run("passwd", cls.accounts, name, "--allow", rights, stdin=PASSWORDS[name] + "\n")
            assert done.returncode == 0, done.stderr
        cls.flags = ("--auth", cls.accounts)

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def token(self, name, *flags):
        done = run("token", name, *self.flags, *flags)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.strip()

    def with_guests(self, *rights):
        """The accounts, and what those without a name may do."""
        file = pathlib.Path(tempfile.mkstemp(dir=self.folder)[1])
        file.write_text(self.accounts.read_text() + f"* - - {','.join(rights)}\n")
        return file

    @contextlib.contextmanager
    def asked(self, server):
        with call(server.port) as peer:
            self.assertEqual(peer.receive(len(QUESTION)), QUESTION)
            yield peer

    def answer_to(self, server, line):
        """All that a door says to a line and the end of what is sent."""
        with self.asked(server) as peer:
            peer.send(line)
            return peer.receive_to_end()


def login(name):
    return f"login {name} {PASSWORDS[name]}".encode()


class Compute(LoginTest):
    @compute_rig.on_every_model
    def test_who_is_let_in(self, start):
        with start(*self.flags) as server:
            for line in (
                login("ann") + b"\n10\n", login("ann") + b"\r\n10\n", b"/" + login("ann") + b"\n10\n",
                b"login " + self.token("ann").encode() + b"\n10\n",
            ):
                with self.asked(server) as peer:
                    peer.send(line)
                    answer = b"* welcome, ann\n89\n"
                    self.assertEqual(peer.receive(len(answer)), answer)
            for line, answer in (
                (b"login ann no\n", WRONG),
                (b"login nobody eves\n", WRONG),
                (b"login sluice1.x.y\n", WRONG),
                (login("eve") + b"\n", b"* no: eve may not have this machine compute\n"),
            ):
                self.assertEqual(self.answer_to(server, line), answer)

    @compute_rig.on_every_model
    def test_what_is_no_login(self, start):
        expected = b"* no: a line was expected that says: login NAME PASSWORD, or: login TOKEN\n"
        for line in (
            b"10\n", b"login\n", b"login \n", b"login ann \n", b"login ann a\0b\n",
            b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"login ann " + b"a" * 10_000, b"\n",
        ):
            with self.subTest(line[:20]), start(*self.flags) as server:
                self.assertEqual(self.answer_to(server, line), expected)

    @compute_rig.on_every_model
    def test_a_byte_at_a_time(self, start):
        with start(*self.flags) as server, self.asked(server) as peer:
            for byte in login("ann") + b"\n20\n":
                peer.send(bytes((byte,)))
            answer = b"* welcome, ann\n10946\n"
            self.assertEqual(peer.receive(len(answer)), answer)

    @compute_rig.on_every_model(but=("fork",))  # whose children each have a memory of their own
    def test_an_address_that_guesses_is_slowed_down(self, start):
        with start(*self.flags) as server:
            answers = [self.answer_to(server, b"login ann %d\n" % n) for n in range(7)]
            self.assertEqual(answers[:5], [WRONG] * 5)
            self.assertIn(b"* no: too many wrong attempts", b"".join(answers))
            server.expect_stderr(r"1 login refused, the last of 'ann' from 127\.0\.0\.1:\d+")

    @compute_rig.on_every_model
    def test_guests_are_not_asked(self, start):
        with start("--auth", self.with_guests("ask")) as server, call(server.port) as peer:
            peer.send(b"10\n")
            self.assertEqual(peer.receive(3), b"89\n")

    @compute_rig.on_every_model
    def test_our_client(self, start):
        file = self.folder / "token"
        file.write_text(self.token("ann") + "\n")
        with start(*self.flags) as server:
            at = f"127.0.0.1:{server.port}"
            for words, variables, status, said in (
                (("--user", "ann"), {"SLUICE_PASSWORD": PASSWORDS["ann"]}, 0, "89"),
                (("--token-file", file), {}, 0, "89"),
                (("--user", "ann"), {"SLUICE_PASSWORD": "no"}, 1, "wrong name, password or token"),
                (("--user", "eve"), {"SLUICE_PASSWORD": PASSWORDS["eve"]}, 1, "eve may not"),
                ((), {}, 1, "the server asks who you are; say --user NAME"),
            ):
                with self.subTest(words, variables=variables):
                    done = run("compute", "ask", at, "10", *words, **variables)
                    self.assertEqual(done.returncode, status, done.stderr)
                    self.assertIn(said, done.stdout + done.stderr)


class Raw(LoginTest):
    @files_http_rig.on_every_model
    def test_what_follows_the_line_is_kept(self, model, folder):
        data = bytes(range(256)) * 5000
        with FileServer("serve", folder, "--raw", "127.0.0.1:0", *self.flags, *model) as server:
            got = upload(server.port, login("ann") + b"\n" + data)
            self.assertEqual(got, QUESTION + b"* welcome, ann\n")
            self.assertIn(f"Received {len(data)} bytes", server.read_line())
            self.assertEqual([path.read_bytes() for path in folder.iterdir()], [data])
            for line, answer in (
                (b"login ann no\n", WRONG), (login("bob") + b"\n", b"* no: bob may not upload files\n"),
            ):
                self.assertEqual(upload(server.port, line), QUESTION + answer)
            self.assertEqual(len(list(folder.iterdir())), 1)

    @files_http_rig.on_every_model
    def test_our_client(self, model, folder):
        (self.folder / "a").write_bytes(b"here")
        with FileServer("serve", folder, "--raw", "127.0.0.1:0", *self.flags, *model) as server:
            to = f"tcp://127.0.0.1:{server.port}"
            done = run("files", "put", self.folder / "a", to, "--user", "ann", SLUICE_PASSWORD="no")
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn("lets nobody in: the server says 'no: wrong name", done.stderr)
            done = run(
                "files", "put", self.folder / "a", to, "--user", "ann",
                SLUICE_PASSWORD=PASSWORDS["ann"],
            )
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual([path.read_bytes() for path in folder.iterdir()], [b"here"])


    @files_http_rig.on_every_model
    def test_a_client_that_was_not_to_say_it(self, model, folder):
        (self.folder / "small").write_bytes(b"here")
        (self.folder / "large").write_bytes(bytes(3_000_000))
        with FileServer("serve", folder, "--raw", "127.0.0.1:0", *self.flags, *model) as server:
            at = f"tcp://127.0.0.1:{server.port}"
            for words in (
                ("put", self.folder / "small", at), ("put", self.folder / "large", at),
                ("put", "-", at), ("get", at, "-o", self.folder / model[-1]), ("get", at, "-o", "-"),
            ):
                with self.subTest(words):
                    done = run("files", *words, "--retry", "0", stdin="stdin")
                    self.assertNotEqual(done.returncode, 0)
                    self.assertEqual(done.stdout, "")
                    self.assertRegex(done.stderr, "says '. who are you.*; say --user NAME|reset")
            self.assertEqual(list(folder.iterdir()), [])
            self.assertFalse((self.folder / model[-1]).exists())


class Offer(LoginTest):
    @files_http_rig.on_every_model
    def test_a_file_is_given_to_those_who_may_read(self, model, folder):
        (folder / "a").write_bytes(b"here")
        with FileServer(
            "offer", folder / "a", "--listen", "127.0.0.1:0", *self.flags, *model
        ) as server:
            self.assertEqual(
                upload(server.port, login("eve") + b"\n"), QUESTION + b"* welcome, eve\nhere"
            )
            self.assertEqual(upload(server.port, b"login eve no\n"), QUESTION + WRONG)


class Chat(LoginTest):
    def enter(self, server, name):
        member = Member(server.port)
        self.addCleanup(member.socket.close)
        self.assertEqual(member.line() + "\n", QUESTION.decode())
        member.say(login(name).decode())
        self.assertEqual(member.line(), f"* welcome, {name}")
        self.assertRegex(member.line(), rf"^\* welcome, you are {name} in lobby ")
        return member

    @on_every_loop
    def test_members_have_the_names_of_their_accounts(self, engine):
        with ChatServer(engine, *self.flags) as server:
            ann, bob = self.enter(server, "ann"), self.enter(server, "bob")
            bob.say("good evening")
            ann.until(r"^\[bob\]: good evening$")
            bob.say("/nick ann")
            bob.until("^. the name ann is kept for the account ann; its owner says /login ann")
            bob.say("/nick AṆN")
            bob.until("is kept for the account ann")
            ann.say("/nick Anna")
            ann.until("^. you are now Anna")
            # Still hers, and hers again.
            bob.say("/nick ann")
            bob.until("is kept for the account ann")
            ann.say("/nick ann")
            ann.until("^. you are now ann")
            self.assertEqual(
                self.answer_to(server, login("eve") + b"\n"), b"* no: eve may not talk in the chat\n"
            )
            self.assertEqual(self.answer_to(server, b"login ann no\n"), WRONG)

    @on_every_loop
    def test_a_name_in_use_stays_with_whom_has_it(self, engine):
        with ChatServer(engine, *self.flags) as server:
            self.enter(server, "ann")
            with self.asked(server) as second:
                second.send(login("ann") + b"\n")
                text = b""
                while b"welcome, you are Client" not in text:
                    text += second.socket.recv(1000)
                self.assertIn(b"* the name ann is taken", text)

    @on_every_loop
    def test_those_who_say_nothing_are_as_many_as_members(self, engine):
        flags = (*self.flags, "--max-clients", "3")
        with ChatServer(engine, *flags) as server, contextlib.ExitStack() as all_of_them:
            silent = [all_of_them.enter_context(self.asked(server)) for _ in range(3)]
            with call(server.port) as another:
                self.assertEqual(another.receive_to_end(), b"")
            silent.pop().socket.close()
            server.signal(10)  # SIGUSR1
            server.expect_stderr(r"^ *refused +1 ")
            while True:
                with call(server.port) as another:
                    if another.socket.recv(1) == b"*":
                        break

    @on_every_loop
    def test_guests_may_log_in_later(self, engine):
        with ChatServer(engine, "--auth", self.with_guests("chat")) as server:
            with Member(server.port).greeted() as guest, Member(server.port).greeted() as other:
                other.say("hello")
                guest.until("hello")
                guest.say("/nick ann")
                guest.until("is kept for the account ann")
                guest.say("/login ann no")
                guest.until("^. no: wrong name, password or token$")
                guest.say(f"/login ann {PASSWORDS['ann']}\nfirst\nsecond")
                guest.until("^. you are now ann$")
                heard = other.until("second")
                self.assertEqual(heard[-2:], ["[ann]: first", "[ann]: second"])
                self.assertNotIn("secret", "".join(heard))

    @on_every_loop
    def test_our_client(self, engine):
        with ChatServer(engine, *self.flags) as server:
            words = ("chat", "join", f"127.0.0.1:{server.port}", "--user", "ann", "--engine", engine)
            with Program(SLUICE, *words, variables={"SLUICE_PASSWORD": PASSWORDS["ann"]}) as client:
                client.type("exit\n")
                status, out, err = client.end()
                self.assertEqual(status, 0, err)
                self.assertIn("* welcome, you are ann in lobby", out)
            done = run(*words, SLUICE_PASSWORD="no")
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn("the server says 'no: wrong name, password or token'", done.stderr)

    def test_a_chat_that_lets_anybody_in_says_how_to_log_in(self):
        with ChatServer("epoll", "--auth", self.with_guests("chat")) as server:
            done = run("chat", "join", server.port, "--user", "ann", SLUICE_PASSWORD="any")
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn("leave the login out, and say /login NAME PASSWORD in the chat", done.stderr)

    def test_the_password_is_asked_for_on_a_terminal(self):
        with ChatServer("epoll", *self.flags) as server:
            command = [SLUICE, "chat", "join", f"127.0.0.1:{server.port}", "--user", "bob"]
            with Terminal(command, stdout="terminal") as client:
                client.read_until("Password of bob: ")
                client.type("bobs\n")
                shown = client.read_until("welcome, you are bob")
                self.assertNotIn("bobs", shown or client.text)
                client.type("exit\r")
                self.assertEqual(client.process.wait(TIMEOUT), 0)

    @on_every_loop
    def test_the_accounts_are_read_again(self, engine):
        file = self.folder / f"accounts of {engine}"
        file.touch(0o600)
        file.write_text(self.accounts.read_text())
        with ChatServer(engine, "--auth", file) as server:
            self.enter(server, "bob")
            done = run("passwd", file, "bob", "--remove")
            self.assertEqual(done.returncode, 0, done.stderr)
            server.signal(1)
            server.expect_stderr("read again")
            self.assertEqual(self.answer_to(server, login("bob") + b"\n"), WRONG)


class Talk(LoginTest):
    @on_every_engine
    def test_a_conversation(self, engine):
        with Server(engine, "--echo", "--keep", *self.flags) as server:
            self.assertEqual(
                self.answer_to(server, login("bob") + b"\n"), b"* no: bob may not talk here\n"
            )
            with self.asked(server) as peer:
                peer.send(login("ann") + b"\none\n")
                answer = b"* welcome, ann\none\n"
                self.assertEqual(peer.receive(len(answer)), answer)
            words = ("talk", "join", f"127.0.0.1:{server.port}", "--user", "ann", "--engine", engine)
            done = run(*words, stdin="two\nexit\n", SLUICE_PASSWORD=PASSWORDS["ann"])
            self.assertEqual((done.returncode, done.stdout.count("]: two")), (0, 1), done.stderr)
            done = run(*words, stdin="two\nexit\n", SLUICE_PASSWORD="no")
            self.assertEqual(done.returncode, 1, done.stderr)


class OverTls(LoginTest):
    @compute_rig.on_every_model
    def test_the_line_in_records(self, start):
        authority = Authority(self.addCleanup)
        certificate, key = authority.sign("localhost")
        with start(*self.flags, "--cert", certificate, "--key", key) as server:
            with dial_tls(server.port) as peer:
                text = b""
                for piece in (b"login ann ", PASSWORDS["ann"].encode(), b"\n1", b"0\n"):
                    peer.sendall(piece)
                while not text.endswith(b"89\n"):
                    text += peer.recv(100)
                self.assertEqual(text, QUESTION + b"* welcome, ann\n89\n")
            done = run(
                "compute", "ask", f"tls://localhost:{server.port}", "10", "--ca", authority.file,
                "--user", "ann", SLUICE_PASSWORD=PASSWORDS["ann"],
            )
            self.assertEqual((done.returncode, done.stdout), (0, "function(10): 89\n"), done.stderr)


class Http(LoginTest):
    def test_put_and_get(self):
        (self.folder / "a").write_bytes(b"here")
        store = self.folder / "store"
        with HttpServer(store, *self.flags) as server:
            at = f"http://127.0.0.1:{server.port}"
            token = self.folder / "token"
            token.write_text(self.token("ann"))
            mine = {"SLUICE_PASSWORD": PASSWORDS["ann"]}
            for words, variables, status in (
                (("put", self.folder / "a", f"{at}/b", "--user", "ann"), mine, 0),
                (("put", "-", f"{at}/c", "--token-file", token), {}, 0),
                (("get", f"{at}/b", "-o", self.folder / "b", "--user", "ann"), mine, 0),
                (("get", f"{at}/b", "-o", self.folder / "c", "--token-file", token), {}, 0),
                (("get", f"{at}/b", "-o", self.folder / "d"), {}, 1),
                (("put", self.folder / "a", f"{at}/d", "--user", "bob"), {"SLUICE_PASSWORD": "bobs"}, 1),
            ):
                with self.subTest(words):
                    done = run("files", *words, stdin="stdin", **variables)
                    self.assertEqual(done.returncode, status, done.stderr)
            self.assertEqual((store / "b").read_bytes(), b"here")
            self.assertEqual((store / "c").read_bytes(), b"stdin")
            self.assertEqual((self.folder / "c").read_bytes(), b"here")
            self.assertFalse((store / "d").exists())


class Clients(LoginTest):
    def test_nothing_is_said_to_a_server_that_does_not_ask(self):
        for command in (("compute", "ask", "10"), ("chat", "join"), ("talk", "join")):
            with self.subTest(command), listener() as (port, accept):
                words = (*command[:2], str(port), *command[2:], "--user", "ann")
                with Program(SLUICE, *words, variables={"SLUICE_PASSWORD": "x"}) as client:
                    with accept() as peer:
                        peer.send(b"* hello, who are you?\n")
                        self.assertEqual(peer.receive_to_end(), b"")
                    status, _, err = client.end()
                    self.assertEqual(status, 1, err)
                    self.assertIn("the server does not ask who we are, but says", err)

    def test_nothing_travels_in_the_clear_by_mistake(self):
        secret = {"SLUICE_PASSWORD": "x"}
        for words in (
            ("compute", "ask", "192.0.2.1:1", "10"), ("chat", "join", "192.0.2.1:1"),
            ("talk", "join", "192.0.2.1:1"), ("files", "get", "http://192.0.2.1:1/a"),
            ("files", "put", self.accounts, "tcp://192.0.2.1:1"),
        ):
            with self.subTest(words):
                done = run(*words, "--user", "ann", **secret)
                self.assertEqual(done.returncode, 1)
                self.assertIn("would travel in the clear; write https:// or tls://", done.stderr)

    def test_mistakes_are_explained(self):
        empty = self.folder / "empty"
        empty.touch()
        for words, variables, why in (
            (("--user", "ann"), {}, "there is no terminal to ask for the password of ann on; set"),
            (("--user", "ann"), {"SLUICE_PASSWORD": ""}, "SLUICE_PASSWORD is empty"),
            (("--user", "ann", "--token-file", empty), {}, "exclude each other"),
            (("--token-file", empty), {}, "holds no token"),
            (("--token-file", self.folder / "none"), {}, "cannot read"),
        ):
            with self.subTest(words):
                done = run("compute", "ask", "127.0.0.1:1", "10", *words, **variables)
                self.assertEqual(done.returncode, 1)
                self.assertIn(why, done.stderr)


if __name__ == "__main__":
    unittest.main()
