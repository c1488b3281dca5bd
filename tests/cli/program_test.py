"""The program as a whole: its version, its help, its mistakes and its exit status."""

import os
import subprocess
import unittest

SLUICE = os.environ["SLUICE"]
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("SLUICE")}
ENVIRONMENT["SLUICE_CONFIG"] = "none"


def sluice(*words, **options):
    return subprocess.run(
        [SLUICE, *words],
        capture_output="stdout" not in options,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=60,
        check=False,
        env=ENVIRONMENT,
        **options,
    )


class Program(unittest.TestCase):
    def test_version_says_what_was_built_and_with_what(self):
        done = sluice("--version")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        # Scripts read the first line; the others are for people who report a bug.
        first, *others = done.stdout.removesuffix("\n").split("\n")
        self.assertRegex(first, r"\Asluice \d+\.\d+\.\d+\Z")
        self.assertEqual(len(others), 4, done.stdout)
        for line, form in zip(others, (
            r"commit: ([0-9a-f]{40}|unknown)",
            r"built with: (g|clang)\+\+ \d+\.\d+\.\d+, \w+.*, glibc 2\.\d+",
            r"libraries: liburing 2\.\d+, OpenSSL \d\S+, ICU \d\S+, fmt \d\S+, "
            r"spdlog \d\S+, libseccomp \d\S+",
            r"engines: blocking, epoll, uring",
        )):
            self.assertRegex(line, rf"\A{form}\Z")

    def test_help_names_every_command(self):
        for words in (["--help"], ["-h"], ["help"]):
            with self.subTest(words):
                done = sluice(*words)
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertIn("Usage: sluice", done.stdout)
                self.assertRegex(done.stdout, r"(?m)^  doctor +\S")
                self.assertRegex(done.stdout, r"(?m)^  help +\S")

    def test_help_of_a_command_is_the_same_both_ways(self):
        asked = sluice("help", "doctor")
        self.assertEqual((asked.returncode, asked.stderr), (0, ""))
        self.assertIn("Usage: sluice doctor [OPTIONS]", asked.stdout)
        self.assertIn("--json", asked.stdout)
        self.assertEqual(sluice("doctor", "--help").stdout, asked.stdout)

    def test_help_fits_80_columns(self):
        for words in (["--help"], ["help", "doctor"], ["help", "help"]):
            for line in sluice(*words).stdout.splitlines():
                self.assertLessEqual(len(line), 80, line)

    def test_a_mistake_is_one_line_on_stderr_and_status_2(self):
        for words, said in (
            (["doktor"], "there is no 'doktor'; did you mean doctor?"),
            (["xyzzy"], "there is no command 'xyzzy'; there is "),
            (["--nothing"], "there is no flag '--nothing'"),
            (["doctor", "--jsn"], "did you mean --json?"),
            (["doctor", "extra"], "'extra' is one word too many"),
            (["doctor", "--json=maybe"], "--json cannot be 'maybe'"),
            (["help", "xyzzy"], "there is no command 'xyzzy'"),
            (["\x1b[2J"], "'\\x1b[2J'"),
            ([""], "there is no command ''"),
        ):
            with self.subTest(words):
                done = sluice(*words)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertTrue(done.stderr.startswith("sluice: "), done.stderr)
                self.assertIn(said, done.stderr)
                self.assertIn("(more: sluice ", done.stderr)
                self.assertEqual(done.stderr.count("\n"), 1, done.stderr)

    def test_output_that_cannot_be_written_is_a_failure(self):
        for words in (["--version"], ["doctor"], ["doctor", "--json"], ["help"]):
            with self.subTest(words), open("/dev/full", "w", encoding="ascii") as full:
                done = sluice(*words, stdout=full, stderr=subprocess.PIPE)
                self.assertEqual(done.returncode, 1)
                self.assertEqual(
                    done.stderr,
                    "sluice: cannot write to standard output: no space left on device\n",
                )

    def test_a_reader_that_has_gone_is_a_quiet_failure(self):
        reader, writer = os.pipe()
        os.close(reader)
        try:
            done = sluice("doctor", stdout=writer, stderr=subprocess.PIPE)
        finally:
            os.close(writer)
        self.assertEqual((done.returncode, done.stderr), (1, ""))


if __name__ == "__main__":
    unittest.main()
