"""Tries a fault of the table: by its tests, or by the trial that script/faults has for it."""

import os
import pathlib
import re
import subprocess
import sys

import fault_table
from fleet_rig import Wrong
from network_rig import NotTried
from talk_rig import Ended
from trials import TRIALS

BUILD = pathlib.Path(os.environ["SLUICE_BUILD"])
TESTS = pathlib.Path(os.environ["SLUICE_SOURCE"], "tests")


def command_of(reference):
    """The words that run a test."""
    folder, name, case = fault_table.split(reference)
    if folder in ("worlds", "fuzz"):
        return ["ctest", "--test-dir", BUILD, "-R", f"^{reference}$", "--no-tests=error"]
    if (TESTS / folder / f"{name}.cpp").exists():
        return [BUILD / "tests" / f"{folder}_tests", f"--gtest_filter=*{case}*"]
    where = ("-s", TESTS / folder, "-p", f"{name}.py")
    return [sys.executable, "-B", "-m", "unittest", "discover", "-v", *where, "-k", case]


def run(reference):
    """What a test came to: survived, not survived or not tried, and in few words why."""
    # A hundred places of an upload (fault 24), and not only some.
    environment = os.environ | {"PYTHONPATH": str(TESTS / "support"), "SLUICE_TEST_KILLS": "100"}
    done = subprocess.run(
        [str(word) for word in command_of(reference)], env=environment, capture_output=True, text=True,
        cwd=BUILD,
    )
    said = done.stdout + done.stderr
    if done.returncode != 0:
        lines = [line for line in said.splitlines() if re.search(r"Error|FAIL|Failure", line)]
        return "not survived", f"`{reference}` failed: {lines[-1] if lines else said[-200:]}"
    if re.search(r"^Ran 0 tests|Running 0 tests", said, re.MULTILINE):
        return "not survived", f"`{reference}` is no test"
    skipped = re.findall(r"skipped '(.*)'$|^(?:.*)Skipped\n(.*)$", said, re.MULTILINE)
    passed = re.search(r"PASSED  \] [1-9]|^OK$|^OK \(skipped|^100% tests passed", said, re.MULTILINE)
    ran = re.search(r"^Ran (\d+) test", said, re.MULTILINE)
    if not passed or (ran and int(ran[1]) <= len(skipped)):
        return "not tried", "; ".join("".join(each) for each in skipped) or reference
    return "survived", reference


def attempt(row):
    """The outcome of a row, and what was seen."""
    outcomes = []
    for reference in row.references:
        if not reference.startswith("script/"):
            outcomes.append(run(reference))
            continue
        try:
            outcomes.append(("survived", TRIALS[row.number]()))
        except NotTried as problem:
            outcomes.append(("not tried", str(problem)))
        except (Wrong, AssertionError, Ended, OSError) as problem:
            outcomes.append(("not survived", f"{type(problem).__name__}: {problem}"))
    for worst in ("not survived", "not tried"):
        if found := [why for outcome, why in outcomes if outcome == worst]:
            return worst, "; ".join(found)
    trials = [why for reference, (_, why) in zip(row.references, outcomes) if reference.startswith("script/")]
    tests = len(outcomes) - len(trials)
    return "survived", "; ".join([*trials, f"{tests} tests"] if tests else trials)
