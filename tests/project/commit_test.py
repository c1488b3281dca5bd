"""The build knows the commit it is of: from git, from git archive, from a variable."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ["SLUICE_SOURCE"])
PROJECT = """cmake_minimum_required(VERSION 3.25)
project(little LANGUAGES NONE)
include(cmake/commit.cmake)
add_custom_target(all_of_it ALL DEPENDS ${commit_file})
"""
GIT = ("-c", "user.name=a", "-c", "user.email=a@b.example", "-c", "commit.gpgsign=false")
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}


def run(*command, **options):
    return subprocess.run(
        command, check=True, capture_output=True, text=True, env=ENVIRONMENT, **options
    ).stdout


@unittest.skipUnless(shutil.which("git"), "git is not installed: script/bootstrap lint")
class Commit(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.root = self.folder / "a checkout"
        (self.root / "cmake").mkdir(parents=True)
        (self.root / "CMakeLists.txt").write_text(PROJECT)
        for name in ("cmake/commit.cmake", "cmake/commit.txt", ".gitattributes"):
            shutil.copy(SOURCE / name, self.root / name)
        self.git("init", "--quiet")
        self.git("add", ".")
        self.git("commit", "--quiet", "-m", "first")

    def git(self, *words):
        return run("git", *GIT, *words, cwd=self.root).strip()

    def build(self, root, *settings):
        """Configures anew if there are settings or nothing is configured; the commit that it says."""
        folder = root / "build"
        if settings or not folder.exists():
            run("cmake", "-G", "Ninja", "-S", root, "-B", folder, *settings)
        self.said = run("cmake", "--build", folder)
        return (folder / "generated" / "commit.inc").read_text()

    def test_git_is_asked_once_per_commit(self):
        self.assertEqual(self.build(self.root), f'"{self.git("rev-parse", "HEAD")}"\n')
        self.build(self.root)
        self.assertIn("no work to do", self.said)
        first = self.git("rev-parse", "HEAD")
        self.git("commit", "--quiet", "--allow-empty", "-m", "second")
        self.assertNotEqual(self.git("rev-parse", "HEAD"), first)
        self.assertEqual(self.build(self.root), f'"{self.git("rev-parse", "HEAD")}"\n')
        self.build(self.root)
        self.assertIn("no work to do", self.said)

    def test_an_archive_knows_its_commit(self):
        self.git("archive", "--format=tar", "-o", self.folder / "a.tar", "HEAD")
        unpacked = self.folder / "unpacked"
        unpacked.mkdir()
        run("tar", "-xf", self.folder / "a.tar", "-C", unpacked)
        self.assertEqual(self.build(unpacked), f'"{self.git("rev-parse", "HEAD")}"\n')

    def test_a_variable_comes_first(self):
        self.assertEqual(self.build(self.root, "-DSLUICE_COMMIT=abc"), '"abc"\n')

    def test_a_copy_without_git_says_so(self):
        shutil.rmtree(self.root / ".git")
        self.assertEqual(self.build(self.root), '"unknown"\n')


if __name__ == "__main__":
    unittest.main()
