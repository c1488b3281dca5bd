"""Every source file says what it is for, leaves nothing for later, and fits the page."""

import os
import pathlib
import re
import unittest

SOURCE = pathlib.Path(os.environ["SLUICE_SOURCE"])
FOLDERS = ("sluice", "examples", "fuzz", "tests", "bench")
COLUMNS = 100
# Spelt apart, so that a search for them does not end here.
LEFT_OVER = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX)\b")


def faults(name, text):
    """What is wrong with one file."""
    lines = text.splitlines()
    opening = []
    for line in lines:
        if not line.startswith("// "):
            break
        opening.append(line.removeprefix("// "))
    if not re.match(r"^[A-Z0-9\"'`].*[.:)]$", " ".join(opening)):
        yield f"{name}:1: does not open with a sentence in `// ` that says what the file is for"
    for number, line in enumerate(lines, 1):
        if found := LEFT_OVER.search(line):
            yield f"{name}:{number}: {found[0]}: do it now, or open an issue"
        if len(line) > COLUMNS:
            yield f"{name}:{number}: {len(line)} columns; {COLUMNS} is the limit"
        if "\t" in line:
            yield f"{name}:{number}: a tab; indent by four spaces"
    if not text.endswith("\n"):
        yield f"{name}: its last line has no end"


class Text(unittest.TestCase):
    def test_every_source_file_is_in_order(self):
        files = [
            path
            for folder in FOLDERS
            for path in sorted(SOURCE.glob(f"{folder}/**/*"))
            if path.suffix in (".hpp", ".cpp", ".c", ".h")
        ]
        self.assertGreater(len(files), 5, "hardly any source; are we looking in the right place?")
        wrong = [
            problem
            for path in files
            for problem in faults(path.relative_to(SOURCE), path.read_text(encoding="utf-8"))
        ]
        if wrong:
            self.fail("\n" + "\n".join(wrong))

    def test_every_fault_is_seen(self):
        good = "// Opens a door.\n#pragma once\n"
        self.assertEqual(list(faults("good.hpp", good)), [])
        self.assertEqual(list(faults("good.hpp", "// Opens a door that\n// is shut.\nint x;\n")), [])
        for bad in (
            "#pragma once\n" + good,
            "\n" + good,
            "// opens.hpp\n",
            "// Opens a door\nint x;\n",
            "/* Opens a door. */\n",
            good + "// TO" + "DO: shut it\n",
            good + "//" + "x" * (COLUMNS - 1) + "\n",
            good + "\tint x;\n",
            good.rstrip("\n"),
            "",
        ):
            with self.subTest(bad=bad):
                self.assertGreaterEqual(len(list(faults("bad.hpp", bad))), 1)
        wide = good + "// " + "é" * (COLUMNS - 3) + "\n"
        self.assertEqual(list(faults("wide.hpp", wide)), [], "columns are characters, not bytes")
