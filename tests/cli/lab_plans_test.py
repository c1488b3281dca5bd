"""`sluice lab`: every plan end to end with next to nothing to do, and what it writes."""

import json
import re
import signal
import subprocess

from lab_rig import LITTLE, LabTest
from talk_rig import SLUICE, TIMEOUT, Program

PLANS = ("copy", "download", "upload", "models", "chat", "echo", "same")

# How often the CPU copies a byte, of some ways there are.
COPIES = {
    "copy": {"read-write": 2, "sendfile": 1, "direct": 0},
    "download": {"read-send": 2, "mmap-send": 1, "sendfile-cork": 0},
    "upload": {"recv-write": 2, "splice": 1},
}

# The command whose configuration a plan's best variant is written to.
TUNED = {"download": "files.offer", "upload": "files.serve"}


class Plans(LabTest):
    def test_every_plan_measures_every_variant_and_reports_what_can_be_repeated(self):
        (self.work / "mine.conf").write_text("[talk]\nquiet = true\n", encoding="utf-8")
        for plan in PLANS:
            with self.subTest(plan):
                report = self.measure(plan, *(("--write-config", "mine.conf") if plan in TUNED else ()))
                for case in report["cases"]:
                    self.check_case(plan, case, report["warnings"])
                if plan in COPIES:
                    self.run_as_they_stand(plan, report["cases"][0]["figures"][0])
                if plan == "echo":
                    self.repeat(report["cases"][0]["figures"][0])
        with self.subTest("configuration"):
            self.use_configuration()

    def measure(self, plan, *flags):
        """The report as JSON of a lab that wrote all of them."""
        reports = ("--json", "r.json", "--csv", "r.csv", "--html", "r.html")
        status, out, err = self.lab(plan, *LITTLE, *reports, *flags)
        self.assertEqual(status, 0, err)
        self.assertIn("Warnings", out)
        report = json.loads((self.work / "r.json").read_text(encoding="utf-8"))
        self.assertIn(f"sluice lab {plan} --quick", report["command"])
        self.assertFalse(report["interrupted"])
        self.assertTrue(report["cases"])
        rows = (self.work / "r.csv").read_text(encoding="utf-8")
        page = (self.work / "r.html").read_text(encoding="utf-8")
        self.assertIn("<html", page)
        for written in (out, rows, page):
            self.assertEqual("CPU copies" in written, plan in COPIES)
        if plan in TUNED:
            command = TUNED[plan]
            self.assertRegex(err, f"{plan}: strategy = [a-z0-9-]+ is in 'mine.conf' now")
            text = (self.work / "mine.conf").read_text(encoding="utf-8")
            self.assertRegex(
                text,
                rf"\[talk\]\nquiet = true\n(?s:.*)\[{command}\]\n(send-.*\n)?strategy = \S+\n",
            )
        return report

    def check_case(self, plan, case, warnings):
        left_out = [each for each in warnings if "was left out" in each]
        self.assertEqual(case["plan"], plan)
        self.assertGreaterEqual(len(case["figures"]) + len(left_out), 2)
        for figure in case["figures"]:
            self.assertRegex(figure["load_command"], r"(^|; )taskset -c [0-9,]+ sluice lab load ")
            self.assertNotIn("--watch", figure["load_command"])
            self.assertNotIn("ADDRESS", figure["server_command"])
            self.assertEqual(bool(figure["server_command"]), plan != "copy")
            for series in figure["quantities"]:
                self.assertEqual(len(series["samples"]), 1)
            copies = [
                series["samples"][0] / 2**30
                for series in figure["quantities"] if series["name"] == "CPU copies"
            ]
            self.assertEqual(len(copies), plan in COPIES)
            if figure["variant"] in COPIES.get(plan, {}):
                self.assertEqual(copies, [COPIES[plan][figure["variant"]]])
        # In the little time of one of them a busy machine may not have come to it.
        self.assertTrue(
            any(figure["quantities"][0]["samples"][0] > 0 for figure in case["figures"]), case
        )

    def repeat(self, figure):
        """Runs the programs of its commands, without the cores they were on."""
        words = figure["server_command"].split()
        self.assertEqual(words[:2] + words[3:4], ["taskset", "-c", "sluice"])
        words[words.index("--listen") + 1] = "127.0.0.1:0"
        with Program(SLUICE, *words[4:]) as server:
            found = server.expect_stderr(r"^listening on (127\.0\.0\.1:\d+)")
            load = figure["load_command"].split()[4:]
            load[3] = found[1]
            done = subprocess.run([SLUICE, *load], stdout=subprocess.PIPE, timeout=TIMEOUT)
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout.decode(), r"(?s)^seconds 0\.0[2-9]\d+\namount [1-9].*\nend\n$")

    def run_as_they_stand(self, plan, figure):
        """Commands that use files of the lab run when those are gone: they make their own."""
        bin_folder = self.work / f"bin-{plan}"
        bin_folder.mkdir()
        (bin_folder / "sluice").symlink_to(SLUICE)
        path = f"PATH={bin_folder}:$PATH; "
        empty = self.work / f"elsewhere-{plan}"
        empty.mkdir()
        shell = {"shell": True, "cwd": empty, "capture_output": True, "timeout": TIMEOUT}
        if not figure["server_command"]:
            for _ in range(2):
                done = subprocess.run(path + figure["load_command"], **shell)
                self.assertEqual(done.returncode, 0, done.stderr)
            return
        # Its port may have another owner by now.
        command = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:0", figure["server_command"])
        before, _, last = command.rpartition("; ")
        with Program("sh", "-c", f"{path}{before}; exec {last}", cwd=empty) as server:
            found = server.expect_stderr(r"^(?:raw: )?listening on (127\.0\.0\.1:\d+)")
            load = re.sub(r"127\.0\.0\.1:\d+", found[1], figure["load_command"])
            done = subprocess.run(path + load, **shell)
            self.assertEqual(done.returncode, 0, done.stderr)

    def use_configuration(self):
        """Serves with the configuration that the best variants were written to."""
        (self.work / "given").write_bytes(b"x" * 100)
        flags = ("--listen", "127.0.0.1:0", "--config", self.work / "mine.conf", "--count", "1")
        with Program(SLUICE, "files", "offer", self.work / "given", *flags) as server:
            server.expect_stderr(r"^listening on 127\.0\.0\.1:\d+")
            server.signal(signal.SIGTERM)
            self.assertEqual(server.end()[0], 0)

    def test_rounds_are_interleaved_and_as_many_as_asked_for(self):
        flags = ("--repeat", "3", "--seconds", "0.01", "--clients", "1", "--quick")
        self.assertEqual(self.lab("chat", *flags, "--json", "r.json")[0], 0)
        report = json.loads((self.work / "r.json").read_text(encoding="utf-8"))
        for case in report["cases"]:
            for figure in case["figures"]:
                self.assertEqual(len(figure["quantities"][0]["samples"]), 3)

    def test_without_a_name_the_configuration_has_its_usual_one(self):
        status, _, err = self.lab("download", *LITTLE, "--write-config")
        self.assertEqual(status, 0, err)
        text = (self.work / "sluice.conf").read_text(encoding="utf-8")
        self.assertRegex(text, r"^\[files.offer\]\nstrategy = (\S+)\n\n\[files.serve\]\nsend-strategy = \1\n$")
