"""sluice chat join as a person sees it, on a pseudo-terminal whose screen is read."""

import fcntl
import os
import pty
import select
import signal
import subprocess
import termios
import time
import unittest

from chat_join_rig import Typist
from talk_rig import (
    ENVIRONMENT,
    KILL,
    SLUICE,
    TERMINATE,
    TIMEOUT,
    TalkTest,
    listener,
    on_every_loop,
    one_by_one,
    wait_until,
)

WELCOME = "* welcome, you are Client 1 in lobby (1 here)"
CANON = termios.ICANON | termios.ECHO


class OnATerminal(TalkTest):
    def begin(self, typist, accept):
        server = accept()
        server.send(f"{WELCOME}\n".encode())
        typist.see([WELCOME, ">"])
        return server

    @on_every_loop
    def test_a_line_that_arrives_does_not_tear_the_one_that_is_typed(self, engine):
        with (
            listener() as (port, accept),
            Typist(engine, port) as me,
            self.begin(me, accept) as server,
        ):
            me.type("hel")
            me.see([WELCOME, "> hel"])
            server.send(b"[bob]: one\n[bob]: two\n")
            me.see(["[bob]: one", "[bob]: two", "> hel"])
            me.type("lo")
            me.see(["[bob]: two", "> hello"])
            self.assertEqual(me.screen.column, 7)
            me.type("\x1b[D\x1b[Dp\r")
            self.assertEqual(server.receive(7), b"helplo\n")
            me.see(["[bob]: two", "> helplo", ">"])
            me.type("\x1b[A\x17thanks")
            server.send(b"[bob]: three\n")
            me.see(["> helplo", "[bob]: three", "> thanks"])

    @on_every_loop
    def test_a_line_wider_than_the_window_and_a_window_that_changes(self, engine):
        with listener() as (port, accept), Typist(engine, port, columns=20) as me:
            with accept() as server:
                server.send(b"[bob]: hi\n")
                me.see(["[bob]: hi", ">"])
                me.type("abcdefghijklmnopqrstuvwxyz")
                me.see(["[bob]: hi", "> abcdefghijklmnopq", "rstuvwxyz"])
                server.send(b"[bob]: a message that is longer than the window\n")
                me.see(
                    [
                        "[bob]: hi",
                        "[bob]: a message tha",
                        "t is longer than the",
                        " window",
                        "> abcdefghijklmnopq",
                        "rstuvwxyz",
                    ]
                )
                me.screen.columns = 40
                me.set_size(40, 12)
                me.see(["> abcdefghijklmnopqrstuvwxyz"])
                server.send(b"[bob]: still there\n")
                me.see(["[bob]: still there", "> abcdefghijklmnopqrstuvwxyz"])

    @on_every_loop
    def test_wide_characters_and_marks(self, engine):
        with listener() as (port, accept), Typist(engine, port, columns=10) as me:
            with self.begin_narrow(me, accept) as server:
                me.type("日本語テe\u0301🙂")
                me.see(["[bob]: hi", "> 日本語", "テe\u0301🙂"])
                server.send("[bob]: だ\n".encode())
                me.see(["[bob]: hi", "[bob]: だ", "> 日本語", "テe\u0301🙂"])
                me.type("\x7f\x7f\r")
                self.assertEqual(server.receive(13), "日本語テ\n".encode())

    @on_every_loop
    def test_emoji_are_as_wide_as_they_look_and_erased_as_a_whole(self, engine):
        family, heart, flag, thumb = "👨\u200d👩\u200d👧", "❤\ufe0f", "🇩🇪", "👍🏽"
        with listener() as (port, accept), Typist(engine, port, columns=12) as me:
            with self.begin_narrow(me, accept) as server:
                me.type(f"{family}{heart}{flag}{thumb}1\ufe0f\u20e3")
                me.see(["[bob]: hi", f"> {family}{heart}{flag}{thumb}", "1\ufe0f\u20e3"])
                self.assertEqual(me.screen.column, 2)
                server.send(b"[bob]: ho\n")
                me.see(["[bob]: ho", f"> {family}{heart}{flag}{thumb}", "1\ufe0f\u20e3"])
                me.type("\x7f\x7f\x7f")
                me.see(["[bob]: hi", "[bob]: ho", f"> {family}{heart}"])
                self.assertEqual(me.screen.column, 6)
                me.type("\x7f\x7f.\r")
                self.assertEqual(server.receive(2), b".\n")

    @on_every_loop
    def test_a_paste_without_its_end_does_not_lock_the_keyboard(self, engine):
        with (
            listener() as (port, accept),
            Typist(engine, port) as me,
            self.begin(me, accept) as server,
        ):
            me.type("\x1b[200~one")
            me.see([WELCOME, "> one"])
            time.sleep(0.3)  # a pause is what this is about
            me.type("\x15two\r")
            self.assertEqual(server.receive(4), b"two\n")
            # The end mark may still come, late or torn, and a long piece is a piece of the paste.
            me.type("\x1b[200~three")
            me.see("> three")
            time.sleep(0.3)
            me.type("\rand a piece that no key sends\r")
            me.see("three↵and a piece that no key sends↵")
            time.sleep(0.3)
            me.type("four\r\x1b[201~")
            me.see("sends↵four↵")
            me.type("\r")
            whole = b"three\nand a piece that no key sends\nfour\n"
            self.assertEqual(server.receive(len(whole)), whole)
            me.type("\x1b[200~")
            time.sleep(0.3)
            me.type("\x04")
            self.assertEqual(server.receive_to_end(), b"")

    @on_every_loop
    def test_leaving_is_no_word_of_a_paste(self, engine):
        with (
            listener() as (port, accept),
            Typist(engine, port) as me,
            self.begin(me, accept) as server,
        ):
            me.type("\x1b[200~exit\r/quit now\rexit 3\r//x\r\x1b[201~\r")
            said = b"/say exit\n/say /quit now\nexit 3\n//x\n"
            self.assertEqual(server.receive(len(said)), said)
            me.see(["> exit", "> /quit now", "> exit 3", "> //x", ">"])
            me.type("/quit now\r")
            self.assertEqual(server.receive_to_end(), b"/quit now\n")
            server.socket.close()
            self.assertEqual(me.end(), 0)

    def test_a_line_that_is_full_says_so(self):
        with (
            listener() as (port, accept),
            Typist("epoll", port, "--max-line", "10", columns=100) as me,
        ):
            with accept() as server:
                server.send(b"[bob]: hi\n")
                me.see(["[bob]: hi", ">"])
                me.type("0123456789abc")
                me.see(["sluice: a line has at most 10 bytes (--max-line): the rest was not taken",
                        "> 0123456789"])  # fmt: skip
                me.type("\r")
                self.assertEqual(server.receive(11), b"0123456789\n")

    def begin_narrow(self, typist, accept):
        server = accept()
        server.send(b"[bob]: hi\n")
        typist.see(["[bob]: hi", ">"])
        return server

    @on_every_loop
    def test_pasted_lines_wait_for_enter(self, engine):
        with (
            listener() as (port, accept),
            Typist(engine, port) as me,
            self.begin(me, accept) as server,
        ):
            me.type("\x1b[200~one\rtwo\x1b[201~")
            me.see([WELCOME, "> one↵two"])
            me.type("\r")
            self.assertEqual(server.receive(8), b"one\ntwo\n")
            me.see(["> one", "> two", ">"])

    @on_every_loop
    def test_a_burst_is_shown_whole_and_in_order(self, engine):
        with (
            listener() as (port, accept),
            Typist(engine, port) as me,
            self.begin(me, accept) as server,
        ):
            me.type("typing")
            server.send(b"".join(b"[bob]: message %d\n" % i for i in range(2000)))
            me.see(["[bob]: message 1999", "> typing"])
            rows = me.screen.text().split("\n")
            said = [row for row in rows if row.startswith("[bob]")]
            self.assertEqual(said, [f"[bob]: message {i}" for i in range(2000)])
            self.assertEqual(sum("typing" in row for row in rows), 1)

    @on_every_loop(how=one_by_one)
    def test_every_way_out_gives_the_terminal_back(self, engine):
        def ctrl_d(me, server):
            me.type("\x04")
            self.assertEqual(server.receive_to_end(), b"")

        def leave(me, server):
            me.type("exit\r")
            self.assertEqual(server.receive_to_end(), b"exit\n")

        ways = [
            (0, ctrl_d),
            (0, leave),
            (3, lambda me, server: server.socket.close()),
            (3, lambda me, server: server.reset()),
            (130, lambda me, server: me.type("\x03")),
            (0, lambda me, server: me.process.send_signal(TERMINATE)),
            (-signal.SIGQUIT, lambda me, server: me.type("\x1c")),
            (-signal.SIGHUP, lambda me, server: me.process.send_signal(signal.SIGHUP)),
            (-signal.SIGSEGV, lambda me, server: me.process.send_signal(signal.SIGSEGV)),
            (-signal.SIGABRT, lambda me, server: me.process.send_signal(signal.SIGABRT)),
        ]
        for number, (status, way) in enumerate(ways):
            with self.subTest(way=number), listener() as (port, accept):
                with Typist(engine, port) as me, self.begin(me, accept) as server:
                    self.assertEqual(me.modes()[3] & CANON, 0)
                    self.assertIn(b"\x1b[?2004h", me.raw)
                    me.type("half a line")
                    me.see([WELCOME, "> half a line"])
                    if status == 0 and number < 2:
                        me.type("\x15")
                    way(me, server)
                    if status != 3:
                        self.assertEqual(server.receive_to_end(), b"")
                        server.socket.close()
                    got = me.end()
                    if not (status < 0 and got > 0):  # sanitizers end with a status of their own
                        self.assertEqual(got, status, me.screen.text())
                    self.assertEqual(me.modes(), me.before)
                    self.assertIn(b"\x1b[?2004l", me.raw)

    @on_every_loop
    def test_the_end_of_the_server_is_said_and_the_line_left_to_be_copied(self, engine):
        with listener() as (port, accept), Typist(engine, port) as me:
            with self.begin(me, accept):
                me.type("half a line")
                me.see([WELCOME, "> half a line"])
            me.see([WELCOME, "sluice: the server closed the connection", "> half a line", ""])
            self.assertEqual(me.end(), 3)
            self.assertEqual(me.screen.column, 0)

    @on_every_loop
    def test_suspended_and_continued(self, engine):
        with listener() as (port, accept), Job(engine, port) as job, accept() as server:
            server.send(b"[bob]: hi\n")
            job.read_until(b"[bob]: hi\n> ")
            job.type(b"hel")
            job.read_until(b"> hel")
            for _ in range(2):
                job.type(b"\x1a")  # Ctrl-Z
                self.assertEqual(job.report(), "stopped canonical")
                server.send(b"[bob]: ho\n")
                job.go_on()
                shown = job.read_until(b"[bob]: ho\n> hel")
                # The line that was typed is taken away, and drawn once.
                self.assertEqual(shown.count(b"> hel") - shown.count(b"> hel\x1b[J"), 1, shown)
            job.type(b"lo\r")
            self.assertEqual(server.receive(6), b"hello\n")
            # A stop that cannot be caught: another program changes the terminal meanwhile.
            job.signal(signal.SIGSTOP)
            self.assertEqual(job.report(), "stopped raw")
            job.make_canonical()
            job.go_on()
            wait_until(lambda: not job.is_canonical(), "the terminal is raw again")
            job.type(b"\x04")
            self.assertEqual(server.receive_to_end(), b"")
            server.socket.close()
            self.assertEqual(job.report(), "ended 0 canonical")

    @on_every_loop
    def test_a_line_that_is_typed_survives_a_reconnection(self, engine):
        with (
            listener() as (port, accept),
            Typist(engine, port, "--reconnect", "--nick", "bob") as me,
        ):
            with self.begin(me, accept):
                me.type("half a li")
                me.see([WELCOME, "> half a li"])
            me.see("calling again in ")
            me.raw = b""
            me.type("ne\rnext")
            with accept() as server:
                self.assertEqual(server.receive(10), b"/nick bob\n")
                server.send(b"* you are now bob\n")
                self.assertEqual(server.receive(12), b"half a line\n")
                me.see(["* you are now bob", "> next"])
            me.see("the server closed the connection")
            me.see_raw(b"calling again in ")
            me.type("\x15\x04")
            self.assertEqual(me.end(), 0, me.screen.text())
            self.assertEqual(me.modes(), me.before)

    @on_every_loop
    def test_lines_that_are_kept_have_a_bound(self, engine):
        with listener() as (port, accept), Typist(engine, port, "--reconnect") as me:
            with self.begin(me, accept) as server:
                pass
            me.see("calling again in ")
            for _ in range(3):
                me.type("\x1b[200~" + "x" * 30_000 + "\x1b[201~\r")
            me.see("this line is not sent; press Up to have it again")
            with accept() as server:
                self.assertEqual(server.receive(60_002), b"x" * 30_000 + b"\n" + b"x" * 30_000 + b"\n")
                me.type("done\r")
                self.assertEqual(server.receive(5), b"done\n")

    @on_every_loop
    def test_leaving_while_away_tells_of_lines_that_were_not_sent(self, engine):
        with listener() as (port, accept), Typist(engine, port, "--reconnect") as me:
            with self.begin(me, accept):
                pass
            me.see("calling again in ")
            me.type("lost\r\x04")
            me.see("sluice: the line you entered last could not be sent")
            self.assertEqual(me.end(), 3)

    def test_an_empty_line_says_nothing(self):
        with (
            listener() as (port, accept),
            Typist("epoll", port) as me,
            self.begin(me, accept) as server,
        ):
            me.type("\r\rx\r")
            self.assertEqual(server.receive(2), b"x\n")

    def test_colour_only_where_it_is_wanted(self):
        for no_color, coloured in (("", True), ("1", False)):
            with listener() as (port, accept):
                with Typist("epoll", port, environment={"NO_COLOR": no_color}) as me:
                    with self.begin(me, accept) as server:
                        server.send(b"[bob]: hi\n")
                        me.see(["[bob]: hi", ">"])
                        self.assertEqual(b"m[bob]\x1b[0m: hi" in me.raw, coloured)

    def test_status_lines_go_to_stderr_where_that_is_no_terminal(self):
        with listener() as (port, accept):
            with Typist("epoll", port, stderr=subprocess.PIPE) as me:
                with self.begin(me, accept):
                    self.assertNotIn("connected to", me.screen.text())
                self.assertEqual(me.end(), 3)
                err = me.process.stderr.read().decode()
                self.assertRegex(err, r"\Aconnected to .*\nsluice: the server closed")

    def test_a_dumb_terminal_gets_plain_lines(self):
        with listener() as (port, accept):
            with Typist("epoll", port, environment={"TERM": "dumb"}) as me, accept() as server:
                server.send(b"[bob]: hi\n")
                me.see("[bob]: hi")
                self.assertEqual(me.modes(), me.before)
                self.assertNotIn(b"\x1b", me.raw)
                me.type("hello\n")
                self.assertEqual(server.receive(6), b"hello\n")


class Job:
    """The client as a job of a shell that controls a terminal: only there can it be suspended."""

    def __init__(self, engine, port):
        self.master, self.slave = pty.openpty()
        self.reports, report_to = os.pipe()
        orders, self.orders = os.pipe()
        self.shell = os.fork()
        if self.shell == 0:
            try:
                self.be_a_shell(engine, port, report_to, orders)
            finally:
                os._exit(70)
        os.close(report_to)
        os.close(orders)
        self.seen = b""
        self.job = int(self.report())

    def be_a_shell(self, engine, port, report_to, orders):
        os.setsid()
        fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        job = os.fork()
        if job == 0:
            os.setpgid(0, 0)
            os.tcsetpgrp(self.slave, os.getpid())
            signal.signal(signal.SIGTTOU, signal.SIG_DFL)
            for number in range(3):
                os.dup2(self.slave, number)
            os.closerange(3, 64)
            os.execve(
                SLUICE,
                [SLUICE, "chat", "join", str(port), "--engine", engine],
                ENVIRONMENT | {"TERM": "xterm", "NO_COLOR": "1"},
            )
        os.write(report_to, f"{job}\n".encode())
        while True:
            _, status = os.waitpid(job, os.WUNTRACED)
            mode = "canonical" if self.is_canonical() else "raw"
            if not os.WIFSTOPPED(status):
                code = os.waitstatus_to_exitcode(status)
                os.write(report_to, f"ended {code} {mode}\n".encode())
                os._exit(0)
            os.tcsetpgrp(self.slave, os.getpid())
            os.write(report_to, f"stopped {mode}\n".encode())
            if not os.read(orders, 1):
                os._exit(0)
            os.tcsetpgrp(self.slave, job)
            os.kill(-job, signal.SIGCONT)

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        for process in (self.job, self.shell):
            try:
                os.kill(process, KILL)
            except ProcessLookupError:
                pass
        os.waitpid(self.shell, 0)
        for fd in (self.master, self.slave, self.reports, self.orders):
            os.close(fd)

    def is_canonical(self):
        return termios.tcgetattr(self.slave)[3] & CANON == CANON

    def make_canonical(self):
        modes = termios.tcgetattr(self.slave)
        modes[3] |= CANON
        termios.tcsetattr(self.slave, termios.TCSANOW, modes)

    def signal(self, number):
        os.kill(self.job, number)

    def go_on(self):
        os.write(self.orders, b".")

    def report(self):
        line = b""
        while not line.endswith(b"\n"):
            more = self.wait_for(self.reports).read(1)
            if not more:
                raise AssertionError(f"the shell is gone after {line!r}")
            line += more
        return line.decode().strip()

    def wait_for(self, fd):
        if not select.select([fd], [], [], TIMEOUT)[0]:
            raise AssertionError(f"nothing came in {TIMEOUT} s after {self.seen!r}")
        return open(fd, "rb", buffering=0, closefd=False)

    def type(self, data):
        os.write(self.master, data)

    def read_until(self, wanted):
        while wanted not in self.seen:
            self.wait_for(self.master)
            self.seen += os.read(self.master, 65536).replace(b"\r", b"")
        before, _, self.seen = self.seen.partition(wanted)
        return before + wanted


if __name__ == "__main__":
    unittest.main()
