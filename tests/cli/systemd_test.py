"""Servers under a service manager: what they tell it, sockets it gives them, and its units."""

import ctypes
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

from files_http_rig import MODELS
from service_rig import Load, Manager, given, listening
from talk_rig import (
    ENVIRONMENT,
    SLUICE,
    TIMEOUT,
    Program,
    TalkTest,
    call,
    engines,
    on_every_loop,
    sanitized,
    side_by_side,
    wait_until,
)

SOURCE = pathlib.Path(os.environ["SLUICE_SOURCE"])
UNITS = SOURCE / "packaging" / "systemd"


def models():
    return {n: f for n, f in MODELS.items() if "uring" in engines() or "io_uring" not in n}


def on_every_model(test):
    def on_each(self):
        cases = [({"model": name}, flags) for name, flags in models().items()]
        side_by_side(self, cases, lambda flags: test(self, flags))

    return on_each


def port_of(program):
    return int(program.expect_stderr(r"^listening on [\d.]+:(\d+) ")[1])


def get(port, path="/file"):
    with call(port) as peer:
        peer.send(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        return peer.receive_to_end()


class ServiceTest(TalkTest):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        (self.folder / "file").write_bytes(b"hello, world\n")

    def files(self, *flags, words=(), **options):
        return Program(
            *words, SLUICE, "files", "serve", self.folder, "--no-sync", *flags, **options
        )


class Notify(ServiceTest):
    def follow(self, name, flags):
        with Manager(name) as manager:
            where = ("--http", "127.0.0.1:0")
            with self.files(*where, *flags, variables=manager.variables) as server:
                port = port_of(server)
                ready = manager.next()
                self.assertEqual(ready["READY"], "1")
                self.assertIn(f"127.0.0.1:{port}", ready["STATUS"])
                before = time.monotonic_ns() // 1000
                server.signal(signal.SIGHUP)
                reloading = manager.next()
                self.assertEqual(reloading["RELOADING"], "1")
                self.assertGreaterEqual(int(reloading["MONOTONIC_USEC"]), before)
                self.assertEqual(manager.next(), {"READY": "1"})
                self.assertIn(b"hello, world", get(port))
                server.signal(signal.SIGTERM)
                self.assertEqual(manager.next(), {"STOPPING": "1"})
                self.assert_ends(server, 0)

    @on_every_model
    def test_it_says_what_it_does(self, flags):
        name = str(pathlib.Path(self.enterContext(tempfile.TemporaryDirectory())) / "notify")
        self.follow(name, flags)

    def test_an_abstract_name_will_do(self):
        self.follow(f"@sluice-test-{os.getpid()}", ())

    def test_a_manager_that_is_gone_stops_nothing(self):
        gone = {"NOTIFY_SOCKET": str(self.folder / "gone")}
        with self.files("--http", "127.0.0.1:0", variables=gone) as server:
            self.assertIn(b"hello, world", get(port_of(server)))

    @on_every_model
    def test_the_watchdog_is_fed_by_the_loop(self, flags):
        with tempfile.TemporaryDirectory() as folder, Manager(f"{folder}/notify") as manager:
            fed = manager.variables | {"WATCHDOG_USEC": "100000"}
            with self.files("--http", "127.0.0.1:0", *flags, variables=fed) as server:
                port_of(server)
                for _ in range(5):
                    while manager.socket.recv(65536) != b"WATCHDOG=1":
                        pass
                # A loop that stands still says nothing.
                server.signal(signal.SIGSTOP)
                wait_until(lambda: server.states() <= {"T"}, "it stands still")
                manager.waiting()
                manager.socket.settimeout(0.3)
                self.assertRaises(TimeoutError, manager.socket.recv, 65536)
                manager.socket.settimeout(TIMEOUT)
                server.signal(signal.SIGCONT)
                while manager.socket.recv(65536) != b"WATCHDOG=1":
                    pass

    @on_every_model
    def test_the_watchdog_is_fed_while_a_drain_gets_nowhere(self, flags):
        with tempfile.TemporaryDirectory() as folder, Manager(f"{folder}/notify") as manager:
            fed = manager.variables | {"WATCHDOG_USEC": "100000"}
            where = ("--http", "127.0.0.1:0", "--grace", "1h")
            with self.files(*where, *flags, variables=fed) as server:
                with call(port_of(server)) as stuck:
                    stuck.send(b"PUT /%d HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n"
                               b"Expect: 100-continue\r\n\r\n" % server.process.pid)  # fmt: skip
                    self.assertIn(b"100 Continue", stuck.receive(25))
                    server.signal(signal.SIGTERM)
                    while manager.socket.recv(65536) != b"STOPPING=1":
                        pass
                    for _ in range(10):
                        self.assertEqual(manager.socket.recv(65536), b"WATCHDOG=1")
                    self.assertIsNone(server.process.poll())
                    stuck.send(b"done")
                    self.assertIn(b"201 Created", stuck.receive_to_end())
                self.assert_ends(server, 0)

    @unittest.skipUnless(os.geteuid() == 0, "only root may always stop a thread of another process")
    @on_every_loop
    def test_a_shard_that_stands_still_is_seen(self, engine):
        libc = ctypes.CDLL(None)
        attach, detach = 16, 17
        with tempfile.TemporaryDirectory() as folder, Manager(f"{folder}/notify") as manager:
            fed = manager.variables | {"WATCHDOG_USEC": "100000"}
            flags = ("--http", "127.0.0.1:0", "--engine", engine)
            with self.files(*flags, variables=fed) as server:
                port_of(server)
                while manager.socket.recv(65536) != b"WATCHDOG=1":
                    pass
                main = server.process.pid
                threads = [int(t) for t in os.listdir(f"/proc/{main}/task") if int(t) != main]
                for each in threads:
                    self.assertEqual(libc.ptrace(attach, each, 0, 0), 0)
                    os.waitpid(each, 0x40000000)  # __WALL
                # Half of it at most, for a turn that was on its way.
                time.sleep(0.2)
                manager.waiting()
                manager.socket.settimeout(0.3)
                self.assertRaises(TimeoutError, manager.socket.recv, 65536)
                manager.socket.settimeout(TIMEOUT)
                for each in threads:
                    self.assertEqual(libc.ptrace(detach, each, 0, 0), 0)
                while manager.socket.recv(65536) != b"WATCHDOG=1":
                    pass
                server.signal(signal.SIGTERM)
                self.assert_ends(server, 0)

    def test_a_watchdog_of_another_process_is_not_fed(self):
        with Manager(str(self.folder / "notify")) as manager:
            other = manager.variables | {"WATCHDOG_USEC": "20000", "WATCHDOG_PID": "1"}
            with self.files("--http", "127.0.0.1:0", variables=other) as server:
                port_of(server)
                time.sleep(0.1)
                server.signal(signal.SIGHUP)
                server.expect_stderr("the configuration was read again")
                self.assertNotIn("WATCHDOG=1", manager.waiting())


class Activation(ServiceTest):
    @on_every_model
    def test_sockets_by_name(self, flags):
        with listening() as raw, listening() as http:
            words, options = given([raw, http], ["raw", "http"])
            with self.files(*flags, words=words, **options) as server:
                ports = {port_of(server), port_of(server)}
                self.assertEqual(ports, {raw.getsockname()[1], http.getsockname()[1]})
                self.assertIn(b"hello, world", get(http.getsockname()[1]))
                with call(raw.getsockname()[1]) as peer:
                    peer.send(b"stream")
                    peer.finish()
                    peer.receive_to_end()
                server.expect_stderr("")
                server.signal(signal.SIGTERM)
                self.assert_ends(server, 0)

    @on_every_loop
    def test_sockets_in_the_order_of_the_doors(self, engine):
        doors = [self.enterContext(listening()) for _ in range(4)]
        words, options = given(doors, ["sluice.socket"] * 4)
        chat, http, raw, compute = (each.getsockname()[1] for each in doors)
        with Program(
            *words, SLUICE, "serve", "--files", self.folder, "--engine", engine, **options
        ) as server:
            where = server.expect_stderr(r"^files over HTTP on .*$")[0]
            self.assertEqual(
                where,
                f"files over HTTP on 127.0.0.1:{http}, raw files on 127.0.0.1:{raw}, "
                f"compute on 127.0.0.1:{compute}, chat on 127.0.0.1:{chat}",
            )
            self.assertIn(b"hello, world", get(http))
            with call(compute) as peer:
                peer.send(b"10\n")
                self.assertEqual(peer.receive(3), b"89\n")

    @on_every_loop
    def test_sockets_of_further_parts(self, engine):
        names = ["chat.team", "files.docs.http", "unnamed"]
        doors = [self.enterContext(listening()) for _ in names]
        words, options = given(doors, names)
        team, docs, chat = (each.getsockname()[1] for each in doors)
        with Program(
            *words, SLUICE, "serve", "--files", "off", "--compute", "off", "--engine", engine,
            "--chat.team.listen", "127.0.0.1:0", "--files.docs.dir", self.folder,
            "--files.docs.http", "127.0.0.1:0", **options
        ) as server:
            where = server.expect_stderr(r"^.*files.docs over HTTP on .*$")[0]
            places = sorted(where.split(", "))
            self.assertEqual(
                places,
                [
                    f"chat on 127.0.0.1:{chat}",
                    f"chat.team on 127.0.0.1:{team}",
                    f"files.docs over HTTP on 127.0.0.1:{docs}",
                ],
            )
            self.assertIn(b"hello, world", get(docs))

    @on_every_loop
    def test_further_parts_need_no_address_beside_their_sockets(self, engine):
        names = ["chat.team", "files.docs.raw", "compute.sums"]
        doors = [self.enterContext(listening()) for _ in names]
        words, options = given(doors, names)
        team, docs, sums = (each.getsockname()[1] for each in doors)
        config = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory())) / "sluice.conf"
        config.write_text(
            f"[serve]\nchat.team.rate = 5\nfiles.docs.dir = {self.folder}\ncompute.sums.limit = 9\n"
        )
        with Program(
            *words, SLUICE, "serve", "--files", "off", "--compute", "off", "--chat", "off",
            "--engine", engine, "--config", config, **options,
        ) as server:
            where = server.expect_stderr(r"^.*files.docs on .*$")[0]
            self.assertEqual(
                sorted(where.split(", ")),
                [
                    f"chat.team on 127.0.0.1:{team}",
                    f"compute.sums on 127.0.0.1:{sums}",
                    f"raw files.docs on 127.0.0.1:{docs}",
                ],
            )
            with call(sums) as peer:
                peer.send(b"5\n")
                self.assertEqual(peer.receive(2), b"8\n")
            # The sockets are not given again when the configuration is read again.
            config.write_text(config.read_text().replace("rate = 5", "rate = 6"))
            server.signal(signal.SIGHUP)
            server.expect_stderr("what it says of chat.team.rate is in force")
            # A successor gets them by the same names.
            server.signal(signal.SIGUSR2)
            after = int(server.expect_stderr(r"SIGUSR2: process (\d+) serves now")[1])
            try:
                self.assertEqual(server.process.wait(TIMEOUT), 0)
                with call(sums) as peer:
                    peer.send(b"5\n")
                    self.assertEqual(peer.receive(2), b"8\n")
            finally:
                os.kill(after, signal.SIGTERM)

    @on_every_loop
    def test_a_socket_of_another_name_is_no_address(self, engine):
        with listening() as door:
            words, options = given([door], ["chat.others"])
            with Program(
                *words, SLUICE, "serve", "--files", self.folder, "--chat.team.rate", 5,
                "--engine", engine, **options,
            ) as server:
                self.assert_ends(
                    server, 2,
                    err="chat.team lacks --chat.team.listen ADDRESS; add it, have the service "
                    "manager give a socket that is called chat.team",
                )

    @on_every_model
    def test_several_sockets_of_a_door(self, flags):
        """As of ReusePort=yes: fewer than shards, as many, and more."""
        for count in (1, 2, 3):
            first = listening(reuse_port=True)
            doors = [first] + [
                listening(first.getsockname(), reuse_port=True) for _ in range(count - 1)
            ]
            words, options = given(doors, ["http"] * count)
            with self.files(*flags, "--workers", 2, words=words, **options) as server:
                port = port_of(server)
                self.assertEqual(port, first.getsockname()[1])
                # Each of them is served: the kernel spreads the connections.
                for _ in range(20):
                    self.assertIn(b"hello, world", get(port))
            for each in doors:
                each.close()

    def test_a_socket_for_which_there_is_no_door(self):
        with listening() as one, listening() as more:
            words, options = given([one, more], ["http", "smtp"])
            with Program(
                *words, SLUICE, "compute", "serve", "--engine", "epoll", **options
            ) as server:
                server.expect_stderr("the socket 'smtp' .* is for no door here: listen has one")
                self.assertEqual(port_of(server), one.getsockname()[1])

    def test_what_is_no_listening_socket_is_refused(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams, socket.socket() as idle:
            for wrong in (datagrams, idle):
                words, options = given([wrong], ["http"])
                with self.files(words=words, **options) as server:
                    self.assert_ends(
                        server, 1, err="LISTEN_FDS tells of is no socket that listens for streams"
                    )

    def test_a_given_socket_is_no_way_around_open(self):
        with listening(("0.0.0.0", 0)) as door:
            words, options = given([door], ["listen"])
            with Program(*words, SLUICE, "compute", "serve", **options) as server:
                self.assert_ends(server, 2, err="say --open if that is meant")

    def test_variables_of_another_process_count_not(self):
        wrong = {"LISTEN_FDS": "1", "LISTEN_PID": "1"}
        with self.files("--http", "127.0.0.1:0", variables=wrong) as server:
            port_of(server)

    def test_programs_of_the_server_see_no_variables(self):
        program = 'while read -r line; do env | grep -c "^LISTEN_\\|^NOTIFY_\\|^WATCHDOG_"; done'
        with Manager(str(self.folder / "notify")) as manager, listening() as door:
            words, options = given([door], ["listen"])
            with Program(
                *words, SLUICE, "compute", "serve", "--exec", "sh", "-c", program, **options,
                variables=manager.variables | {"WATCHDOG_USEC": "30000000"},
            ) as server:
                with call(port_of(server)) as peer:
                    peer.send(b"ask\n")
                    self.assertEqual(peer.receive(2), b"0\n")

    @unittest.skipUnless(shutil.which("systemd-socket-activate"), "systemd is not installed")
    def test_by_systemd(self):
        with listening() as probe:
            port = probe.getsockname()[1]
        with Program(
            "systemd-socket-activate", "--listen", f"127.0.0.1:{port}", "--fdname", "http",
            SLUICE, "files", "serve", self.folder,
        ) as server:  # fmt: skip
            server.expect_stderr("Listening on")
            self.assertIn(b"hello, world", get(port))
            server.signal(signal.SIGTERM)
            server.process.wait(TIMEOUT)

    @on_every_model
    def test_no_connection_is_refused_while_it_restarts(self, flags):
        restarts = 6
        with listening() as door, Load(door.getsockname(), 20, 0.005, b"hello, world\n") as load:
            for _ in range(restarts):
                words, options = given([door], ["http"])
                with self.files(*flags, words=words, **options) as server:
                    port_of(server)
                    before = load.answers
                    wait_until(lambda: load.answers > before + 40, "clients are served")
                    server.signal(signal.SIGTERM)
                    self.assert_ends(server, 0)
            # The last one ends the load.
            words, options = given([door], ["http"])
            with self.files(*flags, words=words, **options) as server:
                port_of(server)
                load.__exit__()
                load.check(self, 40 * restarts)


# x86-64: ioprio_set, sched_setaffinity, sched_setattr, sched_setparam, sched_setscheduler,
# setpriority, setrlimit; capset, chroot, setgroups, setresuid, setresgid, fchown, chown, fchownat.
RESOURCES = (251, 203, 314, 142, 144, 141, 160)
PRIVILEGED = (126, 161, 116, 117, 119, 93, 92, 260)
FILTER = f"""
import ctypes, os, struct, sys
rows = [(0x20, 0, 0, 0)]
for number in {RESOURCES + PRIVILEGED}:
    rows += [(0x15, 0, 1, number), (0x06, 0, 0, 0x50001)]
rows.append((0x06, 0, 0, 0x7FFF0000))
memory = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *row) for row in rows))
program = struct.pack("HxxxxxxP", len(rows), ctypes.addressof(memory))
libc = ctypes.CDLL(None)
# No capabilities, none to come back, and the calls that the unit refuses answer EPERM.
for each in range(41):
    libc.prctl(24, each, 0, 0, 0)
if os.geteuid() == 0:
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, program, 0, 0) == 0
os.execv(sys.argv[1], sys.argv[1:])
"""
PRIVATE_PROC = (
    "unshare", "--mount", "sh", "-c",
    'mount -t proc -o subset=pid,hidepid=invisible proc /proc && exec "$@"', "_",
)  # fmt: skip


@unittest.skipIf(sanitized(), "a sanitizer makes calls of its own")
@unittest.skipUnless(os.uname().machine == "x86_64", "the numbers are those of x86-64")
class WhatTheUnitTakesAway(ServiceTest):
    """The calls that it refuses, all capabilities, and /proc but its own processes."""

    def words(self):
        os.chmod(self.folder, 0o777)
        private = PRIVATE_PROC if os.geteuid() == 0 else ()
        return [*private, sys.executable, "-c", FILTER]

    @on_every_model
    def test_servers_serve(self, flags):
        with self.files(
            "--http", "127.0.0.1:0", "--sandbox", "on", *flags, words=self.words()
        ) as server:
            port = port_of(server)
            server.expect_stderr("no capabilities, system calls by seccomp$")
            self.assertIn(b"hello, world", get(port))
            with call(port) as peer:
                peer.send(b"PUT /new HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
                          b"Connection: close\r\n\r\nnew")  # fmt: skip
                self.assertRegex(peer.receive_to_end(), b"^HTTP/1.1 20[14] ")
            server.signal(signal.SIGTERM)
            self.assert_ends(server, 0)

    def test_doctor_says_what_is_missing(self):
        done = subprocess.run(
            [*self.words(), SLUICE, "doctor"],
            capture_output=True, text=True, timeout=TIMEOUT, env=ENVIRONMENT,
        )  # fmt: skip
        self.assertIn(done.returncode, (0, 1), done.stderr)
        self.assertEqual(done.stderr, "")
        if os.geteuid() == 0:
            self.assertRegex(done.stdout, r"backlog +unreadable")


class Units(ServiceTest):
    def setUp(self):
        super().setUp()
        if shutil.which("systemd-analyze") is None:
            self.skipTest("systemd is not installed")

    def exposure(self, text):
        unit = self.folder / "sluice.service"
        unit.write_text(text, encoding="utf-8")
        done = subprocess.run(
            ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)],
            capture_output=True, text=True, timeout=TIMEOUT, check=True,
        )  # fmt: skip
        return float(re.search(r"Overall exposure level for sluice\.service: ([\d.]+)", done.stdout)[1])

    def test_the_service_is_exposed_little(self):
        text = (UNITS / "sluice.service").read_text(encoding="utf-8")
        self.assertLessEqual(self.exposure(text), 1.2)
        private = (UNITS / "private-network.conf").read_text(encoding="utf-8")
        self.assertLessEqual(self.exposure(text + private[private.index("[Service]") :]), 0.7)

    def test_they_are_right(self):
        for name in ("sluice.service", "sluice.socket"):
            text = (UNITS / name).read_text(encoding="utf-8")
            # Where they are installed, the program and its manual are.
            text = text.replace("/usr/bin/sluice", SLUICE).replace("man:sluice(1)", "man:man(1)")
            (self.folder / name).write_text(text, encoding="utf-8")
        done = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", self.folder / "sluice.service",
             self.folder / "sluice.socket"],
            capture_output=True, text=True, timeout=TIMEOUT,
        )  # fmt: skip
        said = [line for line in (done.stdout + done.stderr).splitlines() if "sluice" in line]
        self.assertEqual((done.returncode, said), (0, []))


if __name__ == "__main__":
    unittest.main()
