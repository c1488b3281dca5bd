"""What operators of a chat may do, and each member for itself."""

import contextlib
import os
import unittest

from chat_rig import ChatServer, Member
from login_test import LoginTest, login
from talk_rig import SLUICE, Program, on_every_loop

# Members then live on several threads.
SHARDS = ("--workers", "3")
NOBODY = 65534


@contextlib.contextmanager
def as_user(number):
    """What is connected meanwhile is that user's (unix(7), SO_PEERCRED)."""
    os.seteuid(number)
    try:
        yield
    finally:
        os.seteuid(0)


class ModerationTest(LoginTest):
    def serve(self, engine, *flags):
        accounts = self.with_guests("chat")
        return ChatServer(
            engine, "--auth", accounts, "--operators", "ann", *SHARDS, "--presence", "0", *flags
        )

    def enter(self, server, name=None, nick=None):
        """A member in the lobby: a guest, or with an account."""
        member = Member(server.port)
        self.addCleanup(member.socket.close)
        member.greeted()
        if name:
            member.say(login(name).decode().replace("login", "/login"))
            member.until(f"^. you are now {name}$")
        if nick:
            member.say(f"/nick {nick}")
            member.until(f"^. you are now {nick}$")
        return member

    def meet(self, *members):
        """Each has heard each other: what one of them says from now on reaches all."""
        for number, speaker in enumerate(members):
            speaker.say(f"here is {number}")
        for number, member in enumerate(members):
            wanted = {f"here is {n}" for n in range(len(members)) if n != number}
            while wanted:
                line = member.line()
                wanted = {each for each in wanted if not line.endswith(each)}

    def gone(self, member):
        """What it is told last, and then the end."""
        lines = []
        while (line := member.line()) is not None:
            lines.append(line)
        return lines[-1]


class Operators(ModerationTest):
    @on_every_loop
    def test_commands_are_for_operators(self, engine):
        with self.serve(engine) as server:
            bob = self.enter(server, "bob")
            for command in (
                "/kick ann", "/ban ann", "/ban 192.0.2.1", "/unban ann", "/bans", "/mute ann",
                "/unmute ann", "/topic a better world", "/key secret",
            ):
                bob.say(command)
                self.assertEqual(bob.until("^. no: ")[-1], "* no: that is for operators of this chat")

    @on_every_loop
    def test_a_member_is_sent_away(self, engine):
        with self.serve(engine) as server:
            ann, carl, dora = self.enter(server, "ann"), self.enter(server, nick="Carl the 1st"), self.enter(server)
            ann.say("/kick Carl the 1st for his puns")
            ann.until("^. Carl the 1st was sent away$")
            self.assertEqual(
                self.gone(carl), "* you have to go: ann sent you away (for his puns)"
            )
            dora.until(r"^. Carl the 1st was sent away by ann \(for his puns\)$")
            ann.say("/kick Carl the 1st")
            ann.until("^. no member here has that name")
            self.enter(server, nick="Carl the 1st")  # he may come back

    @on_every_loop
    def test_an_account_is_banned(self, engine):
        with self.serve(engine) as server:
            ann, bob = self.enter(server, "ann"), self.enter(server, "bob")
            ann.say("/ban bob 2h")
            ann.until("^. bob is banned for 2 hours")
            self.assertEqual(self.gone(bob), "* you have to go: ann banned you for 2 hours")
            again = self.enter(server)
            again.say(login("bob").decode().replace("login", "/login"))
            self.assertEqual(self.gone(again), "* you have to go: bob is banned here")
            ann.say("/bans")
            ann.until("^. bob is banned for (2 hours|1\\d\\d minutes)$")
            ann.say("/unban bob")
            ann.until("^. bob is banned no more$")
            self.enter(server, "bob")

    @on_every_loop
    def test_an_address_is_banned(self, engine):
        with self.serve(engine) as server:
            ann, carl = self.enter(server, "ann"), self.enter(server, nick="carl")
            ann.say("/ban 192.0.2.1 90s")
            ann.until("^. 192.0.2.1 is banned for 90 seconds$")
            ann.say("/ban carl 10m")
            self.assertEqual(self.gone(carl), "* you have to go: ann banned you for 10 minutes")
            # All of them are at that address here.
            with Member(server.port) as other:
                self.assertEqual(other.line(), "* no: you are banned here; come back later")
                self.assertIsNone(other.line())
            ann.say("/unban 127.0.0.1")
            ann.until("^. 127.0.0.1 is banned no more$")
            self.enter(server)

    @unittest.skipUnless(os.geteuid() == 0, "only root can connect as another user")
    @on_every_loop
    def test_the_user_of_a_unix_socket_is_banned(self, engine):
        name = f"sluice-{engine}-{os.getpid()}"
        with Program(
            SLUICE, "chat", "serve", "--listen", f"unix:@{name}", "--engine", engine,
            "--auth", self.with_guests("chat"), "--operators", "ann", *SHARDS,
        ) as server:
            server.expect_stderr("listening on unix:@")
            server.port = "\0" + name
            ann = self.enter(server, "ann")
            with as_user(NOBODY):
                carl = self.enter(server, nick="carl")
            ann.say("/ban carl 10m")
            self.assertEqual(self.gone(carl), "* you have to go: ann banned you for 10 minutes")
            with as_user(NOBODY), Member(server.port) as other:
                self.assertEqual(other.line(), "* no: you are banned here; come back later")
            self.enter(server)  # of the user that ann is
            ann.say(f"/unban unix:uid={NOBODY}")
            ann.until(f"^. unix:uid={NOBODY} is banned no more$")

    @on_every_loop
    def test_a_muted_member_is_not_heard(self, engine):
        with self.serve(engine) as server:
            ann, carl = self.enter(server, "ann"), self.enter(server, nick="carl")
            self.meet(ann, carl)
            ann.say("/mute carl 10m")
            carl.until("^. ann muted you for 10 minutes$")
            for line in ("hello", "/me waves", "/msg ann hello"):
                carl.say(line)
                carl.until("^. that was not said: you are muted for")
            ann.say("/unmute carl")
            carl.until("^. ann lets you speak again$")
            carl.say("at last")
            self.assertFalse([line for line in ann.until("at last") if "hello" in line or "waves" in line])

    @on_every_loop
    def test_a_topic_is_shown(self, engine):
        with self.serve(engine) as server:
            ann, carl = self.enter(server, "ann"), self.enter(server, nick="carl")
            self.meet(ann, carl)
            ann.say("/topic a better\x01world")
            carl.until(r"^. ann set the topic: a better\\x01world$")
            with Member(server.port) as other:
                other.until(r"^. the topic here: a better\\x01world$")
            carl.say("/topic")
            carl.until(r"^. the topic here: a better\\x01world$")
            ann.say("/topic -")
            ann.until("^. this room has no topic now$")
            carl.say("/topic")
            carl.until("^. this room has no topic$")

    @on_every_loop
    def test_a_room_has_a_password(self, engine):
        with self.serve(engine) as server:
            ann, carl = self.enter(server, "ann"), self.enter(server, nick="carl")
            ann.say("/key x")
            ann.until("^. no: all come into the lobby first$")
            ann.say("/join den\n/key sesame")
            ann.until("^. den asks for that password now$")
            carl.say("/join den")
            carl.until("^. den asks for a password: /join den PASSWORD$")
            carl.say("/join den open")
            carl.until("^. no: that is not the password of den$")
            carl.say("/join den sesame")
            carl.until(r"^. you are in room den \(2 here\)$")
            ann.say("/join lobby")
            carl.say("/join lobby\n/join den")
            carl.until("^. den asks for a password")  # also when it was empty
            ann.say("/join den")
            ann.until(r"^. you are in room den ")
            ann.say("/key -")
            ann.until("^. den is open to all$")
            carl.say("/join den")
            carl.until("^. you are in room den ")

    @on_every_loop
    def test_passwords_cannot_be_guessed_quickly(self, engine):
        with self.serve(engine) as server:
            ann, carl = self.enter(server, "ann"), self.enter(server, nick="carl")
            ann.say("/join den\n/key sesame")
            ann.until("^. den asks for that password now$")
            carl.say("\n".join(f"/join den {n}" for n in range(6)))
            carl.until("^. no: too many wrong passwords from your address")


class Members(ModerationTest):
    @on_every_loop
    def test_who_is_ignored_is_not_heard(self, engine):
        with self.serve(engine) as server:
            carl, dora, emil = (self.enter(server, nick=name) for name in ("carl", "dora", "emil"))
            self.meet(carl, dora, emil)
            carl.say("/ignore dora")
            carl.until("^. you ignore dora")
            dora.say("first\n/msg carl psst\n/me waves")
            dora.until("^. told carl$")
            emil.until("dora waves")
            emil.say("second")
            heard = carl.until("second")
            self.assertEqual([line for line in heard if "first" in line or "waves" in line or "psst" in line], [])
            carl.say("/unignore dora")
            carl.until("^. you hear again what is said by dora$")
            dora.say("third")
            carl.until(r"^\[dora\]: third$")
            carl.say("/ignore carl")
            carl.until("^. no: that is you$")

    def test_operators_need_accounts(self):
        with self.assertRaises(Exception) as caught:
            ChatServer("epoll", "--operators", "ann")
        self.assertIn("there are none; name their file with --auth", str(caught.exception))


if __name__ == "__main__":
    unittest.main()
