"""sluice lab compare: what changed is found, what did not is not, and nothing is read wrongly."""

import copy
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

SLUICE = os.environ["SLUICE"]
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("SLUICE")}
ENVIRONMENT["SLUICE_CONFIG"] = "none"


def series(name, unit, better, samples):
    return {"name": name, "unit": unit, "better": better, "samples": samples}


def around(median):
    """Seven samples with a noise of one per cent."""
    return [median * (1 + off / 100) for off in (-1.5, 0.7, -0.4, 1.2, 0, -0.9, 1)]


def figure(variant, rate, cpu):
    return {
        "variant": variant,
        "server_command": "",
        "load_command": "",
        "quantities": [
            series("rate", "B/s", "higher", around(rate)),
            series("server CPU", "s/GiB", "lower", around(cpu)),
            series("clients", "1", "neither", around(rate)),
        ],
        "latencies": [],
        "errors": 0,
        "remarks": [],
    }


def fact(topic, name, value, must_match):
    return {"topic": topic, "name": name, "value": value, "must_match": must_match}


REPORT = {
    "format": "sluice lab",
    "version": 1,
    "command": "sluice lab download",
    "started": "2026-03-01T10:00:00Z",
    "seconds": 60,
    "interrupted": False,
    "environment": [
        fact("kernel", "release", "6.18.5", True),
        fact("processor", "model", "One", True),
        fact("memory", "free", "3 GiB", False),
    ],
    "cases": [
        {
            "plan": "download",
            "name": "warm, 1 client",
            "question": "Which is the fastest?",
            "line": "",
            "axis": "",
            "x": None,
            "figures": [figure("read-send", 1.5e9, 0.4), figure("sendfile-cork", 3.1e9, 0.2)],
        }
    ],
    "warnings": [],
}


def changed(change):
    """A report in which `change` was made."""
    report = copy.deepcopy(REPORT)
    change(report)
    return report


def slower(report, factor=0.8):
    report["cases"][0]["figures"][1]["quantities"][0]["samples"] = around(3.1e9 * factor)


class Compare(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def write(self, name, content):
        path = self.folder / name
        if isinstance(content, dict):
            content = json.dumps(content)
        path.write_text(content, encoding="utf-8")
        return path

    def compare(self, before, after, *flags, status=0, out=(), err=()):
        """Compares two reports; `out` and `err` are what is to be found there."""
        done = subprocess.run(
            [SLUICE, "lab", "compare", self.write("a", before), self.write("b", after), *flags],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=60,
            check=False,
            env=ENVIRONMENT,
        )
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        for words in out:
            self.assertIn(words, done.stdout)
        for words in err:
            self.assertIn(words, done.stderr)
        if not err:
            self.assertEqual(done.stderr, "")
        return done.stdout

    def test_the_same_is_the_same(self):
        out = self.compare(REPORT, REPORT, out=["0 of 4 figures are better, 0 worse"])
        self.assertNotIn("sendfile", out)
        shown = self.compare(REPORT, REPORT, "--all", out=["same"])
        self.assertEqual(shown.count("same  "), 4)

    def test_worse_beyond_the_threshold_is_a_failure(self):
        out = self.compare(
            REPORT,
            changed(slower),
            status=1,
            out=["download: warm, 1 client", "WORSE", "2.89 to 2.31 GiB/s, 0.80 x (", "1 worse (1 by"],
        )
        self.assertNotIn("read-send", out)
        self.assertNotIn("\x1b", out)

    def test_worse_within_the_threshold_is_said(self):
        out = self.compare(REPORT, changed(slower), "--threshold", "25%", out=["1 worse (0 by"])
        self.assertIn("  worse ", out)

    def test_better_is_no_failure(self):
        self.compare(changed(slower), REPORT, out=["  better", "1.25 x", "1 of 4 figures are better"])

    def test_less_of_what_is_bad_is_better(self):
        def cheaper(report):
            report["cases"][0]["figures"][0]["quantities"][1]["samples"] = around(0.2)

        self.compare(REPORT, changed(cheaper), out=["better", "400 to 200 ms/GiB"])
        self.compare(changed(cheaper), REPORT, status=1, out=["WORSE"])

    def test_a_change_within_the_noise_is_none(self):
        def noisy(report):
            slower(report, 0.997)

        self.compare(REPORT, changed(noisy), out=["4 no different"])

    def test_one_round_is_no_ground_for_a_word(self):
        def once(report):
            for each in report["cases"][0]["figures"]:
                for one in each["quantities"]:
                    one["samples"] = one["samples"][:1]

        self.compare(REPORT, changed(once), out=["4\ncannot be told"])

    def test_other_conditions_are_warned_of(self):
        def newer(report):
            report["environment"][0]["value"] = "6.19.0"
            report["environment"][2]["value"] = "1 GiB"

        self.compare(
            REPORT, changed(newer), out=["4 no different"], err=["release: 6.18.5, then\n6.19.0."]
        )

    def test_two_machines_are_compared_only_by_force(self):
        def elsewhere(report):
            report["environment"][1]["value"] = "Another"

        def not_told(report):
            del report["environment"][1]

        for change, words in ((elsewhere, "One, then Another"), (not_told, "One, then not told")):
            words = words.split()[-1]
            self.compare(REPORT, changed(change), status=1, err=[words, "--force"])
            self.compare(REPORT, changed(change), "--force", out=["4 no different"], err=[words])

    def test_nothing_in_common_is_a_failure(self):
        def another(report):
            report["cases"][0]["plan"] = "upload"

        def nothing(report):
            report["cases"] = []

        for change in (another, nothing):
            self.compare(REPORT, changed(change), status=1, err=["no figure in common"])

    def test_what_only_one_has_is_named(self):
        def more(report):
            report["cases"][0]["figures"].append(figure("splice\x1b", 1, 1))

        self.compare(REPORT, changed(more), out=["download, warm, 1 client: splice\\x1b"])

    def test_an_interrupted_run_is_said_to_be(self):
        def cut(report):
            report["interrupted"] = True

        self.compare(REPORT, changed(cut), out=["4 no different"], err=["was interrupted"])

    def test_what_is_no_report_is_refused(self):
        def newer(report):
            report["version"] = 2

        def holed(report):
            del report["cases"][0]["figures"][1]["quantities"][0]["unit"]

        def twisted(report):
            report["cases"][0]["name"] = 5

        for content, words in (
            ("", "it is not JSON"),
            ("{]", "it is not JSON"),
            ("[1, 2]", "not a report of the lab"),
            ({"name": "other"}, "not a report of the lab"),
            (changed(newer), "its version is 2, and this sluice reads version 1"),
            (changed(holed), "cases[0].figures[1].quantities[0].unit is missing"),
            (changed(twisted), "cases[0].name: a string is expected, not a number"),
        ):
            with self.subTest(words=words):
                self.compare(REPORT, content, status=1, err=[words, "/b'"])
                self.compare(content, REPORT, status=1, err=[words, "/a'"])

    def run_with(self, *words):
        done = subprocess.run(
            [SLUICE, "lab", "compare", *words],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=ENVIRONMENT,
        )
        self.assertEqual(done.stdout, "")
        return done.returncode, done.stderr

    def test_what_cannot_be_read_is_said(self):
        path = self.write("a", REPORT)
        status, err = self.run_with(path, self.folder / "none")
        self.assertEqual(status, 1)
        self.assertIn("no such file", err)
        status, err = self.run_with(self.folder, path)
        self.assertEqual(status, 1)
        self.assertIn("is a directory", err)

    def test_usage(self):
        for words, expected in (
            ((), "BEFORE"),
            (("a",), "AFTER is required"),
            (("a", "b", "c"), "'c' is one word too many"),
            (("a", "b", "--threshold", "x"), "'x' is no share"),
            (("a", "b", "--threshold", "-3%"), "'-3%' is no share"),
            (("a", "b", "--threshold", "nan"), "'nan' is no share"),
            (("a", "b", "--frobnicate"), "there is no flag '--frobnicate'"),
        ):
            with self.subTest(words=words):
                status, err = self.run_with(*words)
                self.assertEqual(status, 2, err)
                self.assertIn(expected, err)


if __name__ == "__main__":
    unittest.main()
