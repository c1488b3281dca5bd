"""`sluice lab`: every plan end to end with next to nothing to do, every error, and what is left."""

import contextlib
import json
import os
import pathlib
import re
import resource
import signal
import subprocess
import tempfile
import time
import unittest

from talk_rig import ENVIRONMENT, PATIENCE, SLUICE, Program, engines, wait_until

PLANS = ("copy", "download", "upload", "models", "chat", "echo")
LITTLE = ("--quick", "--repeat", "1", "--seconds", "0.02", "--size", "256K", "--clients", "2")


def processes_in(session_of):
    """Commands of processes whose environment has the variable that marks one test's lab."""
    found = []
    for each in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if session_of.encode() in (each / "environ").read_bytes():
                found.append((each / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


class LabTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name).resolve()
        # The lock lies there, so that labs of several tests do not shut each other out.
        self.locks = self.folder / "locks"
        self.locks.mkdir()
        self.work = self.folder / "work"
        self.work.mkdir()
        self.mark = f"TMPDIR={self.locks}"
        self.environment = {**ENVIRONMENT, "TMPDIR": str(self.locks)}

    def tearDown(self):
        self.assertEqual(processes_in(self.mark), [], "a process was left behind")
        self.assertEqual(list(self.locks.iterdir()), [], "a lock was left behind")
        self.assertEqual(list(self.work.glob(".sluice-lab*")), [], "files were left behind")

    def lab(self, *words, prepare=None):
        """Status, stdout and stderr of a lab in self.work."""
        done = subprocess.run(
            [SLUICE, "lab", *map(str, words)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=4 * PATIENCE,
            cwd=self.work,
            env=self.environment,
            preexec_fn=prepare,
        )
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def fails(self, status, words, *command, **options):
        got, out, err = self.lab(*command, **options)
        self.assertEqual((got, out), (status, ""), err)
        self.assertRegex(err, words)
        self.assertLess(len(err.splitlines()), 6, err)

    @contextlib.contextmanager
    def running(self, *words):
        """A lab that goes on for long, in the middle of a sample: its process."""
        long = (*words, "--repeat", "1000", "--seconds", "30", "--clients", "2")
        with subprocess.Popen(
            [SLUICE, "lab", *long],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.work,
            env=self.environment,
        ) as program:
            try:
                wait_until(lambda: len(processes_in(self.mark)) >= 3, "server and load run")
                yield program
            finally:
                program.kill()


class Plans(LabTest):
    def test_every_plan_measures_every_variant_and_reports_it(self):
        for plan in PLANS:
            with self.subTest(plan=plan):
                status, out, err = self.lab(
                    plan, *LITTLE, "--json", "r.json", "--csv", "r.csv", "--html", "r.html"
                )
                self.assertEqual(status, 0, err)
                self.assertIn("Warnings", out)
                report = json.loads((self.work / "r.json").read_text(encoding="utf-8"))
                self.assertIn(f"sluice lab {plan} --quick", report["command"])
                self.assertFalse(report["interrupted"])
                self.assertTrue(report["cases"])
                left_out = [each for each in report["warnings"] if "was left out" in each]
                for case in report["cases"]:
                    self.assertEqual(case["plan"], plan)
                    self.assertGreaterEqual(len(case["figures"]) + len(left_out), 2)
                    for figure in case["figures"]:
                        self.assertRegex(figure["load_command"], r"^taskset -c [0-9,]+ sluice lab load ")
                        self.assertNotIn("--watch", figure["load_command"])
                        self.assertNotIn("ADDRESS", figure["server_command"])
                        self.assertEqual(bool(figure["server_command"]), plan != "copy")
                        for series in figure["quantities"]:
                            self.assertEqual(len(series["samples"]), 1)
                        self.assertGreater(figure["quantities"][0]["samples"][0], 0)
                self.assertTrue((self.work / "r.csv").read_text(encoding="utf-8"))
                self.assertIn("<html", (self.work / "r.html").read_text(encoding="utf-8"))

    def test_a_figure_can_be_repeated_by_its_commands(self):
        self.assertEqual(self.lab("echo", *LITTLE, "--json", "r.json")[0], 0)
        report = json.loads((self.work / "r.json").read_text(encoding="utf-8"))
        figure = report["cases"][0]["figures"][0]
        words = figure["server_command"].split()
        self.assertEqual(words[:2] + words[3:4], ["taskset", "-c", "sluice"])
        words[words.index("--listen") + 1] = "127.0.0.1:0"
        with Program(SLUICE, *words[4:]) as server:
            found = server.hear_remark(r"^listening on (127\.0\.0\.1:\d+)")
            load = figure["load_command"].split()[4:]
            load[3] = found[1]
            done = subprocess.run([SLUICE, *load], stdout=subprocess.PIPE, timeout=PATIENCE)
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout.decode(), r"(?s)^seconds 0\.0[2-9]\d+\namount [1-9].*\nend\n$")

    def test_rounds_are_interleaved_and_as_many_as_asked_for(self):
        flags = ("--repeat", "3", "--seconds", "0.01", "--clients", "1", "--quick")
        self.assertEqual(self.lab("chat", *flags, "--json", "r.json")[0], 0)
        report = json.loads((self.work / "r.json").read_text(encoding="utf-8"))
        for case in report["cases"]:
            for figure in case["figures"]:
                self.assertEqual(len(figure["quantities"][0]["samples"]), 3)

    def test_winners_are_written_to_the_configuration_and_used(self):
        (self.work / "mine.conf").write_text("[talk]\nquiet = true\n", encoding="utf-8")
        for plan, command in (("download", "files.offer"), ("upload", "files.serve")):
            status, _, err = self.lab(plan, *LITTLE, "--write-config", "mine.conf")
            self.assertEqual(status, 0, err)
            self.assertRegex(err, f"{plan}: strategy = [a-z0-9-]+ is in 'mine.conf' now")
            text = (self.work / "mine.conf").read_text(encoding="utf-8")
            self.assertRegex(text, rf"\[talk\]\nquiet = true\n(?s:.*)\[{command}\]\n(send-.*\n)?strategy = \S+\n")
        (self.work / "given").write_bytes(b"x" * 100)
        flags = ("--listen", "127.0.0.1:0", "--config", self.work / "mine.conf", "--count", "1")
        with Program(SLUICE, "files", "offer", self.work / "given", *flags) as server:
            server.hear_remark(r"^listening on 127\.0\.0\.1:\d+")
            server.signal(signal.SIGTERM)
            self.assertEqual(server.end()[0], 0)

    def test_without_a_name_the_configuration_has_its_usual_one(self):
        status, _, err = self.lab("download", *LITTLE, "--write-config")
        self.assertEqual(status, 0, err)
        text = (self.work / "sluice.conf").read_text(encoding="utf-8")
        self.assertRegex(text, r"^\[files.offer\]\nstrategy = (\S+)\n\n\[files.serve\]\nsend-strategy = \1\n$")


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
        self.assertLess(time.monotonic() - begun, PATIENCE)

    def test_no_space(self):
        self.fails(1, "has room for .* needs .*--size", "copy", "--size", "900000G")
        self.fails(1, "has room for .* needs .*--size", "upload", "--size", "900000G")

    def test_a_file_that_may_not_be_so_large(self):
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
        self.fails(1, "cannot write a file of 8388608 bytes", "download", "--size", "8M",
                   prepare=lambda: (signal.signal(signal.SIGXFSZ, signal.SIG_IGN), limit()))

    def test_two_labs_at_once(self):
        with self.running("echo") as first:
            self.fails(1, "another lab is running", "chat", *LITTLE)
            first.send_signal(signal.SIGINT)
            first.communicate(timeout=PATIENCE)
        self.assertEqual(self.lab("chat", *LITTLE)[0], 0, "the lock went with the first")

    def test_one_core_only(self):
        one = min(os.sched_getaffinity(0))
        status, out, err = self.lab("echo", *LITTLE, prepare=lambda: os.sched_setaffinity(0, {one}))
        self.assertEqual(status, 0, err)
        self.assertRegex(re.sub(r"\s+", " ", out), "There is one core only, which server and load share")

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

    @unittest.skipIf("uring" not in engines(), "io_uring does not work here")
    def test_ports_and_files_are_given_back(self):
        before = set(os.listdir("/proc/self/fd"))
        self.assertEqual(self.lab("echo", *LITTLE)[0], 0)
        self.assertEqual(set(os.listdir("/proc/self/fd")), before)


class Interrupted(LabTest):
    def test_ctrl_c_keeps_what_was_measured(self):
        flags = ("--seconds", "0.05", "--repeat", "10000", "--clients", "2", "--quick")
        with subprocess.Popen(
            [SLUICE, "lab", "echo", *flags, "--json", "r.json"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            cwd=self.work, env=self.environment,
        ) as program:
            time.sleep(2.5)  # some rounds; how many is of no account
            program.send_signal(signal.SIGINT)
            out, err = program.communicate(timeout=PATIENCE)
        self.assertEqual(program.returncode, 130, err)
        self.assertTrue(out)
        report = json.loads((self.work / "r.json").read_text(encoding="utf-8"))
        self.assertTrue(report["interrupted"])
        self.assertTrue(report["cases"])
        rounds = {
            len(figure["quantities"][0]["samples"])
            for case in report["cases"] for figure in case["figures"]
        }
        self.assertEqual(len(rounds), 1, "rounds are whole")

    def test_at_once_there_is_nothing_to_keep_and_that_is_said(self):
        with self.running("models") as program:
            program.send_signal(signal.SIGINT)
            _, err = program.communicate(timeout=PATIENCE)
        self.assertEqual(program.returncode, 130, err)

    def test_sigterm_ends_it_in_order(self):
        with self.running("upload", "--size", "1M") as program:
            program.send_signal(signal.SIGTERM)
            program.communicate(timeout=PATIENCE)
        self.assertEqual(program.returncode, 1)

    def test_killed_it_takes_its_processes_along_and_the_next_one_cleans_up(self):
        with self.running("download", "--size", "1M") as program:
            program.kill()
            program.communicate(timeout=PATIENCE)
        wait_until(lambda: not processes_in(self.mark), "server and load die with the lab")
        self.assertTrue(list(self.work.glob(".sluice-lab*")))
        status, _, err = self.lab("chat", *LITTLE)
        self.assertEqual(status, 0, err)
        self.assertEqual(list(self.work.glob(".sluice-lab*")), [])


if __name__ == "__main__":
    unittest.main()
