"""Any program that answers lines with lines is a service, under any model."""

import sys
import unittest

from compute_rig import ComputeTest, Server, ask, ask_json, call, on_every_model

DOUBLE = "import sys\nfor line in sys.stdin: print(int(line) * 2, flush=True)"
FRAGILE = (
    "import os, sys\n"
    "for line in sys.stdin:\n"
    "    if line == 'die\\n': os.kill(os.getpid(), 9)\n"
    "    print(f'heard {line.strip()}', file=sys.stderr, flush=True)\n"
    "    print(os.getpid(), flush=True)"
)


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
            server.hear_remark(r"ended by signal 9 \(Killed\); it is started again at once")
            with call(server.port) as client:
                client.send(b"hello\n")
                self.assertRegex(client.receive(2), rb"\d\d")
                server.hear_remark(r"info: .* heard hello$")

    def test_programs_get_no_descriptors_but_their_own(self):
        script = "import os\nwhile input(): print(sorted(map(int, os.listdir('/proc/self/fd'))), flush=True)"
        for model in ("event", "thread", "fork"):
            with Server(model, "--exec", sys.executable, "-c", script) as server:
                # The fourth is that of the listing itself.
                self.assertEqual(ask(server.port, "fds")[1], "function(fds): [0, 1, 2, 3]\n")

    def test_one_that_hangs_is_late_and_is_killed(self):
        script = "import time\nwhile True: time.sleep(1 if input() == 'hang' else 0) or print('x', flush=True)"
        script = script.replace("time.sleep(1 ", "time.sleep(1000 ")
        with Server("event", "--deadline", "200", "--exec", sys.executable, "-c", script) as server:
            self.assertEqual(ask(server.port, "hang")[:2], (1, "function(hang): late\n"))
            server.hear_remark("ended by signal 9")

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
