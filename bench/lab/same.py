#!/usr/bin/env python3
"""Measures one server under two names, again and again, and counts how often the lab finds none."""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
NO_DIFFERENCE = re.compile(r"No difference within \d+ % between A and A again|Cannot tell which of A and A")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20, help="how often (%(default)s)")
    parser.add_argument("--repeat", default="7", help="rounds of each run (%(default)s)")
    parser.add_argument("--seconds", default="0.1", help="of each sample (%(default)s)")
    parser.add_argument("--sluice", default=ROOT / "build" / "release" / "sluice")
    asked = parser.parse_args()
    flags = ["--quick", "--quiet", "--repeat", asked.repeat, "--seconds", asked.seconds]
    without_difference = 0
    with tempfile.TemporaryDirectory() as work:
        for run in range(1, asked.runs + 1):
            done = subprocess.run(
                [asked.sluice, "lab", "same", *flags],
                check=True,
                stdout=subprocess.PIPE,
                cwd=work,
                env={**os.environ, "COLUMNS": "200"},
            )
            answer = " ".join(done.stdout.decode().partition("\n\n")[0].split())
            without_difference += bool(NO_DIFFERENCE.search(answer))
            print(f"{run}: {answer}", flush=True)
    print(f"{without_difference} of {asked.runs} runs found no difference; 95 of 100 are promised")
    return 0


if __name__ == "__main__":
    sys.exit(main())
