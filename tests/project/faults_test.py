"""The table of faults in docs/reliability.md has them all, and every test that it names exists."""

import os
import pathlib
import re
import unittest

import fault_table

ROOT = pathlib.Path(os.environ["SLUICE_SOURCE"])
COUNT = 50


class Faults(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rows = fault_table.read(ROOT)

    def test_all_are_there_and_each_has_a_test(self):
        self.assertEqual(sorted(self.rows), list(range(1, COUNT + 1)))
        for row in self.rows.values():
            self.assertTrue(row.references, f"no test makes fault {row.number}, {row.fault}")

    def test_every_test_exists(self):
        wrong = [
            f"fault {row.number}: `{reference}`: {problem}"
            for row in self.rows.values()
            for reference in row.references
            if (problem := fault_table.problem(ROOT, row.number, reference))
        ]
        if wrong:
            self.fail("\n" + "\n".join(wrong))

    def test_every_trial_is_in_the_table(self):
        trials = (ROOT / "tests" / "faults" / "trials.py").read_text(encoding="utf-8")
        for number in map(int, re.findall(r"^@trial\((\d+)\)$", trials, re.MULTILINE)):
            self.assertIn(f"script/faults {number}", self.rows[number].references)

    def test_a_name_that_is_wrong_is_seen(self):
        for reference, right in (
            ("project/faults_test: test_every_test_exists", True),
            ("project/faults_test: Faults", True),
            ("contract/close_test: close_contract.twice_is_once", True),
            ("worlds/chat", True),
            ("fuzz/http_head", True),
            ("script/faults 6", True),
            ("script/faults 5", False),
            ("project/faults_test: test_every_test", False),
            ("project/faults_test", False),
            ("project/fault_test: Faults", False),
            ("contract/close_test: close_contract.twice", False),
            ("contract/close_test: contract.twice_is_once", False),
            ("worlds/faults", False),
            ("fuzz/faults", False),
        ):
            with self.subTest(reference=reference):
                self.assertEqual(fault_table.problem(ROOT, 6, reference) is None, right)

    def test_a_row_is_read(self):
        page = "| 6 | loss | nft | all arrives | 5 % | `cli/a_test: test_b`, `script/faults 6` |\n"
        row = fault_table.parse("| # | fault |\n|---|---|\n" + page)[6]
        self.assertEqual(row.references, ["cli/a_test: test_b", "script/faults 6"])
        self.assertEqual((row.fault, row.made, row.promised, row.seen), ("loss", "nft", "all arrives", "5 %"))


if __name__ == "__main__":
    unittest.main()
