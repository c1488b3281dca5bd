"""Every command of the recipes in docs/security.md, in their order, as they stand there."""

import os
import pathlib
import re
import shlex
import subprocess
import tempfile
import unittest

from talk_rig import ENVIRONMENT, SLUICE, TIMEOUT, Program

PAGE = pathlib.Path(os.environ["SLUICE_SOURCE"]) / "docs/security.md"


def recipes():
    """(title, commands) of each."""
    section = PAGE.read_text(encoding="utf-8").partition("\n## Recipes\n")[2].partition("\n## ")[0]
    found = re.findall(r"^\*\*(.*?)\.?\*\*.*?^```\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    return [(title, commands.splitlines()) for title, commands in found]


class Recipe:
    def __init__(self, test):
        self.test = test
        folder = tempfile.TemporaryDirectory()
        test.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "share").mkdir()
        for name in ("plan.pdf", "share/plan.pdf"):
            (self.folder / name).write_bytes(b"a plan")
        self.variables = {"HOME": folder.name, "SLUICE_PASSWORD": "a secret"}
        self.port = self.fingerprint = None

    def run(self, line):
        line = line.replace("HOST:", "localhost:").replace("FINGERPRINT", str(self.fingerprint))
        if self.port:
            line = re.sub(r"(localhost:)\d+", rf"\g<1>{self.port}", line)
        line, _, into = line.partition(" > ")
        words = shlex.split(line, comments=True)
        self.test.assertEqual(words[0], "sluice", line)
        if "serve" in words:
            return self.serve([re.sub(r"^(0\.0\.0\.0):\d+$", r"\1:0", word) for word in words[1:]])
        typed = b"exit\n" if "join" in words else b"a secret\n"
        done = subprocess.run(
            [SLUICE, *words[1:]], input=typed, capture_output=True, timeout=TIMEOUT,
            cwd=self.folder, env=ENVIRONMENT | self.variables,
        )
        self.test.assertEqual(done.returncode, 0, (line, done.stderr))
        if into:
            (self.folder / into.strip()).write_bytes(done.stdout)
        return done.stdout.decode()

    def serve(self, words):
        server = Program(SLUICE, *words, cwd=self.folder, variables=self.variables)
        server.__enter__()
        self.test.addCleanup(server.__exit__)
        self.port = int(server.expect_stderr(r"^listening on 0\.0\.0\.0:(\d+) ")[1])
        self.fingerprint = server.expect_stderr(r"SHA-256 fingerprint (\w{64})$")[1]
        return ""


class Recipes(unittest.TestCase):
    def test_each_command_does_what_it_says(self):
        all_of_them = recipes()
        self.assertGreaterEqual(len(all_of_them), 4)
        for title, commands in all_of_them:
            with self.subTest(title):
                recipe = Recipe(self)
                said = [recipe.run(line) for line in commands]
                for copy in recipe.folder.glob("copy.pdf"):
                    self.assertEqual(copy.read_bytes(), b"a plan")
                if "chat" in title:
                    self.assertIn("welcome, you are bob", said[-1])
                if "token" in title:
                    self.assertIn("1346269", said[-1])


if __name__ == "__main__":
    unittest.main()
