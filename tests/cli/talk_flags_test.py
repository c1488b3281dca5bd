"""sluice talk's command line: what it takes, what it refuses, and what it says it does."""

import json
import os
import re
import subprocess
import unittest

from talk_rig import (
    ENVIRONMENT,
    SLUICE,
    TIMEOUT,
    Client,
    Program,
    Server,
    TalkTest,
    call,
    engines,
    on_every_engine,
)

DENY = os.path.join(os.environ["SLUICE_BUILD"], "tests", "tools", "deny_io_uring")


def run(*words, **environment):
    done = subprocess.run(
        [SLUICE, "talk", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        env=ENVIRONMENT | environment,
    )
    return done.returncode, done.stdout, done.stderr


class Usage(TalkTest):
    def test_what_is_wrong_is_said_in_one_line(self):
        for words, error in (
            ([], "say what to do: serve or join"),
            (["shout"], "there is no command 'shout'"),
            (["serve", "--eco"], "did you mean --echo?"),
            (["join", "--keep"], "there is no flag '--keep'"),
            (["serve", "--framing", "xml"], "'xml' is none of auto, line and raw"),
            (["serve", "--max-line", "0"], "'0' is no length of a message; write 1 to 1G"),
            (["serve", "--max-line", "2G"], "'2G' is no length of a message"),
            (["serve", "--max-line", "much"], "'much' is no size"),
            (["serve", "--listen", "nowhere"], "nowhere"),
            (["join", "127.0.0.1:99999"], "99999"),
            (["join", "127.0.0.1:5000", "127.0.0.1:5001"], "one word too many"),
            (["join", "--engine", "steam"], "'steam' is none of"),
            (["serve", "--engine", "blocking", "--model", "event"], "does not go with"),
            (["serve", "--engine", "epoll", "--model", "sync"], "does not go with"),
        ):
            with self.subTest(words=words):
                status, out, err = run(*words)
                self.assertEqual((status, out), (2, ""), err)
                self.assertIn(error, err)
                self.assertEqual(err.count("\n"), 1)

    def test_models_that_have_nothing_to_spread(self):
        for model in ("fork", "thread", "pool"):
            status, _, err = run("serve", "--model", model)
            self.assertEqual(status, 2)
            self.assertIn(
                f"--model {model} has nothing to spread here, for talk serves one client at a "
                "time; use --model event or --model sync",
                err,
            )

    def test_help(self):
        for words in (["serve"], ["join"]):
            status, out, err = run(*words, "--help")
            self.assertEqual((status, err), (0, ""))
            self.assertIn("--framing", out)
            self.assertIn("--max-line", out)


class Listening(TalkTest):
    @on_every_engine
    def test_says_where_and_how(self, engine):
        with Server(engine) as server:
            model = "sync" if engine == "blocking" else "event"
            self.assertEqual((server.model, server.engine), (model, engine))
            self.assertNotEqual(server.port, 0)

    def test_auto_takes_the_best(self):
        best = "uring" if "uring" in engines() else "epoll"
        if os.environ.get("SLUICE_TEST_ENGINES") and best == "epoll":
            self.skipTest("io_uring is left out of the tests, not of the program")
        with Server("auto") as server:
            self.assertEqual((server.model, server.engine), ("event", best))

    def test_the_model_alone_chooses_the_engine(self):
        with Program(SLUICE, "talk", "serve", "--listen", "0", "--model", "sync") as server:
            server.expect_stderr(r"^listening on 127\.0\.0\.1:\d+ \(sync, blocking\)$")

    def test_other_addresses(self):
        for where, shown in (("[::1]:0", r"\[::1\]"), ("localhost:0", r"(127\.0\.0\.1|\[::1\])")):
            with Program(SLUICE, "talk", "serve", "--echo", "--listen", where) as server:
                found = server.expect_stderr(rf"^listening on ({shown}:\d+) ")
                with Client("epoll", found[1]) as client:
                    client.type("hello\nexit\n")
                    self.assert_ends(client, 0, f"[Server {found[1]}]: hello\n")
                self.assert_ends(server, 0)

    def test_without_io_uring_epoll_is_used_and_the_reason_said(self):
        with Program(DENY, "EPERM", "--", SLUICE, "talk", "serve", "--listen", "0") as server:
            server.expect_stderr("^io_uring does not work here, so epoll is used: .*seccomp")
            server.expect_stderr(r"^listening on 127\.0\.0\.1:\d+ \(event, epoll\)$")

    def test_without_io_uring_a_user_who_insists_learns_what_to_do(self):
        for command in (("serve", "--listen", "0"), ("join", "1")):
            words = (SLUICE, "talk", *command, "--engine", "uring")
            with Program(DENY, "ENOSYS", "--", *words) as program:
                self.assert_ends(program, 1, "", "^sluice: io_uring does not work here: .* epoll$")

    def test_log_format_json_makes_every_line_of_stderr_json(self):
        with Program(
            SLUICE, "talk", "serve", "--listen", "0", "--echo", "--log-format", "json"
        ) as server:
            line = json.loads(server.err.next())
            port = int(re.fullmatch(r"listening on 127\.0\.0\.1:(\d+) .*", line["message"])[1])
            with call(port) as peer:
                peer.send(b"hello\n")
                peer.receive(6)
            _, _, err = server.end()
            last = json.loads(err.splitlines()[-1])
            self.assertEqual(last["level"], "error")
            self.assertIn("went away during its own turn", last["message"])

    def test_quiet_says_only_where_it_listens(self):
        with Server("epoll", "--quiet", "--echo") as server, call(server.port) as peer:
            peer.send(b"exit\n")
            self.assertEqual(peer.receive_to_end(), b"")
            self.assertRegex(self.assert_ends(server, 0), r"\Alistening on .*\n\Z")

    def test_flags_come_from_the_environment_too(self):
        status, _, err = run("join", "1", SLUICE_ENGINE="steam")
        self.assertEqual(status, 2)
        self.assertIn("SLUICE_ENGINE in the environment: 'steam' is none of", err)


if __name__ == "__main__":
    unittest.main()
