"""Where io_uring is forbidden, the contract holds on the others, and its tests say why not."""

import os
import re
import subprocess
import unittest

BUILD = os.environ["SLUICE_BUILD"]
TESTS = f"{BUILD}/tests/contract_tests"
DENY = f"{BUILD}/tests/tools/deny_io_uring"


@unittest.skipIf(
    "uring" not in os.environ.get("SLUICE_TEST_ENGINES", "uring"),
    "SLUICE_TEST_ENGINES leaves io_uring out",
)
class Denied(unittest.TestCase):
    def run_denied(self, errno, *tests):
        done = subprocess.run(
            [DENY, errno, "--", *tests], capture_output=True, text=True, timeout=500, check=False
        )
        return done.returncode, done.stdout + done.stderr

    @staticmethod
    def what_failed(said):
        """Of each test that failed, all that it said."""
        tests = re.split(r"^\[ RUN      \] ", said, flags=re.MULTILINE)[1:]
        return "".join(each for each in tests if "[  FAILED  ]" in each) or said[-4000:]

    def test_the_contract_holds_on_the_others(self):
        for errno in ("EPERM", "ENOSYS"):
            with self.subTest(errno=errno):
                status, said = self.run_denied(errno, TESTS)
                self.assertEqual(status, 0, self.what_failed(said))
                passed = re.findall(r"^\[       OK \] (\S+)", said, re.MULTILINE)
                skipped = re.findall(r"^\[  SKIPPED \] (\S+)", said, re.MULTILINE)
                self.assertGreater(sum(name.endswith("/epoll") for name in passed), 50)
                self.assertFalse([name for name in passed if "/uring" in name])
                self.assertTrue(any("/uring" in name for name in skipped))
                # Each of them says whose doing it is.
                self.assertRegex(said, r"seccomp")

    def test_automatic_is_epoll_in_the_library(self):
        for errno in ("EPERM", "ENOSYS"):
            with self.subTest(errno=errno):
                status, said = self.run_denied(
                    errno, f"{BUILD}/tests/io_tests", "--gtest_filter=automatic_engine.*"
                )
                self.assertEqual(status, 0, said[-4000:])
                self.assertIn("[  PASSED  ] 2 tests", said)
                self.assertNotIn("SKIPPED", said)

    def test_automatic_is_epoll_with_a_reason(self):
        for errno in ("EPERM", "ENOSYS"):
            with self.subTest(errno=errno):
                server = subprocess.Popen(
                    [DENY, errno, "--", os.environ["SLUICE"], "talk", "serve", "--listen", "0"],
                    stdin=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    text=True,
                )
                lines = []
                for line in server.stderr:
                    lines.append(line)
                    if line.startswith("listening on"):
                        break
                server.terminate()
                server.communicate(timeout=30)
                self.assertRegex(lines[-1], r"\(event, epoll\)$")
                self.assertRegex("".join(lines[:-1]), r"io_uring.*seccomp")


if __name__ == "__main__":
    unittest.main()
