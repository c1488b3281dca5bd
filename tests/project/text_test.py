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


def faults(name, text, header=None):
    """What is wrong with one file; `header` is the one it is the source of, as it includes it."""
    lines = text.splitlines()
    opening = []
    for line in lines:
        if not line.startswith("// "):
            break
        opening.append(line.removeprefix("// "))
    if len(" ".join(opening).split()) < 3 or not opening[-1].endswith((".", ":")):
        yield f"{name}:1: does not open with a sentence in `// ` that says what the file is for"
    for number, line in enumerate(lines, 1):
        if found := LEFT_OVER.search(line):
            yield f"{name}:{number}: {found[0]}: do it now, or open an issue"
        if len(line) > COLUMNS:
            yield f"{name}:{number}: {len(line)} columns; {COLUMNS} is the limit"
        if "\t" in line:
            yield f"{name}:{number}: a tab; indent by four spaces"
    first = re.search(r"^#include (.*)$", text, re.MULTILINE)
    if header and (not first or first[1] != f'"{header}"'):
        yield f'{name}: does not include its own "{header}" first, which shows that it stands alone'
    if not text.endswith("\n"):
        yield f"{name}: its last line has no end"


def header_of(path):
    """The header beside a source of the library or the program, as it is included, if any."""
    header = path.with_suffix(".hpp")
    if path.suffix == ".cpp" and header.exists() and header.is_relative_to(SOURCE / "sluice"):
        return header.relative_to(SOURCE).as_posix()
    return None


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
            for problem in faults(
                path.relative_to(SOURCE), path.read_text(encoding="utf-8"), header_of(path)
            )
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
            "// sluice/opens.hpp - opens.\n// A\n",
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
        for includes in ("", "#include <new>\n", '#include <new>\n#include "sluice/a.hpp"\n'):
            with self.subTest(includes=includes):
                source = "// Opens a door.\n" + includes
                self.assertEqual(len(list(faults("a.cpp", source, "sluice/a.hpp"))), 1)
        source = '// Opens a door.\n#include "sluice/a.hpp"\n\n#include <new>\n'
        self.assertEqual(list(faults("a.cpp", source, "sluice/a.hpp")), [])
        wide = good + "// " + "é" * (COLUMNS - 3) + "\n"
        self.assertEqual(list(faults("wide.hpp", wide)), [], "columns are characters, not bytes")
