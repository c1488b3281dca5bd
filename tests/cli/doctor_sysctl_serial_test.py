"""sluice doctor names the sysctl that forbids io_uring. Machine-wide, so nothing runs beside it."""

import errno
import json
import os
import subprocess
import unittest

from uring_switch import SwitchTest

SLUICE = os.environ["SLUICE"]
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("SLUICE")}
ENVIRONMENT["SLUICE_CONFIG"] = "none"


def usable(preexec_fn=None):
    done = subprocess.run(
        [SLUICE, "doctor", "--json"],
        capture_output=True,
        timeout=60,
        check=True,
        env=ENVIRONMENT,
        preexec_fn=preexec_fn,
    )
    return json.loads(done.stdout)["io_uring"]


class Sysctl(SwitchTest):
    def test_off_for_all(self):
        self.turn(2)
        uring = usable()
        self.assertIs(uring["usable"]["value"], False)
        self.assertEqual(uring["usable"]["errno"], errno.EPERM)
        self.assertEqual(uring["sysctl"], 2)
        self.assertIn("kernel.io_uring_disabled is 2", uring["usable"]["why_not"])
        self.assertIn("sysctl -w kernel.io_uring_disabled=0", uring["usable"]["change"])

    def test_off_for_ordinary_users(self):
        self.turn(1)
        # Opened before, for the folders around it may be closed to others.
        program = os.open(SLUICE, os.O_RDONLY)
        self.addCleanup(os.close, program)

        def become_nobody():
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)

        done = subprocess.run(
            [f"/proc/self/fd/{program}", "doctor", "--json"],
            capture_output=True,
            timeout=60,
            check=True,
            env=ENVIRONMENT,
            cwd="/",
            pass_fds=[program],
            preexec_fn=become_nobody,
        )
        uring = json.loads(done.stdout)["io_uring"]
        self.assertIs(uring["usable"]["value"], False)
        self.assertIn("kernel.io_uring_disabled is 1", uring["usable"]["why_not"])

    def test_on_again(self):
        self.turn(0)
        self.assertEqual(usable()["sysctl"], 0)
        self.assertNotIn("sysctl", usable()["usable"]["why_not"] or "")


if __name__ == "__main__":
    unittest.main()
