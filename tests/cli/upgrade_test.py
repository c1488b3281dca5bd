"""SIGUSR2 hands a server's sockets to a new one without a gap; pid files tell which one serves."""

import contextlib
import http.client
import os
import pathlib
import pwd
import shutil
import signal
import socket
import tempfile
import unittest

from files_http_rig import MODELS
from sandbox_test import without_call
from service_rig import Load, Manager, given, listening, process_is_there
from talk_rig import (
    SLUICE,
    TIMEOUT,
    Program,
    TalkTest,
    call,
    engines,
    on_every_loop,
    one_by_one,
    sanitized,
    side_by_side,
    wait_until,
)

BODY = b"hello, world\n"


def on_every_model(test, how=side_by_side):
    def on_each(self):
        here = {n: f for n, f in MODELS.items() if "uring" in engines() or "io_uring" not in n}
        cases = [({"model": name}, (name, flags)) for name, flags in here.items()]
        how(self, cases, lambda case: test(self, *case))

    return on_each


class Upgraded(Program):
    """A server that is replaced by others, which are no children of the test."""

    def __init__(self, *words, **options):
        super().__init__(*words, **options)
        self.serving = self.process.pid
        self.all = [self.serving]

    def __exit__(self, *problem):
        for each in self.all[1:]:
            with contextlib.suppress(ProcessLookupError):
                if process_is_there(each):
                    os.kill(each, signal.SIGKILL)
        super().__exit__(*problem)

    def upgrade(self):
        """Waits until the next one serves."""
        os.kill(self.serving, signal.SIGUSR2)
        found = self.expect_stderr(r"SIGUSR2: (?:process (\d+) serves now|no succ|the succ).*")
        if found[1] is None:
            raise AssertionError(found[0])
        self.serving = int(found[1])
        self.all.append(self.serving)

    def stop(self):
        """The one that serves; waits until all are gone."""
        os.kill(self.serving, signal.SIGTERM)
        wait_until(lambda: not any(map(process_is_there, self.all[1:])), "all have ended")
        return self.end()


class UpgradeTest(TalkTest):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.files = self.folder / "files"
        self.files.mkdir()
        (self.files / "file").write_bytes(BODY)

    def serve(self, *words, **options):
        server = self.enterContext(Upgraded(SLUICE, *words, **options))
        server.port = int(server.expect_stderr(r"^listening on (?:127\.0\.0\.1|unix):(\w+) ")[1]) \
            if "unix:" not in " ".join(map(str, words)) \
            else server.expect_stderr("^listening on ") and 0
        return server


def get(port):
    with call(port) as peer:
        peer.send(b"GET /file HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return peer.receive_to_end()


def scrape(metrics):
    """An answer on a connection to the metrics, and its body."""
    metrics.request("GET", "/metrics")
    answer = metrics.getresponse()
    return answer, answer.read()


class Upgrade(UpgradeTest):
    @on_every_model
    def test_a_new_one_takes_over(self, model, flags):
        pid_file = self.folder / f"{model}.pid"
        server = self.serve(
            "files", "serve", self.files, "--http", "127.0.0.1:0", "--pid-file", pid_file, *flags
        )
        self.assertEqual(pid_file.read_text(), f"{server.process.pid}\n")
        for _ in range(2):
            server.upgrade()
            self.assertEqual(pid_file.read_text(), f"{server.serving}\n")
            self.assertIn(BODY, get(server.port))
        self.assertEqual(server.process.wait(TIMEOUT), 0)
        self.assertTrue(pid_file.exists(), "the first one has left it to the others")
        server.stop()
        wait_until(lambda: not pid_file.exists(), "the last one removes it")

    def under_load(self, model, flags, upgrades, clients, pause):
        server = self.serve(
            "files", "serve", self.files, "--http", "127.0.0.1:0", "--grace", "20s", *flags
        )
        with Load(("127.0.0.1", server.port), clients, pause, BODY) as load:
            for _ in range(upgrades):
                before = load.answers
                wait_until(lambda: load.answers > before + 2 * clients, "clients are served")
                server.upgrade()
            load.__exit__()
        server.stop()
        load.check(self, 2 * upgrades * clients)

    @lambda test: on_every_model(test, one_by_one)
    def test_nothing_is_lost(self, model, flags):
        few = {"sync": (4, 1, 0.001), "fork": (4, 20, 0.01)}
        self.under_load(model, flags, *few.get(model, (4, 40, 0.01)))

    @on_every_loop
    def test_a_kept_connection_ends_cleanly(self, engine):
        server = self.serve(
            "files", "serve", self.files, "--http", "127.0.0.1:0", "--engine", engine
        )
        ask = b"GET /file HTTP/1.1\r\nHost: x\r\n\r\n"
        with call(server.port) as asking, call(server.port) as new:
            asking.send(ask)
            answer = b""
            while not answer.endswith(BODY):
                answer += asking.socket.recv(4096)
            self.assertNotIn(b"connection: close", answer.lower())
            server.upgrade()
            for peer in (asking, new):
                answer = b""
                # The stop is on its way to the shard.
                while b"connection: close" not in answer.lower():
                    peer.send(ask)
                    answer = b""
                    while not answer.endswith(BODY):
                        answer += peer.receive(1)
                self.assertEqual(peer.receive_to_end(), b"")
        self.assertEqual(server.process.wait(TIMEOUT), 0)
        server.stop()

    @on_every_model
    def test_the_metrics_are_those_of_the_new_one(self, model, flags):
        files = self.folder / model
        files.mkdir()
        server = self.serve(
            "files", "serve", files, "--http", "127.0.0.1:0", "--metrics", "127.0.0.1:0",
            "--grace", "1h", *flags,
        )  # fmt: skip
        metrics = int(server.expect_stderr(r"^metrics on 127\.0\.0\.1:(\d+)$")[1])
        ready = b"\nsluice_ready 1\n"
        with call(server.port) as slow, contextlib.closing(
            http.client.HTTPConnection("127.0.0.1", metrics, timeout=TIMEOUT)
        ) as kept:
            # What holds up the drain of the old one.
            slow.send(b"PUT /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab")
            answer, text = scrape(kept)
            self.assertIsNone(answer.getheader("Connection"))
            self.assertTrue(ready in text)
            server.upgrade()
            # Its answers on a kept connection go on until it has heard of the successor.
            while answer.getheader("Connection") != "close":
                answer, text = scrape(kept)
            for _ in range(30):
                with contextlib.closing(
                    http.client.HTTPConnection("127.0.0.1", metrics, timeout=TIMEOUT)
                ) as new:
                    self.assertTrue(ready in scrape(new)[1], "the old one answers")
            self.assertIsNone(server.process.poll(), "the old one drains all that time")
            slow.send(b"cd")
            self.assertIn(b"201 Created", slow.receive(20))
            slow.finish()
        self.assertEqual(server.process.wait(TIMEOUT), 0)
        server.stop()

    def who_is_there(self, port):
        """As a newcomer is told. It may still come to the old server, which is about to stop."""
        with call(port) as new:
            new.send(b"/who\n")
            new.finish()
            return new.receive_to_end()

    @on_every_loop
    def test_a_member_of_a_chat_stays(self, engine):
        server = self.serve(
            "chat", "serve", "--listen", "127.0.0.1:0", "--engine", engine, "--grace", "30s"
        )
        with call(server.port) as ann, call(server.port) as ben:
            for peer, name in ((ann, b"ann"), (ben, b"ben")):
                peer.send(b"/nick " + name + b"\n")
                while name not in peer.socket.recv(4096):
                    pass
            server.upgrade()
            # They still hear each other; who comes now is with the new one.
            ann.send(b"are you there?\n")
            while b"[ann]: are you there?" not in ben.socket.recv(4096):
                pass
            self.assertIsNone(server.process.poll())
            wait_until(lambda: b"ann" not in self.who_is_there(server.port), "it takes nobody in")
            ann.finish()
            ben.finish()
            ann.receive_to_end()
            ben.receive_to_end()
        self.assertEqual(server.process.wait(TIMEOUT), 0)
        server.stop()

    @on_every_loop
    def test_a_member_hears_of_the_end(self, engine):
        server = self.serve(
            "chat", "serve", "--listen", "127.0.0.1:0", "--engine", engine, "--grace", "1s"
        )
        with call(server.port) as ann:
            ann.send(b"/nick ann\n")
            while b"ann" not in ann.socket.recv(4096):
                pass
            server.upgrade()
            self.assertIn(b"* the server is going down", ann.receive_to_end())
        self.assertEqual(server.process.wait(TIMEOUT), 0)
        server.stop()

    @on_every_loop
    def test_the_file_of_a_unix_socket(self, engine):
        path = self.folder / f"{engine}.sock"
        server = self.serve(
            "compute", "serve", "--listen", f"unix:{path}", "--engine", engine
        )
        inode = path.stat().st_ino
        server.upgrade()
        self.assertEqual(server.process.wait(TIMEOUT), 0)
        self.assertEqual(path.stat().st_ino, inode)
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(TIMEOUT)
            peer.connect(str(path))
            peer.sendall(b"5\n")
            self.assertEqual(peer.recv(16), b"8\n")
        server.stop()
        wait_until(lambda: not path.exists(), "the last one removes it")

    def test_all_doors_of_serve(self):
        server = self.enterContext(
            Upgraded(
                SLUICE, "serve", "--files", self.files, "--http", "127.0.0.1:0", "--chat",
                "127.0.0.1:0", "--raw", f"unix:{self.folder}/raw", "--compute", "127.0.0.1:0",
            )  # fmt: skip
        )
        before = server.expect_stderr("^files over HTTP on .*")[0]
        server.upgrade()
        # The two write to one stderr, each when it comes to it.
        _, _, said = server.stop()
        self.assertEqual(said.count(before + "\n"), 2)

    def test_the_manager_hears_of_it(self):
        # As systemd starts it: the watchdog is for this very process.
        started = ("sh", "-c", 'WATCHDOG_PID=$$ exec "$@"', "sh", SLUICE)
        with Manager(str(self.folder / "notify")) as manager:
            manager.socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            server = self.enterContext(
                Upgraded(
                    *started, "files", "serve", self.files, "--http", "127.0.0.1:0",
                    variables=manager.variables | {"WATCHDOG_USEC": "100000"},
                )
            )  # fmt: skip
            self.assertEqual(manager.next_with_sender()[0]["READY"], "1")
            server.upgrade()
            # The new one speaks for itself, and the old one says that it is the one to listen to.
            heard = [manager.next_with_sender() for _ in range(2)]
            self.assertEqual(
                [(said["READY"], said.get("MAINPID"), sender) for said, sender in heard],
                [
                    ("1", None, server.serving),
                    ("1", str(server.serving), server.process.pid),
                ],
            )
            self.assertEqual(heard[1][0]["WATCHDOG"], "1", "its time begins anew")
            self.assertEqual(server.process.wait(TIMEOUT), 0)
            # The new one is watched, and the old one says nothing of its end.
            manager.waiting()
            self.assertEqual(manager.socket.recv(64), b"WATCHDOG=1")
            os.kill(server.serving, signal.SIGTERM)
            self.assertEqual(manager.next(), {"STOPPING": "1"})
            server.stop() if process_is_there(server.serving) else server.end()

    def test_sockets_of_a_manager_are_handed_on(self):
        with listening() as door:
            words, options = given([door], ["http"])
            server = self.enterContext(
                Upgraded(*words, SLUICE, "files", "serve", self.files, **options)
            )
            server.expect_stderr("^listening on ")
            server.upgrade()
            self.assertIn(BODY, get(door.getsockname()[1]))
            server.stop()

    def test_one_that_fails_changes_nothing(self):
        config = self.folder / "sluice.conf"
        config.write_text("quiet = true\n")
        server = self.serve(
            "files", "serve", self.files, "--http", "127.0.0.1:0", "--config", config
        )
        config.write_text("no-such-setting = 1\n")
        for _ in range(2):
            server.signal(signal.SIGUSR2)
            server.expect_stderr("SIGUSR2: the successor ended with status 2; this server goes on")
            self.assertIn(BODY, get(server.port))
        config.write_text("quiet = true\n")
        server.upgrade()
        self.assertIn(BODY, get(server.port))
        server.stop()

    @unittest.skipIf(sanitized(), "a sanitizer makes calls of its own, so its builds have no sandbox")
    @on_every_model
    def test_one_that_fails_late_leaves_the_pid_file(self, model, flags):
        folder = self.folder / model
        folder.mkdir()
        config, pid_file = folder / "sluice.conf", folder / "pid"
        config.write_text("sandbox = auto\n")
        # Without Landlock, whose first call that is, --sandbox on fails: after the pid file.
        words = without_call(
            444, "files", "serve", str(self.files), "--http", "127.0.0.1:0", "--config",
            str(config), "--pid-file", str(pid_file), *flags,
        )  # fmt: skip
        server = self.enterContext(Upgraded(*words))
        port = int(server.expect_stderr(r"^listening on 127\.0\.0\.1:(\d+) ")[1])
        config.write_text("sandbox = on\n")
        for _ in range(2):
            server.signal(signal.SIGUSR2)
            server.expect_stderr("SIGUSR2: the successor ended with status 1; this server goes on")
            self.assertEqual(pid_file.read_text(), f"{server.process.pid}\n")
            self.assertIn(BODY, get(port))
        wait_until(lambda: len(list(folder.iterdir())) == 2, "what it had begun is removed")
        # The lock on it, too, is still that of the old one.
        with Program(
            SLUICE, "compute", "serve", "--listen", "127.0.0.1:0", "--pid-file", pid_file
        ) as other:
            self.assert_ends(other, 1, err=f"is that of process {server.process.pid}, which lives")
        config.write_text("sandbox = auto\n")
        server.upgrade()
        self.assertEqual(pid_file.read_text(), f"{server.serving}\n")
        self.assertEqual(server.process.wait(TIMEOUT), 0)
        self.assertEqual(pid_file.read_text(), f"{server.serving}\n")
        server.stop()
        wait_until(lambda: not pid_file.exists(), "the last one removes it")

    def test_a_program_that_is_gone(self):
        program = shutil.copy(SLUICE, self.folder / "sluice")
        server = self.enterContext(
            Upgraded(program, "files", "serve", self.files, "--http", "127.0.0.1:0")
        )
        port = int(server.expect_stderr(r"^listening on 127\.0\.0\.1:(\d+) ")[1])
        os.unlink(program)
        server.signal(signal.SIGUSR2)
        server.expect_stderr("SIGUSR2: the successor ended with status 127; this server goes on")
        # What lies there now is started, whatever it was.
        shutil.copy(SLUICE, program)
        server.upgrade()
        self.assertIn(BODY, get(port))
        server.stop()

    @unittest.skipUnless(os.geteuid() == 0, "only root can become another user")
    def test_under_another_user(self):
        user = pwd.getpwnam("nobody")
        os.chown(self.files, user.pw_uid, user.pw_gid)
        os.chmod(self.folder, 0o755)
        pid_file = self.folder / "pid"
        server = self.serve(
            "files", "serve", self.files, "--http", "127.0.0.1:0", "--user", "nobody",
            "--pid-file", pid_file,
        )  # fmt: skip
        server.upgrade()
        status = pathlib.Path(f"/proc/{server.serving}/status").read_text()
        self.assertIn(f"\nUid:\t{user.pw_uid}\t", status)
        self.assertIn(BODY, get(server.port))
        server.stop()
        wait_until(lambda: not pid_file.exists(), "it is removed")

    @unittest.skipUnless(os.geteuid() == 0, "only root can change the root directory")
    def test_in_another_root(self):
        server = self.serve(
            "files", "serve", "/files", "--http", "127.0.0.1:0", "--chroot", self.folder,
            "--pid-file", "/pid",
        )  # fmt: skip
        server.upgrade()
        self.assertEqual((self.folder / "pid").read_text(), f"{server.serving}\n")
        self.assertIn(BODY, get(server.port))
        server.stop()
        wait_until(lambda: not (self.folder / "pid").exists(), "it is removed")

    def test_no_process_is_left(self):
        server = self.serve("files", "serve", self.files, "--http", "127.0.0.1:0")
        words = f"{self.files}\0".encode()

        def processes():
            found = []
            for each in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):
                    if words in each.read_bytes():
                        found.append(int(each.parent.name))
            return found

        self.assertGreaterEqual(len(processes()), 2, "the server, and its supervisor")
        server.process.kill()
        wait_until(lambda: not [p for p in processes() if process_is_there(p)], "all are gone")


class PidFile(UpgradeTest):
    def test_another_server_that_lives_has_it(self):
        pid_file = self.folder / "pid"
        words = ("compute", "serve", "--listen", "127.0.0.1:0", "--pid-file", pid_file)
        first = self.serve(*words)
        with Program(SLUICE, *words) as second:
            self.assert_ends(
                second, 1, err=f"is that of process {first.process.pid}, which lives; end it"
            )
        self.assertEqual(pid_file.read_text(), f"{first.process.pid}\n")
        first.stop()
        self.assertFalse(pid_file.exists())

    def test_one_of_a_process_that_is_gone_is_replaced(self):
        pid_file = self.folder / "pid"
        for left in ("1\n", f"{os.getpid()}\n", "", "no number"):
            pid_file.write_text(left)
            server = self.serve(
                "compute", "serve", "--listen", "127.0.0.1:0", "--pid-file", pid_file
            )
            self.assertEqual(pid_file.read_text(), f"{server.process.pid}\n")
            server.process.kill()
            wait_until(lambda: not pid_file.exists(), "the supervisor removes it")

    def test_one_that_another_wrote_is_left(self):
        pid_file = self.folder / "pid"
        server = self.serve("compute", "serve", "--listen", "127.0.0.1:0", "--pid-file", pid_file)
        pid_file.unlink()
        pid_file.write_text("another's")
        server.stop()
        self.assertEqual(pid_file.read_text(), "another's")

    def test_where_none_can_be_written(self):
        where = self.folder / "none" / "pid"
        with Program(
            SLUICE, "compute", "serve", "--listen", "127.0.0.1:0", "--pid-file", where
        ) as server:
            self.assert_ends(server, 1, err="cannot write --pid-file '.*none/pid'")


if __name__ == "__main__":
    unittest.main()
