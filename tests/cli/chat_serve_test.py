"""sluice chat serve as a program: its lines, its statuses, its signals, and where it must not stop."""

import contextlib
import json
import os
import re
import resource
import signal
import subprocess
import unittest

from chat_rig import ChatServer, Member, members
from talk_rig import (
    ENVIRONMENT,
    INTERRUPT,
    SLUICE,
    TERMINATE,
    TIMEOUT,
    TalkTest,
    on_every_loop,
    sanitized,
    wait_until,
)


def run(*words):
    done = subprocess.run(
        [SLUICE, "chat", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        env=ENVIRONMENT,
    )
    return done.returncode, done.stdout, done.stderr


class Usage(TalkTest):
    def test_what_is_wrong_is_said_in_one_line(self):
        for words, error in (
            ([], "say what to do"),
            (["serve", "--model", "fork"], "--model fork cannot carry a chat"),
            (["serve", "--model", "sync"], "--model sync cannot carry a chat"),
            (["serve", "--model", "thread"], "--model thread cannot carry a chat"),
            (["serve", "--model", "pool"], "--model pool cannot carry a chat"),
            (["serve", "--engine", "blocking"], "--engine blocking cannot carry a chat"),
            (["serve", "--engine", "blocking", "--model", "event"], "does not go with"),
            (["serve", "--engine", "epoll", "--model", "fork"], "does not go with"),
            (["serve", "--slow", "wait"], "'wait' is none of skip and disconnect"),
            (["serve", "--framing", "xml"], "'xml' is none of auto, line and raw"),
            (["serve", "--window", "1K"], "'1K' is no window of a room; write 4K to 4G"),
            (["serve", "--window", "much"], "'much' is no size"),
            (["serve", "--max-line", "0"], "'0' is no length of a message"),
            (["serve", "--window", "16K"], "--window 16 KiB is too small for --max-line 4 KiB; give it at least 32"),
            (["serve", "--windw", "1M"], "did you mean --window?"),
            (["serve", "--burst", "0"], "'0'"),
            (["serve", "--listen", "nowhere"], "nowhere"),
        ):
            with self.subTest(words=words):
                status, out, err = run(*words)
                self.assertEqual((status, out), (2, ""), err)
                self.assertIn(error, err)
                self.assertEqual(err.count("\n"), 1, err)

    def test_a_port_that_is_taken_is_a_failure(self):
        with ChatServer("epoll") as server:
            status, out, err = run("serve", "--listen", f"127.0.0.1:{server.port}")
            self.assertEqual((status, out), (1, ""))
            self.assertIn(f"cannot listen on 127.0.0.1:{server.port}", err)


class Lines(TalkTest):
    @on_every_loop
    def test_stdout_has_who_comes_goes_and_says_what(self, engine):
        for workers in ("1", "2"):
            with ChatServer(engine, "--workers", workers) as server:
                self.assertEqual((server.model, server.engine), ("event", engine))
                with members(server, 1) as (ann,):
                    self.assertEqual(
                        server.read_line(), f"<< Client 1 connected from {ann.name} >>\n"
                    )
                    ann.say("hi \x1b[2J")
                    self.assertEqual(server.read_line(), "[Client 1]: hi \\x1b[2J\n")
                    ann.say("/nick Ann")
                    self.assertEqual(server.read_line(), "<< Client 1 is now Ann >>\n")
                    ann.say("/me waves")
                    self.assertEqual(server.read_line(), "*Ann waves*\n")
                    ann.say("/msg Ann for nobody else")
                    ann.say("exit")
                    self.assertEqual(server.read_line(), "<< Ann disconnected >>\n")
                server.signal(TERMINATE)
                self.assert_ends(server, 0)

    @on_every_loop
    def test_quiet_says_only_where_it_listens(self, engine):
        with ChatServer(engine, "--quiet", "--workers", "1") as server, members(server, 2) as (ann, bob):
            ann.say("hi")
            self.assertEqual(bob.line(), "[Client 1]: hi")
            server.signal(TERMINATE)
            self.assertRegex(self.assert_ends(server, 0, ""), r"\Alistening on .*\n\Z")

    @on_every_loop
    def test_a_slow_reader_of_stdout_does_not_stop_the_chat(self, engine):
        for closed in (True, False):
            reading, writing = os.pipe()
            with ChatServer(engine, "--workers", "1", stdout=writing) as server:
                os.close(writing)
                if closed:
                    os.close(reading)
                with members(server, 2) as (ann, bob):
                    # More than the pipe takes, and than may wait for it.
                    text = "x" * 1000
                    for _ in range(30):
                        ann.send((text + "\n").encode() * 100)
                        for _ in range(100):
                            self.assertEqual(bob.line(), f"[Client 1]: {text}")
                    bob.say("/quit")
                    self.assertEqual(bob.until("goodbye"), ["* goodbye"])
                server.signal(TERMINATE)
                self.assert_ends(server, 0)
                if not closed:
                    os.close(reading)

    @on_every_loop
    def test_a_late_reader_of_stdout_learns_what_was_not_shown(self, engine):
        reading, writing = os.pipe()
        with ChatServer(engine, "--workers", "1", stdout=writing) as server:
            os.close(writing)
            with members(server, 2) as (ann, bob):
                text = "x" * 1000
                for _ in range(30):
                    ann.send((text + "\n").encode() * 100)
                    for _ in range(100):
                        bob.line()
                with os.fdopen(reading, encoding="utf-8") as out:
                    shown = 0
                    for line in out:
                        if found := re.fullmatch(r"<< (\d+) lines were not shown here >>\n", line):
                            break
                        shown += line == f"[Client 1]: {text}\n"
                        if shown == 500:
                            # There is room for what is said now, and with it for the remark.
                            ann.say("are you back?")
                    self.assertGreater(shown, 0)
                    self.assertGreater(int(found[1]), 0)
                    self.assertLess(shown + int(found[1]), 3005)


class Signals(TalkTest):
    @on_every_loop
    def test_the_first_is_announced_to_all_and_ends_it(self, engine):
        for number, status in ((TERMINATE, 0), (INTERRUPT, 130)):
            with ChatServer(engine, "--workers", "1") as server, members(server, 2) as both:
                server.signal(number)
                for member in both:
                    self.assertEqual(
                        member.until("going down")[-1], "* the server is going down"
                    )
                    self.assertIsNone(member.line())
                    member.finish()
                self.assert_ends(server, status)

    @on_every_loop
    def test_without_members_it_ends_at_once(self, engine):
        for number, status in ((TERMINATE, 0), (INTERRUPT, 130)):
            with ChatServer(engine, "--grace", "1h") as server:
                server.signal(number)
                self.assert_ends(server, status, "")

    @on_every_loop
    def test_the_second_ends_it_even_if_clients_do_not_read(self, engine):
        for number, status in ((TERMINATE, 0), (INTERRUPT, 130)):
            with ChatServer(
                engine, "--grace", "1h", "--quiet", "--window", "16M", "--write-deadline", "1h"
            ) as server, Member(server.port).greeted() as ann, Member(
                server.port, small=True
            ) as deaf:
                deaf.greeted()
                ann.send((b"y" * 1000 + b"\n") * 8000 + b"/nick Ann\n")
                ann.until("you are now Ann")
                server.signal(number)
                self.assertEqual(ann.until("going down")[-1], "* the server is going down")
                server.signal(TERMINATE)
                self.assert_ends(server, status)

    @on_every_loop
    def test_the_grace_ends_it_even_if_clients_do_not_read(self, engine):
        with ChatServer(engine, "--grace", "100ms", "--quiet", "--window", "16M") as server:
            with Member(server.port).greeted() as ann, Member(server.port, small=True) as deaf:
                deaf.greeted()
                ann.send((b"y" * 1000 + b"\n") * 8000 + b"/nick Ann\n")
                ann.until("you are now Ann")
                server.signal(TERMINATE)
                self.assert_ends(server, 0)


class Counters(TalkTest):
    @on_every_loop
    def test_are_reported_when_asked_and_at_the_end(self, engine):
        with ChatServer(engine, "--stats", "--workers", "1") as server:
            with members(server, 3) as (ann, bob, carl):
                ann.say("hello")
                for other in (bob, carl):
                    other.until(r"^\[Client 1\]: hello$")
                ann.send(b"\n/who\n")
                ann.until("in lobby")
                server.signal(signal.SIGUSR1)
                for name, value in (("members", 3), ("messages", 1), ("empty_lines", 1)):
                    self.assertEqual(int(server.expect_stderr(rf"^  {name} +(\d+)  ")[1]), value)
            server.signal(TERMINATE)
            server.expect_stderr("^counters$")
            self.assertEqual(int(server.expect_stderr(r"^  members +(\d+)  ")[1]), 0)
            self.assertEqual(int(server.expect_stderr(r"^  connected +(\d+)  ")[1]), 3)
            # Three were announced to each other; a leaving is announced to fewer.
            self.assertGreaterEqual(int(server.expect_stderr(r"^  deliveries +(\d+)  ")[1]), 5)
            self.assert_ends(server, 0)

    @on_every_loop
    def test_are_json_for_programs(self, engine):
        with ChatServer(engine, "--stats", "--log-format", "json") as server:
            with Member(server.port).greeted() as ann:
                ann.say("hello")
                ann.say("/who")
                ann.until("in lobby")
            server.signal(TERMINATE)
            records = [json.loads(line) for line in server.end()[2].splitlines()]
            counted = records[-1]["counters"]
            self.assertEqual(counted["messages"], 1)
            self.assertEqual(counted["connected"], 1)
            self.assertEqual(counted["members"], 0)
            self.assertEqual(counted["commands"], 1)


class Limits(TalkTest):
    @unittest.skipIf(sanitized(), "a sanitizer needs descriptors to look at objects")
    @on_every_loop
    def test_out_of_descriptors_it_neither_spins_nor_stops(self, engine):
        def few():
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

        with ChatServer(engine, "--quiet", "--workers", "1", preexec_fn=few) as server:
            ann = Member(server.port).greeted()
            with ann:
                # Those that find no descriptor are reset, perhaps while they connect; the others are
                # greeted.
                crowd = []
                for _ in range(120):
                    with contextlib.suppress(ConnectionResetError):
                        crowd.append(Member(server.port))
                greeted = []
                for member in crowd:
                    try:
                        line = member.line()
                    except ConnectionResetError:
                        line = None
                    if line is not None:
                        self.assertRegex(line, r"^\* welcome")
                        greeted.append(member)
                self.assertGreater(len(greeted), 20)
                self.assertLess(len(greeted), 64)
                # It is still a chat, and waits for as long as no client says anything: a thread that
                # spins is found running in every sample, however slow the machine is.
                ran = 0
                for number in range(50):
                    greeted[0].say(f"still {number}")
                    ann.until(f"still {number}$")
                    signal.sigtimedwait([], 0.01)
                    ran += "R" in server.states()
                self.assertLess(ran, 25, "it spins")
                for member in crowd:
                    member.socket.close()
                wait_until(lambda: server.descriptors() < 30, "they are gone")
                with Member(server.port).greeted() as late:
                    late.say("I am in")
                    ann.until(r"\]: I am in$")
            server.signal(TERMINATE)
            self.assert_ends(server, 0)

    @unittest.skipIf(sanitized(), "its memory is not the program's alone")
    @on_every_loop
    def test_a_member_that_never_reads_costs_no_memory(self, engine):
        # On several shards mail is under way, and buffers are in use, in any number up to a limit.
        for policy, workers, floods, most in (
            ("skip", 1, 5, 2048),
            ("disconnect", 1, 5, 2048),
            ("skip", 2, 12, 80 * 1024),
        ):
            with ChatServer(
                engine, "--quiet", "--slow", policy, "--window", "256K", "--workers", workers,
                "--framing", "line",
            ) as server:
                with Member(server.port).greeted() as ann, Member(server.port, small=True) as deaf:
                    deaf.greeted()
                    block = b"".join(b"%099d\n" % number for number in range(10_000))

                    def flood():
                        ann.send(block * 10 + b"/nick\n")
                        ann.until("you are")

                    flood()
                    before = server.memory()
                    for _ in range(floods):
                        flood()
                    # Each was 10 MB, and one client has read nothing of all that.
                    self.assertLess(server.memory() - before, most, policy)
                server.signal(TERMINATE)
                self.assert_ends(server, 0)

    @unittest.skipIf(sanitized(), "its memory is not the program's alone")
    @on_every_loop
    def test_empty_lines_and_fragments_cost_no_memory(self, engine):
        with ChatServer(
                engine, "--quiet", "--framing", "line", "--workers", "1"
            ) as server:
            with members(server, 2) as (ann, bob):
                ann.send(b"\n" * 100_000 + b"hi\n")
                self.assertEqual(bob.line(), "[Client 1]: hi")
                before = server.memory()
                for _ in range(10):
                    ann.send(b"\n" * 100_000 + b"hi\n")
                    self.assertEqual(bob.line(), "[Client 1]: hi")
                # A byte a packet, and no line ever ends: so many of those at once.
                crowd = [Member(server.port).greeted() for _ in range(50)]
                for _ in range(100):
                    for member in crowd:
                        member.send(b"x")
                    # A server that is kept from its core would hold a buffer for each packet at once.
                    ann.say("/nick")
                    ann.until("you are")
                # Each may keep its line, its greeting and its connection.
                self.assertLess(server.memory() - before, 4096)
                for member in crowd:
                    member.socket.close()
            server.signal(TERMINATE)
            self.assert_ends(server, 0)


if __name__ == "__main__":
    unittest.main()
