"""Turns the sysctl that forbids io_uring, and puts it back: for tests that run alone."""

import pathlib
import unittest

SWITCH = pathlib.Path("/proc/sys/kernel/io_uring_disabled")


class SwitchTest(unittest.TestCase):
    """Skips where the switch is missing or not ours to turn."""

    def setUp(self):
        if not SWITCH.exists():
            self.skipTest(f"this kernel has no {SWITCH}: it came with Linux 6.6")
        before = SWITCH.read_text(encoding="ascii")
        try:
            SWITCH.write_text(before, encoding="ascii")
        except OSError as refused:
            self.skipTest(f"cannot write {SWITCH}, which takes root: {refused}")
        self.addCleanup(SWITCH.write_text, before, encoding="ascii")

    def turn(self, position):
        """0: io_uring for all; 1: for root and a group; 2: for no user."""
        SWITCH.write_text(str(position), encoding="ascii")
