"""Installs what is missing and builds a release together with its benchmarks."""

import pathlib
import subprocess

from .processes import Failed

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = ROOT / "build" / "release"


def build(*targets, peers=False):
    """Ends with every target built in build/release, and with the servers of others if they are
    asked for, or raises Failed."""
    steps = (
        [ROOT / "script" / "bootstrap", "bench", *(["peers"] if peers else [])],
        ["cmake", "-S", ROOT, "--preset", "release", "-DSLUICE_BENCH=ON"],
        [ROOT / "script" / "build", "release", *targets],
    )
    for step in steps:
        captured = step[0] == "cmake"
        done = subprocess.run(
            step,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if captured else None,
            stderr=subprocess.STDOUT if captured else None,
        )
        if done.returncode != 0:
            said = done.stdout.decode(errors="replace") if captured else ""
            raise Failed(f"{said}{' '.join(map(str, step))} failed, see above")
