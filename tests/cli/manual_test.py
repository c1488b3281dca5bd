"""Help and manual pages: every flag stands in both, lines fit, and programs of manuals take them."""

import os
import pathlib
import pty
import re
import shutil
import struct
import subprocess
import tempfile
import termios
import unittest
from fcntl import ioctl

from manual_rig import ENVIRONMENT, SLUICE, TIMEOUT, all_commands, help_of, run

SECTIONS = ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "ENVIRONMENT", "EXAMPLES",
            "SEE ALSO")


def plain(page):
    """The text of a page without what roff reads."""
    text = re.sub(r"\\f[BIR]", "", page.replace("\\-", "-").replace("\\&", ""))
    for code, character in (("\\(aq", "'"), ("\\(dq", '"'), ("\\(rs", "\\")):
        text = text.replace(code, character)
    return text


class Pages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name) / "manual"
        done = run("manual", cls.folder)
        if (done.returncode, done.stdout, done.stderr) != (0, "", ""):
            raise AssertionError(done)
        cls.pages = {path.name: path.read_text(encoding="ascii") for path in cls.folder.iterdir()}
        cls.commands = list(all_commands())

    def page_of(self, command):
        return plain(self.pages["-".join(["sluice", *command.path]) + ".1"])

    def test_every_command_has_a_page_and_there_is_no_other(self):
        names = {"-".join(["sluice", *command.path]) + ".1" for command in self.commands}
        self.assertGreater(len(names), 30)
        self.assertEqual(set(self.pages), names | {"sluice.conf.5"})

    def test_a_page_has_its_sections(self):
        for command in self.commands:
            page = self.page_of(command)
            found = re.findall(r'^\.SH "(.*)"$', page, re.MULTILINE)
            with self.subTest(str(command)):
                self.assertEqual([name for name in found if name in SECTIONS], list(SECTIONS))
                self.assertEqual("SIGNALS" in found, "--grace" in command.flags)
                self.assertEqual("COMMANDS" in found, bool(command.commands))

    def test_every_flag_of_the_help_stands_in_the_page(self):
        for command in self.commands:
            tags = re.findall(r"^\.TP\n(.*)$", self.page_of(command), re.MULTILINE)
            names = [name.split()[0] for tag in tags for name in tag.split(", ")]
            with self.subTest(str(command)):
                self.assertIn("--help", command.flags)
                self.assertEqual(set(command.flags + command.operands) - set(names) -
                                 {operand for operand in command.operands if operand in tags}, set())

    def test_every_key_stands_in_the_page_of_the_configuration(self):
        page = plain(self.pages["sluice.conf.5"])
        common = page.partition('.SH "KEYS OF EVERY SERVER"')[2].partition(".SH")[0]
        for command in self.commands:
            if "--config" not in command.flags:
                continue
            section = ".".join(command.path)
            own = page.partition(f'.SH "KEYS OF [{section}]"')[2].partition(".SH")[0]
            tags = re.findall(r"^\.TP\n(.+) = ", common + own, re.MULTILINE)
            keys = {key for tag in tags for key in tag.split(", ")}
            flags = {flag[2:] for flag in command.flags if flag.startswith("--")}
            with self.subTest(section):
                self.assertEqual(keys, flags - {"help", "config"})

    def test_pages_that_are_named_exist(self):
        for name, text in self.pages.items():
            also = plain(text).partition('.SH "SEE ALSO"')[2]
            named = {f"{page}.{part}" for page, part in re.findall(r"(sluice[\w.-]*)\((\d)\)", also)}
            with self.subTest(name):
                self.assertTrue(named)
                self.assertLessEqual(named, set(self.pages))

    def test_the_same_in_each_build(self):
        again = self.folder.with_name("again")
        environment = ENVIRONMENT | {"TZ": "Asia/Tokyo", "LC_ALL": "C", "SOURCE_DATE_EPOCH": "1"}
        subprocess.run([SLUICE, "manual", again], env=environment, timeout=TIMEOUT, check=True)
        self.assertEqual(
            {path.name: path.read_text(encoding="ascii") for path in again.iterdir()}, self.pages
        )

    def test_a_folder_that_cannot_be_written_is_named(self):
        done = run("manual", "/dev/null/manual")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("cannot write '/dev/null/manual': ", done.stderr)

    def check(self, *command):
        """That it has nothing to say of any page."""
        for name in sorted(self.pages):
            done = subprocess.run(
                [*command, self.folder / name], stdout=subprocess.DEVNULL if command[0] != "mandoc"
                else subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=TIMEOUT,
                env=ENVIRONMENT | {"MANWIDTH": "80", "LC_ALL": "C.UTF-8"}, check=False,
            )
            with self.subTest(name):
                self.assertEqual((done.returncode, done.stdout or "", done.stderr), (0, "", ""))

    @unittest.skipUnless(shutil.which("mandoc"), "mandoc is not installed")
    def test_mandoc_finds_no_mistake(self):
        self.check("mandoc", "-Tlint")

    @unittest.skipUnless(shutil.which("groff"), "groff is not installed")
    def test_groff_warns_of_nothing(self):
        self.check("groff", "-man", "-ww", "-z", "-Tutf8")

    @unittest.skipUnless(shutil.which("man"), "man-db is not installed")
    def test_man_warns_of_nothing(self):
        self.check("man", "--warnings", "-l")


class Help(unittest.TestCase):
    def test_no_line_is_longer_than_the_columns(self):
        for command in all_commands():
            for columns in (40, 80, 120):
                with self.subTest(f"{command} {columns}"):
                    page = help_of(command.path, columns)
                    self.assertLessEqual(max(map(len, page.splitlines())), columns)

    def test_it_is_the_same_both_ways(self):
        for command in all_commands():
            with self.subTest(str(command)):
                self.assertEqual(run(*command.path, "--help").stdout, help_of(command.path))

    def test_columns_have_bounds(self):
        for named, like in ((1, 40), (39, 40), (1000, 120), ("many", 80), (0, 80), ("", 80)):
            with self.subTest(named):
                self.assertEqual(help_of(["chat", "serve"], named), help_of(["chat", "serve"], like))

    def test_it_fits_the_terminal(self):
        for columns in (50, 100):
            reader, terminal = pty.openpty()
            ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
            environment = {name: value for name, value in ENVIRONMENT.items() if name != "COLUMNS"}
            process = subprocess.Popen(
                [SLUICE, "help", "chat", "serve"], stdout=terminal, env=environment
            )
            os.close(terminal)
            page = b""
            try:
                while piece := os.read(reader, 65536):
                    page += piece
            except OSError:  # the other end of a terminal is gone
                pass
            os.close(reader)
            self.assertEqual(process.wait(TIMEOUT), 0)
            self.assertEqual(page.decode().replace("\r\n", "\n"), help_of(["chat", "serve"], columns))

    def test_defaults_are_in_the_units_of_people(self):
        page = help_of(["chat", "serve"])
        for words in ("(5s)", "(1M)", "(4K)", "(60s)"):
            self.assertIn(words, page)
        self.assertNotIn("5000 ms", page)

    def test_every_page_has_an_example_that_can_be_pasted(self):
        for command in all_commands():
            narrow = help_of(command.path, 40).replace(" \\\n      ", " ")
            wide = help_of(command.path, 120).partition("\nExamples:\n")[2]
            examples = re.findall(r"^    (\S.*)$", wide, re.MULTILINE)
            with self.subTest(str(command)):
                self.assertIn("sluice ", " ".join(examples))
                for line in examples:
                    self.assertIn(line, narrow)

    def test_without_a_command_it_shows_them_all(self):
        done = run(columns=80)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertEqual(done.stderr, help_of([]))


if __name__ == "__main__":
    unittest.main()
