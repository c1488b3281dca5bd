"""The table of faults in docs/reliability.md, and the tests that it names."""

import dataclasses
import re

ROW = re.compile(r"^\| (\d+) \| (.+?) \| (.+?) \| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)
REFERENCE = re.compile(r"`([^`]+)`")


@dataclasses.dataclass
class Row:
    number: int
    fault: str
    made: str
    promised: str
    seen: str
    references: list  # `folder/file_test: case`, `worlds/NAME`, `fuzz/NAME`, `script/faults NUMBER`


def parse(text):
    """The rows of a page by their numbers."""
    rows = {}
    for number, *cells, tests in ROW.findall(text):
        assert int(number) not in rows, f"fault {number} has two rows"
        rows[int(number)] = Row(int(number), *cells, REFERENCE.findall(tests))
    return rows


def read(root):
    return parse((root / "docs" / "reliability.md").read_text(encoding="utf-8"))


def split(reference):
    """The folder, the file and the case of a test."""
    file, _, case = reference.partition(": ")
    folder, _, name = file.partition("/")
    return folder, name, case


def problem(root, number, reference):
    """What is wrong with the name of a test, or None."""
    folder, name, case = split(reference)
    if folder == "script":
        trials = (root / "tests" / "faults" / "trials.py").read_text(encoding="utf-8")
        right = name == f"faults {number}" and f"@trial({number})\n" in trials
        return None if right else f"tests/faults/trials.py makes no fault {number}"
    for of, file in (("worlds", f"tests/worlds/{name}_world.cpp"), ("fuzz", f"fuzz/{name}_fuzz.cpp")):
        if folder == of:
            return None if (root / file).exists() else f"there is no {file}"
    python = root / "tests" / folder / f"{name}.py"
    source = python if python.exists() else python.with_suffix(".cpp")
    if not source.exists():
        return f"there is no tests/{folder}/{name}.py or .cpp"
    text = source.read_text(encoding="utf-8")
    if source == python:
        found = re.search(rf"^\s*(def|class) {re.escape(case)}\(", text, re.MULTILINE)
    else:
        suite, _, name = case.partition(".")
        found = re.search(rf"^TEST\w*\({re.escape(suite)},\s+{re.escape(name)}\)", text, re.MULTILINE)
    return None if case and found else f"{source.relative_to(root)} has no case '{case}'"
