"""The table of system calls is complete: what the library does, it does by those calls alone."""

import os
import pathlib
import subprocess
import unittest

BUILD = pathlib.Path(os.environ["SLUICE_BUILD"])
ONLY_LISTED = BUILD / "tests" / "tools" / "only_listed"
# What tests and /bin/sh call themselves, and getaddrinfo(3), which asks by sendmmsg(2).
BESIDES = """dup pipe socketpair sendmsg sendmmsg mkdir rmdir unlink rename link symlink symlinkat
    mknod mknodat chmod fchmod fchmodat chown truncate creat setpgid setitimer timer_create
    timer_settime timer_delete timer_gettime select pselect6 getgroups chdir alarm pause vfork rt_sigsuspend"""
# Not those that run programs (compute), the whole program (cli), another kernel (sim), what counts
# memory and time (memory, lab), and that of the sandbox, which makes calls that are refused.
FOLDERS = (
    "auth base contract coro files http io model net os talk term tls transfer wire"
).split()


def sanitized():
    return (BUILD / "CMakeCache.txt").exists() and any(
        line.startswith("SLUICE_SANITIZE:") and not line.endswith("=")
        for line in (BUILD / "CMakeCache.txt").read_text(encoding="utf-8").splitlines()
    )


def run(calls, *words):
    return subprocess.run(
        [ONLY_LISTED, " ".join(calls.split()), *words],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=300, check=False, text=True,
    )


@unittest.skipIf(sanitized(), "a sanitizer makes calls of its own")
class EveryBinary(unittest.TestCase):
    def test_no_test_of_the_library_makes_another_call(self):
        for folder in FOLDERS:
            binary = BUILD / "tests" / f"{folder}_tests"
            with self.subTest(folder):
                done = run(BESIDES, binary, "--gtest_brief=1")
                self.assertEqual(done.returncode, 0, done.stdout[-2000:] + done.stderr[-500:])

    def test_another_call_is_seen(self):
        done = run("", "/bin/mkdir", "/")
        self.assertEqual(done.returncode, -31, "SIGSYS")


if __name__ == "__main__":
    unittest.main()
