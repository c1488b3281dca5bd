"""`sluice lab`: every error in a clear word, and nothing left behind by an interruption."""

import contextlib
import fcntl
import json
import os
import pty
import pwd
import re
import resource
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import time
import unittest

from lab_rig import LITTLE, LabTest, processes_in
from talk_rig import SLUICE, TIMEOUT, engines, sanitized, wait_until


class Errors(LabTest):
    def test_usage(self):
        self.fails(2, "say what to do: copy, download, upload")
        self.fails(2, "--clients.*whole number|--clients.*0", "echo", "--clients", "0")
        self.fails(2, "with commas between", "echo", "--clients", "1,x")
        self.fails(2, "exclude each other", "echo", "--quick", "--full")
        self.fails(2, "a file of 0 bytes", "copy", "--size", "0")
        self.fails(2, "--repeat", "copy", "--repeat", "0")
        self.fails(2, "no precision", "copy", "--precision", "0%")
        self.fails(2, "is no time", "echo", "--seconds", "nan")
        self.fails(2, "did you mean --quick", "echo", "--quik")

    def test_a_directory_that_is_not_there_or_cannot_be_written(self):
        self.fails(1, "cannot make files in .*nowhere: .*--directory", "echo", "--directory", "nowhere")
        (self.work / "file").write_bytes(b"")
        self.fails(1, "cannot make files in file: .*--directory", "copy", "--directory", "file")
        self.fails(1, "cannot make files in /proc: .*--directory", "copy", "--directory", "/proc")

    def test_a_report_that_cannot_be_written_is_said_before_anything_is_measured(self):
        begun = time.monotonic()
        self.fails(1, "cannot write the report 'no/r.json'", "echo", "--full", "--json", "no/r.json")
        self.fails(1, "cannot write the report", "echo", "--full", "--html", self.work)
        self.assertLess(time.monotonic() - begun, TIMEOUT)

    @unittest.skipIf(os.geteuid() != 0, "becoming another user is root's")
    def test_a_report_that_may_not_be_written_is_reported_in_a_sentence(self):
        closed = self.work / "closed"
        closed.mkdir(mode=0o700)
        self.work.chmod(0o755)
        nobody = lambda: os.setuid(65534)
        self.fails(1, "cannot write the report '.*/closed/r.csv': permission denied", "echo",
                   "--full", "--csv", closed / "r.csv", prepare=nobody)

    def test_one_report_can_go_to_stdout(self):
        self.fails(1, "only one of --json, --csv and --html", "echo", "--json", "-", "--csv", "-")
        status, out, err = self.lab("echo", *LITTLE, "--json", "-")
        self.assertEqual(status, 0, err)
        self.assertEqual(json.loads(out)["command"].split()[:3], ["sluice", "lab", "echo"])
        self.assertIn("event epoll", err, "the text for people")
        self.assertFalse((self.work / "-").exists())

    def test_no_space(self):
        self.fails(1, "has room for .* needs .*--size", "copy", "--size", "900000G")
        self.fails(1, "has room for .* needs .*--size", "upload", "--size", "900000G")

    def test_a_file_that_may_not_be_so_large(self):
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
        self.fails(1, "cannot write a file of 8388608 bytes", "download", "--size", "8M",
                   prepare=lambda: (signal.signal(signal.SIGXFSZ, signal.SIG_IGN), limit()))

    @unittest.skipIf(os.geteuid() != 0, "mounting is root's")
    def test_a_disk_that_is_full(self):
        disk = self.work / "disk"
        disk.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2M", "tmpfs", disk], check=False).returncode:
            self.skipTest("nothing can be mounted here")
        self.addCleanup(subprocess.run, ["umount", disk], check=True)
        for plan in ("copy", "download", "upload"):
            self.fails(1, "has room for .* needs .*--size", plan, "--size", "1M", "--directory", disk)
        (disk / "filler").write_bytes(b"x" * (2 << 20))
        self.fails(1, "disk has room for 0 B, .*--directory", "copy", "--quick", "--directory", disk)
        self.assertEqual(os.listdir(disk), ["filler"])

    @unittest.skipIf(os.geteuid() != 0, "only root can be somebody else")
    def test_a_directory_of_another_user(self):
        nobody = pwd.getpwnam("nobody")
        self.folder.chmod(0o755)
        self.work.chmod(0o755)
        self.locks.chmod(0o777)
        other = dict(prepare=lambda: (os.setgroups([]), os.setgid(nobody.pw_gid), os.setuid(nobody.pw_uid)))
        self.fails(1, r"cannot make files in \.: permission denied; .*--directory", "copy", **other)
        self.fails(1, "cannot write the report 'r.json': permission denied", "echo", "--json", "r.json", **other)
        self.fails(2, "--drop-caches is for root", "copy", "--drop-caches", **other)

    def test_two_labs_at_once(self):
        with self.running("echo") as first:
            self.fails(1, "another lab is running", "chat", *LITTLE)
            first.send_signal(signal.SIGINT)
            first.communicate(timeout=TIMEOUT)
        self.assertEqual(self.lab("chat", *LITTLE)[0], 0, "the lock went with the first")

    def test_one_core_only(self):
        one = min(os.sched_getaffinity(0))
        status, out, err = self.lab("echo", *LITTLE, prepare=lambda: os.sched_setaffinity(0, {one}))
        self.assertEqual(status, 0, err)
        self.assertRegex(re.sub(r"\s+", " ", out), "There is one core only, which server and load share")

    @unittest.skipIf(sanitized(), "sanitizers need descriptors of their own")
    def test_a_server_that_cannot_start_is_named_with_its_reason(self):
        few = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (8, 8))
        status, out, err = self.lab("echo", *LITTLE, prepare=few)
        self.assertEqual((status, out), (1, ""))
        self.assertRegex(err, "sluice: .*(open files|descriptor|pipe|process)")

    def test_what_cannot_be_cold_is_never_measured_as_cold(self):
        if not os.path.isdir("/dev/shm") or not os.access("/dev/shm", os.W_OK):
            self.skipTest("there is no tmpfs")
        with tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
            status, out, err = self.lab("copy", *LITTLE, "--directory", memory, "--json", "r.json")
            self.assertEqual(status, 0, err)
            self.assertEqual(os.listdir(memory), [])
        report = json.loads((self.work / "r.json").read_text(encoding="utf-8"))
        self.assertEqual([case["name"] for case in report["cases"]], ["warm"])
        self.assertRegex(" ".join(report["warnings"]), "a cold source cannot be had here")

    @unittest.skipIf(os.geteuid() != 0, "dropping caches is root's")
    def test_cold_is_had_by_dropping_all_caches_too(self):
        status, out, err = self.lab("copy", *LITTLE, "--drop-caches", "--json", "r.json")
        if "caches cannot be dropped" in out + err:
            self.skipTest("this root may not drop caches")
        self.assertEqual(status, 0, err)
        report = json.loads((self.work / "r.json").read_text(encoding="utf-8"))
        cold = [case for case in report["cases"] if case["name"] == "cold"]
        self.assertIn("all caches of the machine were dropped", cold[0]["question"])

    @unittest.skipIf("uring" not in engines(), "io_uring does not work here")
    def test_ports_and_files_are_given_back(self):
        before = set(os.listdir("/proc/self/fd"))
        self.assertEqual(self.lab("echo", *LITTLE)[0], 0)
        self.assertEqual(set(os.listdir("/proc/self/fd")), before)


class Stuck(LabTest):
    def test_a_stderr_that_nothing_reads_holds_nothing_up(self):
        reads, writes = os.pipe()
        self.addCleanup(os.close, reads)
        os.set_blocking(writes, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writes, bytes(4096))
        os.set_blocking(writes, True)
        with subprocess.Popen(
            [SLUICE, "lab", "echo", *LITTLE, "--json", "-"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=writes,
            cwd=self.work, env=self.environment,
        ) as program:  # fmt: skip
            os.close(writes)
            out, _ = program.communicate(timeout=2 * TIMEOUT)
        self.assertEqual(program.returncode, 0)
        self.assertTrue(json.loads(out)["cases"])


class Load(LabTest):
    def test_a_window_smaller_than_the_senders_is_one_for_each(self):
        with subprocess.Popen(
            [SLUICE, "chat", "serve", "--listen", "127.0.0.1:0", "--quiet"],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, env=self.environment,
        ) as server:  # fmt: skip
            try:
                port = re.search(rb"listening on 127\.0\.0\.1:(\d+) ", server.stderr.readline())[1]
                status, out, err = self.lab(
                    "load", "chat", port.decode(), "--senders", 6, "--window", 2, "--members", 3,
                    "--seconds", "0.2", "--warmup", "0.1", "--sleep",
                )  # fmt: skip
            finally:
                server.terminate()
        self.assertEqual(status, 0, err)
        self.assertGreater(float(re.search(r"^amount (\S+)$", out, re.M)[1]), 0, out)

    def test_a_server_that_is_not_there_is_unreachable(self):
        with socket.socket() as taken:  # bound, and does not listen
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
            for kind in ("ask", "echo", "chat", "download --size 1M", "upload --size 1M"):
                with self.subTest(kind):
                    status, out, err = self.lab("load", *kind.split(), port)
                    self.assertEqual((status, out), (3, ""), err)
                    self.assertIn("cannot connect to 127.0.0.1:", err)


class OnATerminal(LabTest):
    def test_progress_fits_the_window_and_the_answers_come_last(self):
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        program = subprocess.Popen(
            [SLUICE, "lab", "echo", *LITTLE], stdin=slave, stdout=slave, stderr=slave,
            cwd=self.work, env=self.environment | {"TERM": "xterm"})  # fmt: skip
        os.close(slave)
        shown = b""
        try:
            while more := os.read(master, 65536):
                shown += more
        except OSError:  # the other end is closed
            pass
        self.assertEqual(program.wait(TIMEOUT), 0, shown)
        text = shown.decode()
        drawn = re.findall(r"\r(\[[=.]+\][^\r\x1b]*)\x1b\[K", text)
        self.assertTrue(drawn)
        for line in drawn:
            self.assertLess(len(line), 80, line)
            self.assertRegex(line, r"^\[[=.]+\] round \d+( of 1)?(, about .* left)?: echo, ")
        plain = re.sub(r"\x1b\[[\d;]*m", "", text)
        self.assertLess(plain.index("Warnings"), plain.rindex("\necho\r\n"), "the answers are last")


class Interrupted(LabTest):
    def test_ctrl_c_keeps_what_was_measured(self):
        flags = ("--seconds", "0.05", "--repeat", "10000", "--clients", "2", "--quick")
        with subprocess.Popen(
            [SLUICE, "lab", "echo", *flags, "--json", "r.json"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            cwd=self.work, env=self.environment,
        ) as program:
            for line in program.stderr:
                # The first round is whole then; how many there are is of no account.
                if line.startswith(b"round 2 of "):
                    break
            program.send_signal(signal.SIGINT)
            out, err = program.communicate(timeout=TIMEOUT)
        self.assertEqual(program.returncode, 130, err)
        self.assertTrue(out)
        report = json.loads((self.work / "r.json").read_text(encoding="utf-8"))
        self.assertTrue(report["interrupted"])
        self.assertTrue(report["cases"])
        rounds = [
            {len(figure["quantities"][0]["samples"]) for figure in case["figures"]}
            for case in report["cases"]
        ]
        self.assertEqual([len(each) for each in rounds], [1] * len(rounds), "rounds are whole")

    def test_at_once_there_is_nothing_to_keep_and_that_is_said(self):
        with self.running("models") as program:
            program.send_signal(signal.SIGINT)
            _, err = program.communicate(timeout=TIMEOUT)
        self.assertEqual(program.returncode, 130, err)

    def test_sigterm_ends_it_in_order(self):
        with self.running("upload", "--size", "1M") as program:
            program.send_signal(signal.SIGTERM)
            program.communicate(timeout=TIMEOUT)
        self.assertEqual(program.returncode, 1)

    def test_killed_it_takes_its_processes_along_and_the_next_one_cleans_up(self):
        with self.running("download", "--size", "1M") as program:
            program.kill()
            program.communicate(timeout=TIMEOUT)
        wait_until(lambda: not processes_in(self.mark), "server and load die with the lab")
        self.assertTrue(list(self.work.glob(".sluice-lab*")))
        status, _, err = self.lab("chat", *LITTLE)
        self.assertEqual(status, 0, err)
        self.assertEqual(list(self.work.glob(".sluice-lab*")), [])
