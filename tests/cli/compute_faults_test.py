"""Limits, shortages, signals and crashes, on every model they concern."""

import contextlib
import os
import pathlib
import resource
import signal
import time
import unittest

from compute_rig import (
    TIMEOUT,
    ComputeTest,
    Program,
    Server,
    ask,
    ask_json,
    call,
    on_every_model,
    wait_until,
)
from talk_rig import sanitized, thread_sanitized


def with_limit(what, most):
    return {"preexec_fn": lambda: resource.setrlimit(what, (most, most))}


def stuck(client):
    """Whether nothing comes for a while from a client that asked."""
    client.socket.settimeout(0.3)
    try:
        return client.socket.recv(1) is None
    except TimeoutError:
        return True
    finally:
        client.socket.settimeout(TIMEOUT)


@contextlib.contextmanager
def processes_at_most(number):
    """A group of control for processes (cgroup v1 or v2, pids.max), and the file to join it."""
    for root in ("/sys/fs/cgroup/pids", "/sys/fs/cgroup"):
        if pathlib.Path(root, "cgroup.procs").exists():
            break
    else:
        raise unittest.SkipTest("no cgroup here")
    group = pathlib.Path(root, f"sluice-test-{os.getpid()}")
    try:
        group.mkdir()
        limit = group / "pids.max"
        limit.write_text(str(number))
    except OSError as problem:
        with contextlib.suppress(OSError):
            group.rmdir()
        raise unittest.SkipTest(f"cannot limit processes here: {problem}")
    try:
        yield group
    finally:
        wait_until(lambda: not (group / "cgroup.procs").read_text(), "the group is empty")
        group.rmdir()


# A question that keeps a worker for about half a second; the thread sanitizer counts every call.
LONG, ANSWER = ("39", b"102334155\n") if thread_sanitized() else ("43", b"701408733\n")
# One that keeps it for years.
FOREVER = "90"


class Limits(ComputeTest):
    def assert_waits(self, server):
        """A thread that spins is found running in every sample, however slow the machine is."""
        samples = 30
        ran = 0
        for _ in range(samples):
            ran += "R" in server.states()
            time.sleep(0.01)
        self.assertLess(ran, samples // 2, "it spins")

    @on_every_model
    def test_at_the_limit_no_other_is_accepted_until_one_leaves(self, serve):
        with serve("--max-clients", "2", "--workers", "2") as server, contextlib.ExitStack() as all:
            here = [all.enter_context(call(server.port))]
            if server.model != "sync":
                here.append(all.enter_context(call(server.port)))
            for client in here:
                client.send(b"1\n")
                self.assertEqual(client.receive(2), b"1\n")
            third = all.enter_context(call(server.port))
            third.send(b"10\n")
            self.assert_waits(server)
            self.assertTrue(stuck(third))
            here[0].finish()
            self.assertEqual(here[0].receive_to_end(), b"")
            self.assertEqual(third.receive(3), b"89\n")
            third.finish()
            if server.model != "sync":
                here[-1].finish()
            most = 1 if server.model == "sync" else 2
            self.assert_stops(server, rf"served {len(here) + 1} clients, {most} at most at a time")

    @on_every_model
    def test_a_silent_client_is_not_waited_for(self, serve):
        with serve("--idle-time", "100ms", "--stall-time", "200ms", "--workers", "1") as server:
            with call(server.port) as client:
                self.assertEqual(client.receive_to_end(), b"")
            with call(server.port) as client:
                client.send(b"1\n")
                self.assertEqual(client.receive_to_end(), b"1\n")
            self.assert_stops(server, "closed 2 idle and 0 stalled connections")

    @on_every_model
    def test_half_a_question_is_not_waited_for(self, serve):
        with serve("--framing", "line", "--stall-time", "100ms", "--workers", "1") as server:
            with call(server.port) as client:
                client.send(b"1\n")
                self.assertEqual(client.receive(2), b"1\n")
                client.send(b"12")
                self.assertEqual(client.receive_to_end(), b"")
            self.assert_stops(server, "closed 0 idle and 1 stalled connections")

    @on_every_model
    def test_a_client_that_does_not_read_is_not_waited_for(self, serve):
        with serve("--work", "echo", "--stall-time", "200ms", "--workers", "1") as server:
            with call(server.port) as client:
                line = b"x" * 60_000 + b"\n"
                with self.assertRaises(OSError):
                    for _ in range(1000):
                        client.socket.sendall(line)
            self.assert_answers_echo(server)
            self.assert_stops(server, "closed 0 idle and 1 stalled connections")

    @on_every_model
    def test_a_stop_leaves_whole_what_was_answered(self, serve):
        line = b"x" * 50_000 + b"\n"
        with serve("--work", "echo", "--workers", "1") as server, call(server.port) as client:
            # Until the answers that are not read stop the server, and questions lie unread in it.
            client.socket.settimeout(0.3)
            sent = 0
            with contextlib.suppress(TimeoutError):
                while True:
                    sent += client.socket.send(line[sent % len(line) :])
            server.signal(signal.SIGTERM)
            client.socket.settimeout(TIMEOUT)
            received = client.receive_to_end()
            self.assertEqual(received, (line * (len(received) // len(line) + 1))[: len(received)])
            self.assertEqual(len(received) % len(line), 0, "an answer was cut")
            self.assertGreater(len(received), 0)

    def assert_answers_echo(self, server):
        with call(server.port) as client:
            client.send(b"hello\n")
            self.assertEqual(client.receive(6), b"hello\n")

    @unittest.skipIf(sanitized(), "the sanitizer needs descriptors to look at memory")
    @on_every_model(but=["sync"])
    def test_no_descriptors_left_is_survived_without_spinning(self, serve):
        with serve("--quiet", **with_limit(resource.RLIMIT_NOFILE, 64)) as server:
            if server.model == "fork":
                # Its children hold the clients. So that it is short itself, and does not start a
                # process for each client while it is watched, the limit is what it has open.
                here = server.descriptors()
                least = next(number for number in range(64) if number not in here)
                resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (least, 64))
            clients = []
            self.addCleanup(lambda: [client.socket.close() for client in clients])
            for _ in range(100):
                # One that is turned away is reset, and may see that before it has connected.
                with contextlib.suppress(ConnectionResetError):
                    clients.append(call(server.port))
            server.expect_stderr(r"warning: a client was turned away, .*[Tt]oo many open files")
            self.assertEqual(server.children(), {})
            self.assert_waits(server)
            for client in clients:
                client.reset()
            resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (64, 64))
            wait_until(lambda: ask(server.port, 10)[1] == "function(10): 89\n", "it serves again")
            said = self.assert_stops(server)
            self.assertLessEqual(said.count("turned away"), 1, "one line a kind")

    @on_every_model
    def test_a_thousand_connections_come_and_go_and_leave_nothing(self, serve):
        with serve("--quiet") as server:
            self.assertEqual(ask_json(server.port, 25, "--clients", 8, "--requests", 3)["errors"], {})
            descriptors, threads = len(server.descriptors()), server.threads()
            memory = server.memory()
            # A process with a sanitizer takes thirty times as long to start.
            many = 100 if sanitized() else 500
            said = ask_json(server.port, 1, "--clients", many, "--requests", 2, "--reconnect")
            self.assertEqual((said["answered"], said["errors"]), (2 * many, {}))
            wait_until(lambda: len(server.descriptors()) <= descriptors, "descriptors are back")
            wait_until(lambda: server.threads() <= threads, "threads are back")
            wait_until(lambda: not server.children(), "children are reaped")
            if not sanitized():
                self.assertLess(server.memory() - memory, 8 * 1024, "memory is back")
            self.assert_stops(server)

    @unittest.skipIf(sanitized(), "the sanitizer has a thread of its own")
    def test_threads_and_processes_that_cannot_be_had_are_waited_for(self):
        for model, words in (("fork", "no process can be started"), ("thread", "no thread can be")):
            with self.subTest(model=model), processes_at_most("max") as group:
                join = lambda: (group / "cgroup.procs").write_text(str(os.getpid()))
                with Server(model, "--quiet", "--grace", "100ms", preexec_fn=join) as server:
                    # It may have threads and processes of its own beside the one that accepts.
                    here = int((group / "pids.current").read_text())
                    (group / "pids.max").write_text(str(here + 3))
                    clients = []
                    for _ in range(3):
                        clients.append(call(server.port))
                        clients[-1].send(b"1\n")
                        self.assertEqual(clients[-1].receive(2), b"1\n")
                    waiting = call(server.port)
                    waiting.send(b"10\n")
                    server.expect_stderr(f"warning: {words}")
                    self.assertTrue(stuck(waiting))
                    clients[0].reset()
                    self.assertEqual(waiting.receive(3), b"89\n")
                    for client in [*clients[1:], waiting]:
                        client.reset()
                    said = self.assert_stops(server)
                    self.assertLessEqual(said.count(words), 1, "one line a kind")


class Stops(ComputeTest):
    @on_every_model
    def test_the_first_signal_lets_go_of_idle_clients_at_once(self, serve):
        for number in (signal.SIGTERM, signal.SIGINT):
            # It does not wait out its grace.
            with serve("--grace", "1h") as server, call(server.port) as idle:
                idle.send(b"1\n")
                self.assertEqual(idle.receive(2), b"1\n")
                self.assert_stops(server, "served 1 clients", number=number)
                self.assertEqual(idle.receive_to_end(), b"")

    @on_every_model
    def test_what_was_asked_is_answered_within_the_grace(self, serve):
        with serve("--work", "sleep") as server, call(server.port) as client:
            client.send(b"1\n")
            self.assertEqual(client.receive(2), b"1\n")
            client.send(b"400\n")
            server.wait_read(client)
            server.signal(signal.SIGTERM)
            self.assertEqual(client.receive_to_end(), b"400\n")
            self.assertEqual(server.end()[0], 0)

    def test_what_waits_for_a_thread_of_the_pool_is_answered_too(self):
        flags = ("--work", "sleep", "--workers", "1")
        with Server("pool", *flags) as server:
            with call(server.port) as busy, call(server.port) as waiting:
                for client in (busy, waiting):
                    client.send(b"1\n")
                    self.assertEqual(client.receive(2), b"1\n")
                busy.send(b"400\n")
                server.wait_read(busy)
                waiting.send(b"2\n")
                server.signal(signal.SIGTERM)
                self.assertEqual(busy.receive_to_end(), b"400\n")
                self.assertEqual(waiting.receive_to_end(), b"2\n")
                self.assertEqual(server.end()[0], 0)

    @on_every_model
    def test_after_the_grace_everything_ends(self, serve):
        with serve("--work", "sleep", "--grace", "100ms") as server, call(server.port) as client:
            client.send(b"1\n")
            self.assertEqual(client.receive(2), b"1\n")
            client.send(b"3600000\n")
            server.wait_read(client)
            self.assert_stops(server)

    @on_every_model
    def test_a_second_signal_ends_everything_at_once(self, serve):
        with serve("--work", "sleep", "--grace", "1h") as server, call(server.port) as client:
            client.send(b"1\n")
            self.assertEqual(client.receive(2), b"1\n")
            client.send(b"3600000\n")
            server.wait_read(client)
            server.signal(signal.SIGTERM)
            time.sleep(0.2)
            self.assertIsNone(server.process.poll())
            self.assert_stops(server)

    @on_every_model
    def test_it_stops_under_load(self, serve):
        with serve("--quiet", "--grace", "1h") as server:
            before = server.work()
            asking = Program(
                os.environ["SLUICE"], "compute", "ask", server.port, 20, "--clients", "16",
                "--requests", "5000", stdin=None,
            )
            with asking:
                wait_until(lambda: server.work() > before + 10, "it has worked for a while")
                self.assert_stops(server)
                self.assertEqual(asking.process.wait(TIMEOUT), 3, "the server went away")

    @on_every_model(but=["fork"])
    def test_a_server_that_was_stopped_for_a_while_goes_on(self, serve):
        with serve() as server, call(server.port) as client:
            server.signal(signal.SIGSTOP)
            wait_until(lambda: server.states() == {"T"}, "all its threads stand still")
            client.send(b"10\n")
            self.assertTrue(stuck(client))
            server.signal(signal.SIGCONT)
            self.assertEqual(client.receive(3), b"89\n")


class Forbidden(ComputeTest):
    def test_where_io_uring_is_forbidden_epoll_serves(self):
        tool = pathlib.Path(os.environ["SLUICE_BUILD"], "tests", "tools", "deny_io_uring")
        for refusal in ("EPERM", "ENOSYS"):
            with Server("event", prefix=[tool, refusal, "--"]) as server:
                self.assertEqual(server.engine, "epoll")
                self.assertEqual(ask(server.port, 25)[1], "function(25): 121393\n")
                said = self.assert_stops(server)
                self.assertEqual(said.count("io_uring does not work here, so epoll is used"), 1)


class Clients(ComputeTest):
    def wait_taken_up(self, server):
        """Until a worker computes: no question of this server's waits in the queue then."""
        before = server.cpu_ticks()
        wait_until(lambda: server.cpu_ticks() > before + 2, "a worker computes")

    def test_one_that_went_away_is_not_computed_for(self):
        for engine in ("epoll", "auto"):
            with Server("event", "--workers", "1", "--limit", LONG, engine=engine) as server:
                with call(server.port) as busy:
                    busy.send(f"{LONG}\n".encode())  # for a while the one worker has nothing else in mind
                    server.wait_read(busy)
                    for _ in range(5):
                        gone = call(server.port)
                        gone.send(f"{LONG}\n".encode())
                        server.wait_read(gone)
                        gone.reset()
                    self.assertEqual(busy.receive(len(ANSWER)), ANSWER)
                    busy.send(b"25\n")
                    self.assertEqual(busy.receive(7), b"121393\n")
                self.assert_stops(server, " 5 abandoned")

    def test_one_that_ended_its_side_only_is_answered(self):
        for model in ("event", "thread", "pool", "fork", "sync"):
            with Server(model) as server, call(server.port) as client:
                client.send(b"27\n30\n")
                client.finish()
                self.assertEqual(client.receive_to_end(), b"317811\n1346269\n")

    @on_every_model(but=["sync"])
    def test_resets_in_mid_message_cost_no_other_client(self, serve):
        with serve("--quiet") as server:
            for _ in range(50):
                client = call(server.port)
                client.send(b"12")
                client.reset()
            self.assert_answers(server)
            self.assert_stops(server)

    def test_a_full_queue_says_busy(self):
        with Server("event", "--workers", "1", "--limit", LONG, "--queue", "1") as server:
            with call(server.port) as first, call(server.port) as second, call(server.port) as third:
                first.send(f"{LONG}\n".encode())
                server.wait_read(first)
                self.wait_taken_up(server)
                second.send(b"25\n")
                server.wait_read(second)
                third.send(b"25\n")
                self.assertEqual(third.receive(5), b"busy\n")
                self.assertEqual(first.receive(len(ANSWER)), ANSWER)
                self.assertEqual(second.receive(7), b"121393\n")
            self.assert_stops(server, "1 busy, 0 late")

    def test_what_waits_longer_than_the_deadline_is_late(self):
        flags = ("--workers", "1", "--limit", FOREVER, "--deadline", "50")
        with Server("event", *flags) as server:
            with call(server.port) as first, call(server.port) as second:
                late = 1 + self.keep_the_worker(server, first)
                second.send(b"25\n")
                self.assertEqual(second.receive(5), b"late\n")
                server.signal(signal.SIGUSR1)
                server.expect_stderr("^  busy +0  ")
                server.expect_stderr(f"^  late +{late}  ")

    def keep_the_worker(self, server, client):
        """Until the one worker computes for `client`, for ever; how often the question was late
        itself, for a worker that is slow to begin."""
        late = 0
        client.send(f"{FOREVER}\n".encode())
        client.socket.settimeout(0.05)
        idle = server.cpu_ticks()
        while server.cpu_ticks() < idle + 20:
            with contextlib.suppress(TimeoutError):
                self.assertEqual(client.socket.recv(10), b"late\n")
                late += 1
                client.send(f"{FOREVER}\n".encode())
                idle = server.cpu_ticks()
        return late

    def test_cheap_questions_are_answered_while_every_worker_computes(self):
        for model in ("event", "thread", "pool"):
            with Server(model) as server:
                burning = Program(
                    os.environ["SLUICE"], "compute", "ask", server.port, 30, "--clients", "16",
                    "--requests", "1000000", stdin=None,
                )
                with burning:
                    wait_until(lambda: server.cpu_ticks() > 5, "they compute")
                    said = ask_json(server.port, 1, "--requests", 20)
                    self.assertEqual((said["answered"], said["errors"]), (20, {}))


class Fork(ComputeTest):
    def test_a_child_has_no_descriptors_but_its_own(self):
        with Server("fork") as server, contextlib.ExitStack() as all:
            for _ in range(3):
                client = all.enter_context(call(server.port))
                client.send(b"1\n")
                client.receive(2)
            for child in server.children():
                kinds = sorted(link.partition(":")[0] for fd, link in server.descriptors(child).items() if fd > 2)
                # Its client, the wakeup fd of its engine, and the ways to stdout and stderr that do not
                # block.
                self.assertEqual(kinds, ["anon_inode", "pipe", "pipe", "socket"])

    def test_a_child_that_is_killed_costs_its_client_only(self):
        with Server("fork", "--work", "sleep") as server:
            with call(server.port) as victim, call(server.port) as other:
                victim.send(b"3600000\n")
                wait_until(lambda: len(server.children()) == 2, "both have a process")
                # What lies unread when a process ends is answered by a reset.
                server.wait_read(victim)
                first = min(server.children())
                os.kill(first, signal.SIGKILL)
                server.expect_stderr(r"warning: process \d+ ended by signal 9 \(Killed\)")
                self.assertEqual(victim.receive_to_end(), b"")
                other.send(b"2\n")
                self.assertEqual(other.receive(2), b"2\n")
            self.assert_stops(server, "1 processes crashed")

    def test_a_thousand_children_that_end_at_once_are_reaped(self):
        # A process with a sanitizer takes thirty times as long to start.
        many = 200 if sanitized() else 1000
        with Server("fork", "--quiet") as server:
            clients = [call(server.port) for _ in range(many)]
            wait_until(lambda: len(server.children()) == many, "each has a process")
            for client in clients:
                client.socket.close()
            wait_until(lambda: not server.children(), "no child and no zombie is left")
            self.assert_answers(server)
            self.assert_stops(server)

    def test_children_end_with_their_parent(self):
        with Server("fork", "--grace", "100ms") as server, call(server.port) as client:
            client.send(b"1\n")
            client.receive(2)
            server.signal(signal.SIGKILL)
            self.assertEqual(client.receive_to_end(), b"")


if __name__ == "__main__":
    unittest.main()
