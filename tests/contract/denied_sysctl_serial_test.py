"""The contract where a sysctl forbids io_uring. Machine-wide, so nothing runs beside it."""

import os
import re
import subprocess
import unittest

from uring_switch import SwitchTest

TESTS = f"{os.environ['SLUICE_BUILD']}/tests/contract_tests"


@unittest.skipIf(
    "uring" not in os.environ.get("SLUICE_TEST_ENGINES", "uring"),
    "SLUICE_TEST_ENGINES leaves io_uring out",
)
class Forbidden(SwitchTest):
    def test_the_contract_holds_on_the_others(self):
        self.turn(2)
        done = subprocess.run([TESTS], capture_output=True, text=True, timeout=150, check=False)
        self.assertEqual(done.returncode, 0, done.stdout[-4000:])
        passed = re.findall(r"^\[       OK \] (\S+)", done.stdout, re.MULTILINE)
        self.assertGreater(sum(name.endswith("/epoll") for name in passed), 50)
        self.assertFalse([name for name in passed if "/uring" in name])
        self.assertIn("kernel.io_uring_disabled is 2", done.stdout)


if __name__ == "__main__":
    unittest.main()
