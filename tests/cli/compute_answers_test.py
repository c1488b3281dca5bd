"""What is asked, and what is answered, on every model."""

import concurrent.futures
import subprocess

from compute_rig import FIB, ComputeTest, Server, ask, ask_json, call, on_every_model, python_client
from talk_rig import ENVIRONMENT, SLUICE, TIMEOUT

BAD = (
    (b"abc", b"not a number"),
    (b"-1", b"out of range"),
    (b"35", b"out of range"),
    (b"99999999999999999999", b"out of range"),
    (b"", b"not a number"),
    (b"-", b"not a number"),
    (b"+5", b"not a number"),
    (b"1e3", b"not a number"),
    (b"3.5", b"not a number"),
    (b"\x00\xff\x1b[2J\x07", b"not a number"),
    (b"1" * 60_000, b"out of range"),
)


class Answers(ComputeTest):
    @on_every_model
    def test_one_question_has_one_answer(self, serve):
        with serve() as server:
            self.assertEqual(ask(server.port, 30), (0, "function(30): 1346269\n", ""))
            for number in (0, 1):
                self.assertEqual(ask(server.port, number)[1], f"function({number}): 1\n")
            said = self.assert_stops(server, "served 3 clients", "answered 2 at once and 1 after work")
            self.assertNotIn("warning", said)

    @on_every_model
    def test_questions_that_come_together_are_answered_in_their_order(self, serve):
        with serve() as server, call(server.port) as client:
            numbers = [10, 25, 1, 20, 25, 10]
            client.send(b"".join(b"%d\n" % number for number in numbers))
            client.finish()
            expected = b"".join(b"%d\n" % FIB[number] for number in numbers)
            self.assertEqual(client.receive_to_end(), expected)

    @on_every_model
    def test_a_question_may_come_byte_by_byte(self, serve):
        with serve() as server, call(server.port) as client:
            client.send_split(b"25\r\n10\n")
            self.assertEqual(client.receive(10), b"121393\n89\n")

    @on_every_model
    def test_a_question_without_an_end_is_answered_without_one(self, serve):
        with serve() as server, call(server.port) as client:
            for _ in range(3):
                client.send(b"10")
                self.assertEqual(client.receive(2), b"89")

    @on_every_model
    def test_a_port_that_another_server_has_is_refused(self, serve):
        with serve() as server:
            where = f"127.0.0.1:{server.port}"
            done = subprocess.run(
                [SLUICE, "compute", "serve", "--listen", where],
                capture_output=True,
                text=True,
                timeout=TIMEOUT,
                env=ENVIRONMENT,
            )
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn(f"cannot listen on {where}", done.stderr)

    @on_every_model
    def test_bad_input_is_refused_and_the_connection_stays_open(self, serve):
        with serve() as server, call(server.port) as client:
            for question, answer in BAD:
                client.send(question + b"\n10\n")
                self.assertEqual(client.receive(len(answer) + 4), answer + b"\n89\n", question[:40])

    @on_every_model
    def test_a_megabyte_of_digits_is_refused_politely(self, serve):
        with serve() as server:
            with call(server.port) as client:
                client.send(b"1" * (1 << 20) + b"\n")
                client.finish()
                self.assertEqual(client.receive_to_end(), b"too long\n")
            self.assert_answers(server)
            self.assert_stops(server, " 1 too long")

    @on_every_model
    def test_raw_framing_answers_each_read(self, serve):
        with serve("--framing", "raw") as server, call(server.port) as client:
            client.send(b"10\n")
            self.assertEqual(client.receive(2), b"89")

    @on_every_model
    def test_echo_and_sleep_are_works_too(self, serve):
        with serve("--work", "echo") as server, call(server.port) as client:
            client.send(b"h\xc3\xa4ll\xc3\xb6\n")
            self.assertEqual(client.receive(8), b"h\xc3\xa4ll\xc3\xb6\n")
        with serve("--work", "sleep") as server, call(server.port) as client:
            client.send(b"1\nsoon\n3\n")
            self.assertEqual(client.receive(17), b"1\nnot a number\n3\n")

    @on_every_model
    def test_eight_simple_programs_at_once(self, serve):
        with serve() as server:
            clients = [python_client(server.port, 25, 5) for _ in range(8)]
            for client in clients:
                with client:
                    status, out, err = client.end()
                    self.assertEqual((status, out, err), (0, "function(25): 121393\n" * 5, ""))

    @on_every_model(but=["sync"])
    def test_one_slow_client_holds_up_no_other(self, serve):
        with serve("--work", "sleep", "--grace", "10ms", "--workers", "2") as server:
            with call(server.port) as slow:
                slow.send(b"3600000\n")
                with concurrent.futures.ThreadPoolExecutor() as threads:
                    asked = threads.submit(ask, server.port, 1)
                    self.assertEqual(asked.result()[1], "function(1): 1\n")
                slow.reset()

    def test_many_questions_have_a_summary(self):
        with Server("event") as server:
            status, out, err = ask(server.port, 20, "--clients", 3, "--requests", 4)
            self.assertEqual((status, err), (0, ""))
            self.assertRegex(
                out,
                r"\Afunction\(20\): 10946\n12 answers in [\d.]+ s: [\d.]+ a second "
                r"\(3 clients x 4 questions\)\n"
                r"latency: p50 [\d.]+ \w+, p90 [\d.]+ \w+, p99 [\d.]+ \w+, max [\d.]+ \w+\n"
                r"errors: none\n\Z",
            )
            said = ask_json(server.port, 35, "--clients", 2, "--requests", 3)
            self.assertEqual(said["errors"], {"out of range": 6})
            self.assertEqual((said["answer"], said["answered"], said["clients"]), (None, 0, 2))
            status, out, _ = ask(server.port, 35)
            self.assertEqual((status, out), (1, "function(35): out of range\n"))

    def test_a_refused_connection_is_reported_and_has_a_status_of_its_own(self):
        with Server("event") as server:
            port = server.port
            self.assert_stops(server)
        status, out, err = ask(port, 30)
        self.assertEqual((status, out), (3, ""))
        self.assertRegex(err, r"cannot reach '127\.0\.0\.1:\d+' \(.*refused\): is `sluice compute serve`")

    def test_the_limit_can_be_moved(self):
        with Server("event", "--limit", "10") as server:
            self.assertEqual(ask(server.port, 11)[1], "function(11): out of range\n")
            self.assertEqual(ask(server.port, 10)[1], "function(10): 89\n")

    def test_impossible_pairs_are_refused(self):
        for model, engine in (("event", "blocking"), ("fork", "epoll"), ("pool", "uring")):
            with self.assertRaises(Exception) as refused:
                Server(model, engine=engine)
            self.assertIn("does not go with", str(refused.exception))


if __name__ == "__main__":
    import unittest

    unittest.main()
