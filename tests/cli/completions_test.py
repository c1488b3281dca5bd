"""The completions of bash, zsh and fish offer every command, every flag, choices and files."""

import pathlib
import shutil
import subprocess
import tempfile
import unittest

from manual_rig import ENVIRONMENT, TIMEOUT, all_commands, run

HERE = pathlib.Path(__file__).parent


class Shell:
    """Asks a shell, run once for all questions, what it offers at the end of command lines."""

    def __init__(self, name, folder):
        self.name, self.folder = name, folder
        script = run("completions", name)
        if (script.returncode, script.stderr) != (0, ""):
            raise AssertionError(script)
        self.script = folder / f"completion.{name}"
        self.script.write_text(script.stdout, encoding="utf-8")

    def ask(self, *lines):
        """What each line can be completed to."""
        command = {
            "bash": ["bash", "--norc", "--noprofile", HERE / "complete.bash"],
            "zsh": ["zsh", "-f", HERE / "complete.zsh"],
            "fish": ["fish", "--no-config", HERE / "complete.fish"],
        }[self.name]
        environment = ENVIRONMENT | {
            "HOME": str(self.folder), "XDG_CONFIG_HOME": str(self.folder), "LC_ALL": "C.UTF-8",
            "XDG_DATA_HOME": str(self.folder), "TERM": "dumb",
        }
        done = subprocess.run(
            [*command, self.script], input="".join(f"{line}\n" for line in lines), text=True,
            capture_output=True, cwd=self.folder, env=environment, timeout=TIMEOUT, check=False,
        )
        if (done.returncode, done.stderr) != (0, ""):
            raise AssertionError(done)
        # A line for each thing that is offered, and a line with a dot alone behind the last.
        offered = [[]]
        for each in done.stdout.splitlines():
            if each == ".":
                offered.append([])
            else:
                offered[-1].append(each)
        if offered.pop() or len(offered) != len(lines):
            raise AssertionError(f"{len(lines)} questions, {len(offered)} answers: {done.stdout}")
        return [set(each) for each in offered]


class Completion:
    """Tests of a shell; those who inherit say which."""

    name = ""

    @classmethod
    def setUpClass(cls):
        if not shutil.which(cls.name):
            raise unittest.SkipTest(f"{cls.name} is not installed: script/bootstrap test")
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        folder = pathlib.Path(folder.name)
        cls.work = folder / "work"
        for name in ("plans", "plain texts"):
            (cls.work / name).mkdir(parents=True)
        (cls.work / "plan.pdf").touch()
        cls.shell = Shell(cls.name, folder)
        cls.shell.folder = cls.work
        cls.commands = list(all_commands())

    def test_every_command_is_offered(self):
        parents = [command for command in self.commands if command.commands]
        self.assertGreater(len(parents), 5)
        for command, offered in zip(parents, self.shell.ask(*(f"{each} " for each in parents))):
            with self.subTest(str(command)):
                self.assertEqual(offered, set(command.commands))

    def test_every_flag_of_the_help_is_offered(self):
        self.assertGreater(len(self.commands), 30)
        answers = self.shell.ask(*(f"{command} --" for command in self.commands))
        for command, offered in zip(self.commands, answers):
            with self.subTest(str(command)):
                long = {flag for flag in command.flags if flag.startswith("--")}
                self.assertEqual({flag.rstrip("=") for flag in offered}, long)

    def test_short_flags_are_offered(self):
        get, put = self.shell.ask("sluice files get -", "sluice files put -")
        self.assertLessEqual({"-o", "-h"}, get)
        self.assertLessEqual({"-r", "-h"}, put)

    def test_choices_are_offered_behind_their_flag(self):
        asked = {
            "sluice chat serve --framing ": {"auto", "line", "raw"},
            "sluice chat serve --quiet --slow s": {"skip"},
            "sluice lab load echo --engine ": {"auto", "epoll", "uring"},
            "sluice serve --engine ": {"auto", "blocking", "epoll", "uring"},
            "sluice completions ": {"bash", "zsh", "fish"},
        }
        for (line, wanted), offered in zip(asked.items(), self.shell.ask(*asked)):
            with self.subTest(line):
                self.assertEqual(offered, wanted)

    def test_help_is_followed_by_commands(self):
        first, second, third = self.shell.ask(
            "sluice help ch", "sluice help chat ", "sluice help lab load "
        )
        self.assertEqual(first, {"chat"})
        self.assertEqual(second, {"serve", "join"})
        self.assertIn("echo", third)

    def test_files_are_offered_where_files_belong(self):
        lines = (
            "sluice chat serve --cert pla", "sluice files get http://x/ -o pla",
            "sluice passwd pla", "sluice files put plan.pdf pla",
        )
        for line, offered in zip(lines, self.shell.ask(*lines)):
            with self.subTest(line):
                found = {each.rstrip("/").replace("\\", "") for each in offered}
                self.assertEqual(found, {"plan.pdf", "plans", "plain texts"})

    def test_directories_are_offered_where_directories_belong(self):
        lines = ("sluice files serve pla", "sluice chat serve --chroot pla", "sluice serve --files p")
        for line, offered in zip(lines, self.shell.ask(*lines)):
            with self.subTest(line):
                found = {each.rstrip("/").replace("\\", "") for each in offered}
                self.assertEqual(found, {"plans", "plain texts"})

    def test_nothing_is_offered_for_what_only_the_user_knows(self):
        lines = (
            "sluice chat serve --listen ", "sluice chat join ", "sluice chat serve --window pl",
            "sluice chat serve pl", "sluice doctor pl", "sluice passwd accounts ",
        )
        for line, offered in zip(lines, self.shell.ask(*lines)):
            # fish knows no places of operands.
            if not (self.name == "fish" and line.startswith("sluice passwd")):
                with self.subTest(line):
                    self.assertEqual({each for each in offered if not each.startswith("-")}, set())

    def test_a_value_behind_an_equals_sign(self):
        offered, files = self.shell.ask("sluice chat serve --framing=l", "sluice token --auth=plan.")
        self.assertEqual({each.rpartition("=")[2] for each in offered}, {"line"})
        self.assertEqual({each.rpartition("=")[2] for each in files}, {"plan.pdf"})

    def test_what_stands_before_does_not_confuse(self):
        lines = (
            "sluice chat serve --listen 127.0.0.1:5000 --fram",
            "sluice chat join --nick serve --fram",
            "sluice compute ask 127.0.0.1:2999 --tim",
        )
        for line, wanted, offered in zip(
            lines, ("--framing", "--framing", "--timeout"), self.shell.ask(*lines)
        ):
            with self.subTest(line):
                self.assertEqual({each.rstrip("=") for each in offered}, {wanted})


class Bash(Completion, unittest.TestCase):
    name = "bash"


class Zsh(Completion, unittest.TestCase):
    name = "zsh"

    def test_it_can_be_loaded_from_a_folder_of_functions(self):
        functions = self.work.parent / "functions"
        functions.mkdir()
        shutil.copy(self.shell.script, functions / "_sluice")
        done = subprocess.run(
            ["zsh", "-f", "-c", "fpath=($1 $fpath); autoload -Uz compinit; compinit -D -u; "
             "print $_comps[sluice]", "zsh", functions],
            capture_output=True, text=True, timeout=TIMEOUT, env=ENVIRONMENT, check=False,
        )
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "_sluice\n", ""))


class Fish(Completion, unittest.TestCase):
    name = "fish"


class Scripts(unittest.TestCase):
    def test_a_shell_that_is_not_known_is_refused(self):
        done = run("completions", "tcsh")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("'tcsh' is none of bash, zsh and fish", done.stderr)

    @unittest.skipUnless(shutil.which("shellcheck"), "shellcheck is not installed")
    def test_shellcheck_finds_no_mistake(self):
        done = subprocess.run(
            ["shellcheck", "--shell=bash", "-"], input=run("completions", "bash").stdout,
            capture_output=True, text=True, timeout=TIMEOUT, check=False,
        )
        self.assertEqual((done.returncode, done.stdout), (0, ""))


if __name__ == "__main__":
    unittest.main()
