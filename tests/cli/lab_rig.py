"""Runs `sluice lab` where nothing may be left behind: no process, no lock, no file."""

import contextlib
import pathlib
import subprocess
import tempfile
import unittest

from talk_rig import ENVIRONMENT, SLUICE, TIMEOUT, wait_until

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

    def lab(self, *words, prepare=None, within=()):
        """Status, stdout and stderr of a lab in self.work, which the words `within` start."""
        done = subprocess.run(
            [*within, SLUICE, "lab", *map(str, words)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=4 * TIMEOUT,
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
