"""What a client can make a server hold is ten times what it sent, or a fixed limit."""

import unittest

from amplification import SERVICES, Measured, engines_of
from talk_rig import sanitized, side_by_side


@unittest.skipIf(sanitized(), "its memory is not the program's alone")
class Amplification(unittest.TestCase):
    def test_memory_and_disk_are_in_proportion(self):
        cases = [
            ({"service": service, "what": case.what, "engine": engine}, (service, engine, case))
            for service, all_of_them in SERVICES.items()
            for case in all_of_them
            for engine in engines_of(service)
        ]
        side_by_side(
            self, cases, lambda each: self.assertEqual(list(Measured(*each).faults()), [])
        )


if __name__ == "__main__":
    unittest.main()
