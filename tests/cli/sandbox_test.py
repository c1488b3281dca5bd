"""Servers under their sandbox: each serves as it should, and has little left that it could lose."""

import contextlib
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

import compute_rig
import files_http_rig
from chat_rig import ChatServer, Member
from compute_rig import Server as ComputeServer
from files_http_rig import HttpServer
from talk_rig import (
    SLUICE,
    TIMEOUT,
    Program,
    Server,
    call,
    on_every_engine,
    on_every_loop,
    one_by_one,
    sanitized,
    wait_until,
)
from tls_rig import Authority, call_tls

ON = ("--sandbox", "on")
HELD = "info: sandbox: .*files by Landlock .*, no capabilities, system calls by seccomp$"
NEEDS_ROOT = unittest.skipUnless(os.geteuid() == 0, "only root can become another user")

# Answers each question with what came of a deed, which is a line of Python.
DEEDS = """
import ctypes, os, socket, subprocess, sys, time
libc = ctypes.CDLL(None, use_errno=True)
for line in sys.stdin:
    try:
        print(eval(line), flush=True)
    except OSError as problem:
        print(problem.strerror, flush=True)
    except MemoryError:
        print("no memory", flush=True)
"""


def status_of(pid, task):
    """The fields of status of a thread (proc(5))."""
    text = pathlib.Path(f"/proc/{pid}/task/{task}/status").read_text(encoding="utf-8")
    pairs = (line.partition(":") for line in text.splitlines())
    return {name: value.strip() for name, _, value in pairs}


def statuses_of(pid):
    """Those of all threads of a process that do not end meanwhile."""
    for task in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            yield status_of(pid, task)


def user_of(pid):
    return status_of(pid, pid)["Uid"].split()[0]


def children_of(pid):
    found = []
    for path in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        found += map(int, path.read_text(encoding="ascii").split())
    return found


def without_call(number, *words):
    """The words that run the program where a system call is answered ENOSYS."""
    rows = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x50026), (0x06, 0, 0, 0x7FFF0000)]
    filtered = (
        "import ctypes, os, struct, sys\n"
        f"code = b''.join(struct.pack('HBBI', *row) for row in {rows})\n"
        "memory = ctypes.create_string_buffer(code)\n"
        f"program = struct.pack('HxxxxxxP', {len(rows)}, ctypes.addressof(memory))\n"
        "prctl = ctypes.CDLL(None).prctl\n"
        "assert prctl(38, 1, 0, 0, 0) == 0 and prctl(22, 2, program, 0, 0) == 0\n"
        "os.execv(sys.argv[1], sys.argv[1:])\n"
    )
    return [sys.executable, "-c", filtered, SLUICE, *words]


@unittest.skipIf(sanitized(), "a sanitizer makes calls of its own, so its builds have no sandbox")
class SandboxTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.folder.chmod(0o755)

    def assert_confined(self, pid, filters=(1, 2), user=None):
        """Every thread of it: what is inherited from the first one, and what only it was given."""
        for status in statuses_of(pid):
            with self.subTest(thread=status["Name"], pid=pid):
                self.assertEqual(status["NoNewPrivs"], "1")
                self.assertEqual(status["Seccomp"], "2", "a filter")
                self.assertIn(int(status["Seccomp_filters"]), filters)
                for capabilities in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
                    self.assertEqual(int(status[capabilities], 16), 0, capabilities)
                if user:
                    self.assertEqual(set(status["Uid"].split()), {str(user.pw_uid)})
                    self.assertEqual(set(status["Gid"].split()), {str(user.pw_gid)})
                    self.assertEqual(set(status["Groups"].split()), {str(user.pw_gid)})


class Services(SandboxTest):
    @files_http_rig.on_every_model
    def test_files(self, model, folder):
        body = os.urandom(3 << 20)
        two_doors = ("--raw", "127.0.0.1:0")
        with HttpServer(folder / "kept", *ON, *two_doors, *model, sync=True) as server:
            server.expect_stderr(HELD)
            url = f"http://127.0.0.1:{server.port}/below/a"
            (folder / "a").write_bytes(body)
            for words in (
                ("put", folder / "a", url), ("get", url, "-o", folder / "got"),
            ):
                done = subprocess.run(
                    [SLUICE, "files", *words], capture_output=True, timeout=TIMEOUT, check=False
                )
                self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual((folder / "kept" / "below" / "a").read_bytes(), body)
            self.assertEqual((folder / "got").read_bytes(), body)
            self.assertEqual(server.get("/below/a", Range="bytes=5-9")[2], body[5:10])
            self.assertIn(b'"a"', server.get("/below/", Accept="application/json")[2])
            self.assertEqual(server.put("/below/a", b"another")[0], 204)
            # Open while the threads are looked at, as the fork model has a process for it.
            with server.open() as connection:
                files_http_rig.ask(connection, "GET", "/")
                for pid in (server.process.pid, *children_of(server.process.pid)):
                    self.assert_confined(pid)
            server.signal(signal.SIGTERM)
            self.assertEqual(server.end()[0], 0)

    @on_every_engine
    def test_an_upload_that_was_cut_is_resumed(self, engine):
        flags = ("--model", "event") if engine != "blocking" else ("--model", "thread")
        kept = self.folder / engine
        body = os.urandom(5 << 20)
        (self.folder / f"{engine}.source").write_bytes(body)
        with HttpServer(kept, *ON, *flags, "--engine", engine) as server:
            key = "a-key"
            with server.dial() as peer:
                head = (
                    f"PUT /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
                    f"Upload-Key: {key}\r\n\r\n"
                )
                peer.sendall(head.encode() + body[: 2 << 20])
            put = subprocess.run(
                [SLUICE, "files", "put", self.folder / f"{engine}.source",
                 f"http://127.0.0.1:{server.port}/a"],
                capture_output=True, timeout=TIMEOUT, check=False,
            )
            self.assertEqual(put.returncode, 0, put.stderr)
            self.assertEqual((kept / "a").read_bytes(), body)

    @on_every_loop
    def test_chat(self, engine):
        with ChatServer(engine, *ON) as server:
            server.expect_stderr(HELD)
            with Member(server.port) as first, Member(server.port) as second:
                first.greeted()
                second.greeted()
                first.say("hello")
                second.until("hello")
                self.assert_confined(server.process.pid)
            server.signal(signal.SIGTERM)
            self.assertEqual(server.end()[0], 0)

    @compute_rig.on_every_model
    def test_compute(self, serve):
        with serve(*ON) as server:
            server.expect_stderr(HELD)
            with call(server.port) as client:
                client.send(b"30\n")
                self.assertEqual(client.receive(8), b"1346269\n")
                # No ring can be made once all shards have theirs.
                filters = (2,) if server.engine == "uring" else (1,)
                for pid in (server.process.pid, *children_of(server.process.pid)):
                    self.assert_confined(pid, filters)
            self.assertEqual(server.stop()[0], 0)

    @on_every_engine
    def test_talk(self, engine):
        with Server(engine, *ON, "--echo") as server:
            server.expect_stderr(HELD)
            self.assert_confined(server.process.pid)
            with call(server.port) as client:
                client.send(b"hello\n")
                self.assertEqual(client.receive(6), b"hello\n")
                client.send(b"exit\n")
            self.assertEqual(server.end()[0], 0)

    @on_every_loop
    def test_all_in_one(self, engine):
        doors = ("--chat", "--http", "--raw", "--compute")
        doors = [word for door in doors for word in (door, "127.0.0.1:0")]
        kept = self.folder / engine
        with Program(SLUICE, "serve", *doors, *ON, "--engine", engine, "--files", kept) as server:
            ports = [
                int(server.expect_stderr(r"^listening on 127\.0\.0\.1:(\d+) ")[1]) for _ in range(4)
            ]
            server.expect_stderr(HELD)
            self.assert_confined(server.process.pid)
            with call(ports[1]) as stream:
                stream.send(b"a file")
                stream.finish()
                stream.receive_to_end()
            wait_until(lambda: any(kept.glob("[!.]*")), "the stream is a file")
            with call(ports[2]) as client:
                client.send(b"10\n")
                self.assertEqual(client.receive(3), b"89\n")
            with Member(ports[3]) as member:
                member.greeted()

    @on_every_engine
    def test_offer(self, engine):
        file = self.folder / f"offered-{engine}"
        file.write_bytes(b"an offer")
        words = ("files", "offer", file, "--listen", "127.0.0.1:0", "--engine", engine)
        with Program(SLUICE, *words, *ON, "--count", "1") as server:
            port = int(server.expect_stderr(r"^listening on 127\.0\.0\.1:(\d+) ")[1])
            server.expect_stderr(HELD)
            with call(port) as client:
                self.assertEqual(client.receive_to_end(), b"an offer")
            self.assertEqual(server.end()[0], 0)


class Reload(SandboxTest):
    @on_every_engine
    def test_a_certificate_that_was_renamed_into_its_place(self, engine):
        authority = Authority(self.addCleanup)
        first, second = authority.sign("first"), authority.sign("second")
        folder = self.folder / engine
        folder.mkdir()
        cert, key = folder / "c.pem", folder / "k.pem"
        shutil.copy(first[0], cert)
        shutil.copy(first[1], key)
        model = "sync" if engine == "blocking" else "event"
        files = ("--cert", cert, "--key", key)
        with ComputeServer(model, *ON, *files, engine=engine) as server:
            server.expect_stderr(HELD)
            for source, place in zip(second, (cert, key)):
                shutil.copy(source, f"{place}.new")
                os.rename(f"{place}.new", place)
            server.signal(signal.SIGHUP)
            server.expect_stderr("SIGHUP: the configuration was read again")

            def shows_second():
                with call_tls(server.port) as client:
                    shown = client.socket.getpeercert(True)
                return shown == self.der_of(second[0])

            wait_until(shows_second, "the new certificate is shown")

    def der_of(self, certificate):
        done = subprocess.run(
            ["openssl", "x509", "-in", certificate, "-outform", "DER"],
            capture_output=True, timeout=TIMEOUT, check=True,
        )
        return done.stdout

    def test_a_certificate_of_our_own(self):
        state = self.folder / "state"
        with ComputeServer(
            "event", *ON, "--tls", variables={"STATE_DIRECTORY": str(state)}
        ) as server:
            server.expect_stderr(HELD)
            server.signal(signal.SIGHUP)
            server.expect_stderr("SIGHUP: the configuration was read again")
            with call_tls(server.port) as client:
                client.send(b"10\n")
                self.assertEqual(client.receive(3), b"89\n")
            self.assertNotIn("stays in force", server.stop()[1])

    def test_a_configuration(self):
        config = self.folder / "sluice.conf"
        config.write_text("log-level = info\n", encoding="ascii")
        with ComputeServer("event", *ON, "--config", config) as server:
            server.expect_stderr(HELD)
            new = self.folder / "new"
            new.write_text("log-level = info\ngrace = 3\n", encoding="ascii")
            new.rename(config)
            server.signal(signal.SIGHUP)
            server.expect_stderr("what the configuration says of grace counts from the next start")

    @files_http_rig.on_every_model
    def test_accounts(self, model, folder):
        accounts = folder / "accounts"

        def allow(right):
            made = subprocess.run(
                [SLUICE, "passwd", accounts, "*", "--allow", right],
                capture_output=True, timeout=TIMEOUT, check=False,
            )
            self.assertEqual(made.returncode, 0, made.stderr)

        (folder / "kept").mkdir()
        (folder / "kept" / "a").write_bytes(b"here")
        allow("read:/nowhere")
        with HttpServer(folder / "kept", *ON, "--auth", accounts, *model) as server:
            self.assertEqual(server.get("/a")[0], 401)
            allow("read")
            server.signal(signal.SIGHUP)
            wait_until(lambda: server.get("/a")[0] == 200, "the accounts were read again")


class Words(SandboxTest):
    def test_auto_is_the_default_and_says_what_it_has_where_that_is_asked(self):
        cases = (((), None), (("--sandbox", "auto"), "info"), (("--log-level", "debug"), "debug"))
        for flags, level in cases:
            with self.subTest(flags), ComputeServer("event", *flags) as server:
                with call(server.port) as client:
                    client.send(b"10\n")
                    client.receive(3)
                self.assert_confined(server.process.pid)
                said = server.stop()[1]
                self.assertEqual(said.count("sandbox"), 1 if level else 0, said)
                if level:
                    self.assertRegex(said, f"(?m){HELD}".replace("info", level))

    def test_off_is_off_and_says_nothing(self):
        with ComputeServer("event", "--sandbox", "off") as server:
            with call(server.port) as client:
                client.send(b"10\n")
                client.receive(3)
            own = status_of("self", os.getpid())
            for status in statuses_of(server.process.pid):
                self.assertEqual(status["NoNewPrivs"], own["NoNewPrivs"])
                self.assertEqual(status["Seccomp"], own["Seccomp"])
                self.assertEqual(status["CapEff"], own["CapEff"])
            self.assertNotIn("sandbox", server.stop()[1])

    def refused(self, *words):
        done = subprocess.run(
            [SLUICE, "compute", "serve", "--listen", "127.0.0.1:0", *words],
            capture_output=True, timeout=TIMEOUT, check=False, text=True,
        )
        return done.returncode, done.stderr

    def test_who_is_not_there(self):
        status, said = self.refused("--user", "no-such-user")
        self.assertEqual(status, 2)
        self.assertIn("--user: there is no user 'no-such-user'", said)
        status, said = self.refused("--chroot", self.folder / "nowhere")
        self.assertEqual(status, 1)
        self.assertIn("nowhere': no such file or directory; name a directory that exists", said)

    def test_flags_of_programs_need_one(self):
        for flags in (("--exec-user", "nobody"), ("--exec-memory", "1G"), ("--exec-time", "1s")):
            status, said = self.refused(*flags)
            self.assertEqual(status, 2)
            self.assertIn("are for the program of --exec", said)

    def test_on_is_all_or_no_server(self):
        words = without_call(444, "compute", "serve", "--listen", "127.0.0.1:0")  # Landlock's first
        done = subprocess.run(
            [*words, *ON], capture_output=True, timeout=TIMEOUT, check=False, text=True
        )
        self.assertEqual(done.returncode, 1)
        self.assertIn(
            "--sandbox on cannot be had: no Landlock (this kernel has none); say --sandbox auto",
            done.stderr,
        )
        self.assertNotIn("listening", done.stderr)
        with Program(*words, "--quiet") as server:
            server.expect_stderr(
                "info: sandbox: no capabilities, system calls by seccomp; "
                r"no Landlock \(this kernel has none\)$"
            )

    def test_what_is_said_before_it_needs_no_thread_that_is_outside(self):
        # io_uring_setup(2)
        words = without_call(425, "compute", "serve", "--listen", "127.0.0.1:0")
        with Program(*words, *ON) as server:
            server.expect_stderr("^io_uring does not work here, so epoll is used")
            server.expect_stderr(HELD)
            self.assert_confined(server.process.pid, filters=(2,))


@NEEDS_ROOT
class AnotherUser(SandboxTest):
    def setUp(self):
        super().setUp()
        self.nobody = pwd.getpwnam("nobody")

    @files_http_rig.on_every_model
    def test_files(self, model, folder):
        folder.chmod(0o755)
        kept = folder / "kept"
        kept.mkdir()
        os.chown(kept, self.nobody.pw_uid, self.nobody.pw_gid)
        with HttpServer(kept, *ON, "--user", "nobody", *model) as server:
            server.expect_stderr("info: sandbox: .*user nobody, no capabilities, ")
            self.assertEqual(server.put("/a", b"a file")[0], 201)
            self.assertEqual(server.get("/a")[2], b"a file")
            self.assertEqual((kept / "a").stat().st_uid, self.nobody.pw_uid)
            self.assert_confined(server.process.pid, user=self.nobody)

    def test_what_he_may_not_write_is_said(self):
        (self.folder / "kept").mkdir()
        with HttpServer(self.folder / "kept", "--user", "nobody") as server:
            self.assertEqual(server.put("/a", b"a file")[0], 403)
            server.signal(signal.SIGTERM)
            self.assertIn("nothing can be written here", server.end()[2])

    def test_it_also_works_without_the_rest(self):
        with ComputeServer("event", "--sandbox", "off", "--user", "nobody") as server:
            with call(server.port) as client:
                client.send(b"10\n")
                client.receive(3)
            for status in statuses_of(server.process.pid):
                self.assertEqual(set(status["Uid"].split()), {str(self.nobody.pw_uid)})

    def test_root_keeps_what_another_users_directory_takes(self):
        kept = self.folder / "kept"
        kept.mkdir(mode=0o700)
        os.chown(kept, self.nobody.pw_uid, self.nobody.pw_gid)
        with HttpServer(kept, *ON) as server:
            server.expect_stderr("no capabilities but those for files")
            self.assertEqual(server.put("/a", b"a file")[0], 201)
            self.assertEqual(server.get("/a")[2], b"a file")


@NEEDS_ROOT
class AnotherRoot(SandboxTest):
    @files_http_rig.on_every_model
    def test_files(self, model, folder):
        (folder / "kept").mkdir()
        (folder / "kept" / "a").write_bytes(b"here")
        with HttpServer("/kept", *ON, "--chroot", folder, *model) as server:
            self.assertEqual(server.get("/a")[2], b"here")
            self.assertEqual(server.put("/b", bytes(3 << 20))[0], 201)
            self.assertEqual((folder / "kept" / "b").stat().st_size, 3 << 20)
            self.assertEqual(os.readlink(f"/proc/{server.process.pid}/root"), str(folder))
            server.signal(signal.SIGHUP)
            server.expect_stderr("SIGHUP: the configuration was read again")
            self.assertEqual(server.get("/a")[2], b"here")


class Programs(SandboxTest):
    def deeds(self, server, *deeds):
        answers = []
        with call(server.port) as client:
            for deed in deeds:
                client.send(deed.encode() + b"\n")
                answer = b""
                while not answer.endswith(b"\n"):
                    answer += client.receive(1)
                answers.append(answer.decode().strip())
        return answers

    @compute_rig.on_every_model(how=one_by_one)
    def test_they_are_confined(self, serve):
        with serve(*ON, "--exec", sys.executable, "-c", DEEDS) as server:
            self.assertEqual(
                self.deeds(
                    server,
                    "1 + 1",
                    "open('/etc/passwd').read(5)",
                    f"open('{self.folder}/made', 'w').write('a')",
                    "open('/etc/made', 'w')",
                    "subprocess.run(['true']).returncode",
                    "socket.socket().connect(('127.0.0.1', 1))",
                    "libc.ptrace(0, 0, 0, 0), os.strerror(ctypes.get_errno())",
                    "libc.unshare(0x10000000), os.strerror(ctypes.get_errno())",
                    "os.kill(1, 0)",
                    "[l.split()[1] for l in open('/proc/self/status') if l[:6] == 'CapEff']",
                ),
                [
                    "2",
                    "root:",
                    "1",
                    "Permission denied",
                    "0",
                    "Connection refused",
                    "(-1, 'Operation not permitted')",
                    "(-1, 'Operation not permitted')",
                    "Operation not permitted",
                    "['0000000000000000']",
                ],
            )
            with call(server.port) as client:
                client.send(b"0\n")
                client.receive(2)
                own = server.process.pid
                # It answers meanwhile: nothing is asked of the guard of its programs before that.
                wait_until(
                    lambda: all(
                        status["Seccomp"] == "2"
                        for pid in children_of(own) for status in statuses_of(pid)
                    ),
                    "the guard has confined itself",
                )
                for pid in (own, *children_of(own)):
                    self.assert_confined(pid, filters=(1, 2, 3))
            self.assertEqual(server.stop()[0], 0)

    def test_their_memory(self):
        with ComputeServer(
            "event", "--exec-memory", "200M", "--exec", sys.executable, "-c", DEEDS
        ) as server:
            self.assertEqual(
                self.deeds(server, "len(bytes(100 << 20))", "len(bytes(300 << 20))", "1"),
                ["104857600", "no memory", "1"],
            )

    @compute_rig.on_every_model(how=one_by_one)
    def test_their_time(self, serve):
        with serve("--exec-time", "500ms", "--exec", sys.executable, "-c", DEEDS) as server:
            answers = self.deeds(server, "time.sleep(0.1)", "time.sleep(60)")
            self.assertEqual(answers, ["None", "late"])
            server.expect_stderr("was killed, as it took longer over a question than --exec-time")
            self.assertEqual(self.deeds(server, "2"), ["2"])

    @NEEDS_ROOT
    @compute_rig.on_every_model(how=one_by_one, but=("fork",))
    def test_their_user(self, serve):
        nobody = pwd.getpwnam("nobody")
        program = ("--exec", "/bin/sh", "-c", "while read -r line; do echo $(eval $line); done")
        with serve(*ON, "--exec-user", "nobody", *program) as server:
            self.assertEqual(
                self.deeds(server, "grep Uid: /proc/self/status", "id -g", "id -G"),
                ["Uid:" + f" {nobody.pw_uid}" * 4, str(nobody.pw_gid), str(nobody.pw_gid)],
            )
            self.assertEqual(user_of(server.process.pid), "0")
            self.assertEqual(server.stop()[0], 0)
        with serve("--user", "daemon", "--exec-user", "nobody", *program) as server:
            self.assertEqual(self.deeds(server, "id -u"), [str(nobody.pw_uid)])
            self.assertEqual(
                user_of(server.process.pid),
                str(pwd.getpwnam("daemon").pw_uid),
            )
            children = children_of(server.process.pid)
            server.process.kill()
            wait_until(
                lambda: not any(pathlib.Path(f"/proc/{pid}/cwd").exists() for pid in children),
                "the guard has ended them",
            )


if __name__ == "__main__":
    unittest.main()
