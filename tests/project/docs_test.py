"""script/docs makes the reference without a warning, and a public member without a comment is one."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ["SLUICE_SOURCE"])
WHAT_IT_READS = ("CMakeLists.txt", "docs", "examples", "script", "sluice")
LINK = re.compile(r'<a [^>]*href="([^"#]+)[^"]*"')


@unittest.skipUnless(shutil.which("doxygen"), "Doxygen is not installed: script/bootstrap docs")
class Docs(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name).resolve()
        # It writes below the sources, so it is given a copy of them.
        for name in WHAT_IT_READS:
            copy = shutil.copytree if (SOURCE / name).is_dir() else shutil.copy
            copy(SOURCE / name, self.root / name)

    def make(self):
        return subprocess.run(
            [self.root / "script" / "docs"], capture_output=True, text=True, check=False
        )

    def test_every_link_leads_somewhere(self):
        made = self.make()
        self.assertEqual((made.returncode, made.stderr), (0, ""))
        index = pathlib.Path(made.stdout.rstrip("\n"))
        self.assertEqual(index, self.root / "build" / "docs" / "html" / "index.html")
        links = {
            (page.name, link)
            for page in index.parent.glob("*.html")
            for link in LINK.findall(page.read_text(encoding="utf-8"))
            if not link.startswith(("https:", "javascript:"))
        }
        for link in (
            "classsluice_1_1net_1_1connection.html", "io_8hpp.html", "ask_8cpp-example.html",
            "../../../docs/models.md",
        ):
            self.assertIn(("index.html", link), links)
        # What the page shows is no Markdown any more.
        self.assertNotRegex(index.read_text(encoding="utf-8"), r"\*\*[A-Z]|]\(|`")
        lost = sorted(pair for pair in links if not (index.parent / pair[1]).exists())
        self.assertEqual(lost, [])
        self.assertFalse((index.parent / "epoll_8hpp.html").exists(), "it is not public")

    def test_what_is_wrong_is_named(self):
        header = self.root / "sluice" / "base" / "bytes.hpp"
        with header.open("a", encoding="utf-8") as file:
            file.write("namespace sluice {\nint without_a_comment();\n}\n")
        guide = self.root / "docs" / "library.md"
        with guide.open("a", encoding="utf-8") as file:
            file.write("\nThere is no `net::telegraph`.\n")
        made = self.make()
        self.assertNotEqual(made.returncode, 0)
        line = len(header.read_text(encoding="utf-8").splitlines()) - 1
        self.assertIn(f"{header}:{line}: error: Member without_a_comment()", made.stderr)
        self.assertIn("net::telegraph", made.stderr)
