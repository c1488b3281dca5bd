"""The table of system calls names each function of the kernel, in its order."""

import os
import pathlib
import re
import unittest

SOURCE = pathlib.Path(os.environ["SLUICE_SOURCE"])
DECLARATION = re.compile(r"\bvirtual [\w:&* ]+?[ *&](\w+)\(")
ROW = re.compile(r'^\s*\{"(\w+)", "[\w ]*"(?:, \w+)?\},', re.MULTILINE)


def rows_of(text):
    """The functions in the table, of the text of its source."""
    return ROW.findall(text[text.index("of_kernel =") : text.index("of_library =")])


class Sandbox(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kernel = (SOURCE / "sluice/os/kernel.hpp").read_text(encoding="utf-8")
        cls.table = (SOURCE / "sluice/sandbox/system_calls.cpp").read_text(encoding="utf-8")

    def test_each_function_has_a_row(self):
        wanted = list(dict.fromkeys(DECLARATION.findall(self.kernel)))
        self.assertGreater(len(wanted), 80)
        self.assertEqual(
            rows_of(self.table),
            wanted,
            "sluice/sandbox/system_calls.cpp says of each function of os::kernel what it calls",
        )

    def test_one_that_is_missing_is_seen(self):
        without = re.sub(r'.*"fsync".*\n', "", self.table)
        self.assertEqual(set(rows_of(self.table)) - set(rows_of(without)), {"fsync"})


if __name__ == "__main__":
    unittest.main()
