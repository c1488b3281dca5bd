"""What --help says of every command: its flags, their values and choices, and what is below it."""

import os
import re
import subprocess

SLUICE = os.environ["SLUICE"]
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("SLUICE")}
TIMEOUT = 120
# A row of two columns: `  -o, --output FILE        What it is`.
ROW = re.compile(r"^  (\S.*?)(?:  +\S.*)?$")


def run(*words, columns=None, **options):
    environment = {name: value for name, value in ENVIRONMENT.items() if name != "COLUMNS"}
    if columns:
        environment["COLUMNS"] = str(columns)
    return subprocess.run(
        [SLUICE, *words], capture_output=True, stdin=subprocess.DEVNULL, text=True,
        timeout=TIMEOUT, check=False, env=environment, **options,
    )


def help_of(path, columns=80):
    done = run("help", *path, columns=columns)
    if (done.returncode, done.stderr) != (0, ""):
        raise AssertionError(f"sluice help {' '.join(path)}: {done}")
    return done.stdout


class Command:
    """What the page of one command shows."""

    def __init__(self, path):
        self.path = path
        self.flags, self.valued, self.operands, self.commands = [], {}, [], []
        heading = ""
        for line in help_of(path).splitlines():
            if re.fullmatch(r"\S.*:", line):
                heading = line.rstrip(":")
            elif heading not in ("", "Examples") and (row := ROW.match(line)):
                self.add(heading, row[1])

    def add(self, heading, name):
        if heading == "Commands":
            self.commands.append(name)
        elif heading == "Operands":
            self.operands.append(name)
        else:
            *flags, last = name.split(", ")
            last, _, placeholder = last.partition(" ")
            self.flags += [*flags, last]
            if placeholder:
                self.valued |= dict.fromkeys([*flags, last], placeholder)

    def __str__(self):
        return " ".join(["sluice", *self.path])


def all_commands(path=()):
    """Every command, the program itself first."""
    here = Command(path)
    yield here
    for name in here.commands:
        yield from all_commands((*path, name))
