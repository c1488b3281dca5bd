"""Any program that answers lines with lines is a service, under any model."""

import concurrent.futures
import contextlib
import itertools
import os
import pathlib
import shutil
import signal
import socket
import sys
import tempfile
import time
import unittest

from compute_rig import ComputeTest, Server, ask, ask_json, call, on_every_model, wait_until
from talk_rig import SLUICE, TIMEOUT, Program

DOUBLE = "import sys\nfor line in sys.stdin: print(int(line) * 2, flush=True)"
FRAGILE = (
    "import os, sys\n"
    "for line in sys.stdin:\n"
    "    if line == 'die\\n': os.kill(os.getpid(), 9)\n"
    "    print(f'heard {line.strip()}', file=sys.stderr, flush=True)\n"
    "    print(os.getpid(), flush=True)"
)

# Answers each question with its own words, and says more than that in every way it can think of.
TALKATIVE = r"""
$| = 1; srand; print "banner\n" if rand() < 0.5;
while (<STDIN>) {
    chomp; my $mood = int(rand(9));
    if ($mood == 0) { exit 3; }
    if ($mood == 1) { print "$_ fir"; select(undef, undef, undef, 0.003); print "st\n"; next; }
    if ($mood == 2) { print STDERR "$_ remark\n" x 50; }
    print "$_ first\n";
    if ($mood == 3) { print "$_ second\n"; }
    if ($mood == 4) { select(undef, undef, undef, 0.005); print "$_ late\n$_ later\n"; }
    if ($mood == 5) { print "$_ prompt> "; }
    if ($mood == 6) { select(undef, undef, undef, 0.02); print "$_ l"; print "ast\n"; }
    if ($mood == 7) { close(STDOUT); }
}
"""


def is_running(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    return False


class Exec(ComputeTest):
    @on_every_model
    def test_a_program_answers(self, serve):
        with serve("--exec", sys.executable, "-c", DOUBLE) as server:
            self.assertEqual(ask(server.port, 21)[:2], (0, "function(21): 42\n"))
            with call(server.port) as client:
                client.send(b"1\n2\n3\n")
                self.assertEqual(client.receive(6), b"2\n4\n6\n")
            said = ask_json(server.port, 4, "--clients", 4, "--requests", 5)
            self.assertEqual((said["answered"], said["errors"]), (20, {}))
            self.assert_stops(server)

    @on_every_model
    def test_a_program_that_dies_costs_its_question_only(self, serve):
        with serve("--exec", sys.executable, "-c", FRAGILE) as server:
            with call(server.port) as client:
                client.send(b"die\n")
                self.assertEqual(client.receive(7), b"failed\n")
            if server.model == "fork":
                self.assertRegex(ask(server.port, "hello")[1], r"function\(hello\): \d+")
                return  # its process may be gone before the rest is said
            server.expect_stderr(r"ended by signal 9 \(Killed\); it is started again at once")
            with call(server.port) as client:
                client.send(b"hello\n")
                self.assertRegex(client.receive(2), rb"\d\d")
                server.expect_stderr(r"info: .* heard hello$")

    def test_programs_get_no_descriptors_but_their_own(self):
        script = "import os\nwhile input(): print(sorted(map(int, os.listdir('/proc/self/fd'))), flush=True)"
        # One that the server has and that is not closed on exec, as any library may open it.
        with open(os.devnull, "rb") as other:
            for model in ("event", "thread", "fork"):
                with Server(
                    model, "--exec", sys.executable, "-c", script, pass_fds=[other.fileno()]
                ) as server:
                    # The fourth is that of the listing itself.
                    self.assertEqual(ask(server.port, "fds")[1], "function(fds): [0, 1, 2, 3]\n")

    def test_one_that_hangs_is_late_and_is_killed(self):
        script = "import time\nwhile True: time.sleep(1 if input() == 'hang' else 0) or print('x', flush=True)"
        script = script.replace("time.sleep(1 ", "time.sleep(1000 ")
        with Server("event", "--deadline", "200", "--exec", sys.executable, "-c", script) as server:
            self.assertEqual(ask(server.port, "hang")[:2], (1, "function(hang): late\n"))
            server.expect_stderr("ended by signal 9")

    @on_every_model
    def test_no_client_gets_what_belongs_to_another_question(self, serve):
        numbers = itertools.count()

        def ask_until(end):
            answered = 0
            while time.monotonic() < end:
                with call(server.port) as client:
                    for _ in range(3):
                        mine = b"q%d" % next(numbers)
                        client.send(mine + b"\n")
                        answer = b""
                        while not answer.endswith(b"\n"):
                            answer += client.receive(1)
                        if answer != b"failed\n":
                            self.assertEqual(answer, mine + b" first\n")
                            answered += 1
            return answered

        with serve("--workers", "2", "--quiet", "--exec", "perl", "-e", TALKATIVE) as server:
            with concurrent.futures.ThreadPoolExecutor() as threads:
                end = time.monotonic() + 1
                asking = [threads.submit(ask_until, end) for _ in range(4)]
                self.assertGreater(sum(each.result() for each in asking), 0)
            self.assert_stops(server)

    @on_every_model
    def test_a_stop_ends_the_input_first_and_kills_last(self, serve):
        with tempfile.TemporaryDirectory() as folder:
            log = pathlib.Path(folder, "log")
            script = (
                f"trap 'echo term >> {log}; exit' TERM\nwhile read -r x; do echo $x; done\n"
                f"echo end >> {log}; while :; do sleep 0.01; done"
            )
            with serve("--workers", "1", "--exec", "sh", "-c", script) as server:
                self.assertEqual(ask(server.port, 1)[1], "function(1): 1\n")
                self.assert_stops(server)
                self.assertEqual(log.read_text(encoding="ascii"), "end\nterm\n")

    @on_every_model
    def test_one_that_is_busy_at_the_stop_is_signalled_and_then_killed(self, serve):
        script = "trap 'echo told >&2' TERM; read x; echo asked >&2; while :; do sleep 0.01; done"
        with serve("--workers", "1", "--grace", "600ms", "--exec", "sh", "-c", script) as server, call(server.port) as client:
            client.send(b"1\n")
            server.expect_stderr("asked")
            self.assert_stops(server, "told")

    @on_every_model
    def test_programs_and_what_they_started_end_with_a_server_that_is_killed(self, serve):
        script = "sleep 1000 & while read x; do echo $$ $!; done"
        with serve("--workers", "1", "--exec", "sh", "-c", script) as server, call(server.port) as client:
            client.send(b"1\n")
            answer = b""
            while not answer.endswith(b"\n"):
                answer += client.receive(1)
            pids = list(map(int, answer.split()))
            self.assertTrue(all(map(is_running, pids)))
            server.signal(signal.SIGKILL)
            wait_until(lambda: not any(map(is_running, pids)), "its programs have ended")

    @on_every_model
    def test_a_client_that_resets_its_connection_frees_the_program(self, serve):
        script = "while read x; do [ $x = hang ] && { echo hangs >&2; sleep 1000; }; echo $x; done"
        with serve("--workers", "1", "--exec", "sh", "-c", script) as server:
            with call(server.port) as client:
                client.send(b"hang\n")
                server.expect_stderr("hangs")
                client.reset()
            self.assertEqual(ask(server.port, 5)[1], "function(5): 5\n")

    def test_a_program_of_the_fork_model_knows_its_client(self):
        script = "while read x; do echo $REMOTE_ADDR $REMOTE_PORT; done"
        with Server("fork", "--exec", "sh", "-c", script) as server, call(server.port) as client:
            port = client.socket.getsockname()[1]
            client.send(b"1\n")
            answer = b"127.0.0.1 %d\n" % port
            self.assertEqual(client.receive(len(answer)), answer)

    def test_a_client_of_a_unix_socket_is_its_user(self):
        script = "while read x; do echo $REMOTE_ADDR,$REMOTE_PORT; done"
        name = f"sluice-{os.getpid()}"
        with Program(
            SLUICE, "compute", "serve", "--listen", f"unix:@{name}", "--model", "fork",
            "--exec", "sh", "-c", script,
        ) as server, socket.socket(socket.AF_UNIX) as client:
            server.expect_stderr("listening on unix:@")
            client.settimeout(TIMEOUT)
            client.connect("\0" + name)
            client.sendall(b"1\n")
            expected = f"unix:uid={os.geteuid()},pid={os.getpid()},\n"
            self.assertEqual(client.recv(200).decode(), expected)

    @unittest.skipUnless(shutil.which("bc"), "no bc here")
    def test_long_numbers_of_bc_are_one_line(self):
        with Server("event", "--exec", "bc") as server:
            self.assertEqual(ask(server.port, "2^300")[1], f"function(2^300): {2**300}\n")

    def test_mistakes_are_explained(self):
        for flags, words in (
            (("--exec",), "--exec needs a program"),
            (("--exec", "no-such-program"), "there is no program 'no-such-program'"),
            (("cat",), "'cat' is one word too many"),
            (("--exce", "cat"), "there is no .*'--exce'; did you mean --exec"),
        ):
            with self.subTest(flags=flags), self.assertRaisesRegex(Exception, words):
                Server("event", *flags)


if __name__ == "__main__":
    unittest.main()
