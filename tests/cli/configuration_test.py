"""sluice.conf: where it is found, which setting is meant, what is wrong with it, what is in force."""

import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import unittest

from talk_rig import ENVIRONMENT, SLUICE, TIMEOUT, Program


class Configuration(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.file = self.folder / "sluice.conf"

    def sluice(self, *words, **variables):
        return subprocess.run(
            [SLUICE, *map(str, words)], capture_output=True, text=True, timeout=TIMEOUT,
            stdin=subprocess.DEVNULL, cwd=self.folder, env=ENVIRONMENT | variables,
        )  # fmt: skip

    def shown(self, *words, **variables):
        """All that `config show` says: (value, source) by name."""
        done = self.sluice("config", "show", "--json", *words, **variables)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return {each["name"]: (each["value"], each["source"]) for each in json.loads(done.stdout)}

    def in_file(self, text, command, **variables):
        self.file.write_text(text)
        return self.shown(*command.split(), "--config", self.file, **variables)


class Found(Configuration):
    """The file that is read where none is named."""

    def find(self, **variables):
        plain = {name: value for name, value in ENVIRONMENT.items() if name != "SLUICE_CONFIG"}
        done = subprocess.run(
            [SLUICE, "config", "show", "--json", "chat", "serve"],
            capture_output=True, text=True, timeout=TIMEOUT, cwd=self.folder,
            env=plain | {name: str(value) for name, value in variables.items()},
        )  # fmt: skip
        return done

    def place(self, folder, text="rate = 7\n"):
        file = folder / "sluice" / "sluice.conf"
        file.parent.mkdir(parents=True)
        file.write_text(text)
        return file

    def test_that_of_the_user_counts(self):
        file = self.place(self.folder / ".config")
        found = json.loads(self.find(HOME=self.folder).stdout)
        self.assertIn({"name": "rate", "value": "7", "source": f"{file}:1"}, found)
        self.assertIn({"name": "config", "value": str(file), "source": "default"}, found)

    def test_that_of_xdg_config_home_is_stronger(self):
        self.place(self.folder / ".config", "rate = 8\n")
        file = self.place(self.folder / "xdg")
        found = json.loads(self.find(HOME=self.folder, XDG_CONFIG_HOME=self.folder / "xdg").stdout)
        self.assertIn({"name": "rate", "value": "7", "source": f"{file}:1"}, found)

    def test_a_bad_one_is_an_error_that_names_it(self):
        file = self.place(self.folder / ".config", "raet = 7\n")
        done = self.find(HOME=self.folder)
        self.assertEqual(done.returncode, 2)
        self.assertIn(f"{file}:1: there is no setting 'raet'", done.stderr)
        file.unlink()
        file.mkdir()
        done = self.find(HOME=self.folder)
        self.assertEqual(done.returncode, 2)
        self.assertIn(f"cannot read the configuration '{file}'", done.stderr)

    def test_none_and_nothing_leave_it_alone(self):
        self.place(self.folder / ".config")
        for flags in (("--config", "none"), ("--config", "")):
            shown = self.shown("chat", "serve", *flags, HOME=str(self.folder), SLUICE_CONFIG="")
            self.assertEqual(shown["rate"][0], None)
        shown = self.shown("chat", "serve", HOME=str(self.folder), SLUICE_CONFIG="none")
        self.assertEqual(shown["rate"][0], None)
        shown = self.shown("chat", "serve", HOME=str(self.folder), SLUICE_CONFIG="")
        self.assertEqual(shown["rate"][0], "7")

    def test_a_server_reads_it(self):
        self.place(self.folder / ".config", "[compute]\nlisten = 127.0.0.1:0\nwork = echo\n")
        variables = {"HOME": str(self.folder), "SLUICE_CONFIG": ""}
        with Program(SLUICE, "compute", "serve", stdin=None, variables=variables) as program:
            port = int(program.expect_stderr(r"listening on 127\.0\.0\.1:(\d+) ")[1])
            self.assertNotEqual(port, 2999)
            program.signal(signal.SIGTERM)
            self.assertEqual(program.end()[0], 0)


class Names(Configuration):
    """Which setting a line means."""

    def test_one_setting_has_one_name_however_it_is_split(self):
        for text in (
            "serve.chat.rate = 20\n",
            "[serve]\nchat.rate = 20\n",
            "[serve.chat]\nrate = 20\n",
            "[chat]\nrate = 20\n",
            "chat.rate = 20\n",
        ):
            with self.subTest(text):
                self.assertEqual(self.in_file(text, "serve")["chat.rate"][0], "20")
        for text in ("[chat.serve]\nrate = 20\n", "[chat]\nserve.rate = 20\n", "[chat]\nrate = 20\n"):
            with self.subTest(text):
                self.assertEqual(self.in_file(text, "chat serve")["rate"][0], "20")

    def test_settings_of_one_command_are_not_those_of_another(self):
        self.assertEqual(self.in_file("[chat.serve]\nrate = 20\n", "serve")["chat.rate"][0], None)
        self.assertEqual(self.in_file("[serve.chat]\nrate = 20\n", "chat serve")["rate"][0], None)

    def test_the_more_exact_section_wins_wherever_it_stands(self):
        text = "[serve.chat]\nrate = 3\n[chat]\nrate = 2\n[chat.serve]\nrate = 4\n"
        self.assertEqual(self.in_file(text, "serve")["chat.rate"], ("3", f"{self.file}:2"))
        self.assertEqual(self.in_file(text, "chat serve")["rate"], ("4", f"{self.file}:6"))

    def test_a_section_of_a_service_is_for_further_parts_too(self):
        text = (
            "[chat]\nrate = 2\nhistory = 5\n[serve.chat.team]\nlisten = 0\nrate = 3\n"
            "[serve.chat]\nhistory = 6\n"
        )
        shown = self.in_file(text, "serve")
        self.assertEqual(shown["chat.team.rate"][0], "3")
        self.assertEqual(shown["chat.team.history"][0], "5")
        self.assertEqual(shown["chat.rate"][0], "2")
        self.assertEqual(shown["chat.history"][0], "6")
        # Those of other commands are there, and none of their business.
        self.assertEqual(self.in_file(text, "chat serve")["rate"][0], "2")

    def test_short_names_of_the_flags_of_serve_hold(self):
        text = "[serve]\nchat = 1\nfiles = d\nhttp = 2\nraw = off\ncompute = off\nread-only = yes\n"
        shown = self.in_file(text, "serve")
        for name, value in (
            ("chat.listen", "1"), ("files.dir", "d"), ("files.http", "2"), ("files.raw", "off"),
            ("compute.listen", "off"), ("files.read-only", "yes"),
        ):  # fmt: skip
            self.assertEqual(shown[name][0], value, name)

    def test_a_list_takes_several_lines(self):
        text = "[files]\nhost = a.example\nhost = b.example,c.example\n[files.serve]\nallow = all\n"
        self.assertEqual(self.in_file(text, "files serve")["host"][0],
                         ["a.example", "b.example,c.example"])  # fmt: skip
        self.assertEqual(self.in_file(text, "serve")["files.host"][0],
                         ["a.example", "b.example,c.example"])  # fmt: skip

    def test_a_flag_beats_a_variable_beats_the_file(self):
        text = "[chat]\nrate = 2\n"
        shown = self.in_file(text, "serve", SLUICE_CHAT_RATE="3")
        self.assertEqual(shown["chat.rate"], ("3", "SLUICE_CHAT_RATE"))
        shown = self.in_file(text, "serve --chat.rate 4", SLUICE_CHAT_RATE="3")
        self.assertEqual(shown["chat.rate"], ("4", "--chat.rate"))
        shown = self.in_file(text, "chat serve", SLUICE_RATE="3")
        self.assertEqual(shown["rate"], ("3", "SLUICE_RATE"))

    def test_a_program_stands_in_one_line(self):
        program = "sh -c 'while read q; do echo \"$q!\"; done'"
        self.file.write_text(f"[compute]\nlisten = 127.0.0.1:0\nexec = {program}\n")
        for words in (("compute", "serve"), ("serve", "--chat", "off", "--files", "off")):
            with Program(SLUICE, *words, "--config", self.file, stdin=None) as server:
                server.expect_stderr(r"listening on 127\.0\.0\.1:(\d+) ")
                port = re.search(r":(\d+) ", server.err.seen[-1])[1]
                asked = self.sluice("compute", "ask", f"127.0.0.1:{port}", "20")
                self.assertIn("20!", asked.stdout)


class Check(Configuration):
    def check(self, text):
        self.file.write_text(text)
        done = self.sluice("config", "check", self.file)
        self.assertEqual(done.stderr, "")
        return done.returncode, done.stdout.replace(f"{self.file}:", "@")

    def test_all_is_well(self):
        status, said = self.check("max-clients = 5\n[serve.chat.team]\nlisten = 5100\n")
        self.assertEqual((status, said), (0, "@ no mistakes\n"))

    def test_the_example_of_the_page_is_one(self):
        page = pathlib.Path(os.environ["SLUICE_SOURCE"], "docs", "configuration.md")
        example = page.read_text(encoding="utf-8").split("```\n")[1]
        self.assertEqual(self.check(example), (0, "@ no mistakes\n"))

    def test_every_mistake_is_said(self):
        status, said = self.check(
            "quiet = perhaps\n[chat]\nraet = 5\nrate = abc\n[tolk]\nx = 1\n\nnonsense\n"
            "[serve.chat.team]\nlisten = nowhere\n[oops\nrate = 1\n[chat.sevre]\n"
            "[talk.serve]\nlisten = 1\nlisten = x\n"
        )
        self.assertEqual(status, 2)
        self.assertEqual(
            [line.split(";")[0] for line in said.splitlines()],
            [
                "@1: quiet: 'perhaps' is neither true nor false",
                "@3: there is no setting 'raet'",
                "@4: rate: 'abc' is no whole number from 0 to 1000000",
                "@5: there is no command 'tolk'",
                "@8: 'nonsense' is no setting",
                "@10: listen: 'nowhere' has no port",
                "@11: '[oops' opens a section and never closes it",
                "@13: there is no command 'chat sevre'",
                "@16: listen: 'x' has no port",
            ],
        )
        self.assertIn("did you mean rate?", said)
        self.assertIn("did you mean [chat.serve]?", said)
        self.assertIn("did you mean [talk]?", said)

    def test_a_suggestion_only_where_one_is_near(self):
        _, said = self.check("[chat]\nxyzzy = 1\n[abcdefghi]\n")
        self.assertNotIn("did you mean", said)

    def test_what_does_not_go_together_is_said(self):
        status, said = self.check("[chat]\nwindow = 5K\n")
        self.assertEqual(status, 2)
        self.assertIn("@ in chat serve: --window 5 KiB is too small", said)
        self.assertIn("@ in serve: --chat.window 5 KiB is too small", said)
        status, said = self.check("[serve.files.docs]\ndir = x\n")
        self.assertEqual(status, 2)
        self.assertIn("@ in serve: files.docs lacks --files.docs.http", said)

    def test_one_that_cannot_be_read_is_a_mistake_of_usage(self):
        done = self.sluice("config", "check", self.folder / "none")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("cannot read the configuration", done.stderr)

    def test_without_a_name_it_is_the_one_in_use(self):
        self.file.write_text("nonsense\n")
        done = self.sluice("config", "check", SLUICE_CONFIG=str(self.file))
        self.assertEqual(done.returncode, 2)
        self.assertIn(f"{self.file}:1: 'nonsense' is no setting", done.stdout)
        done = self.sluice("config", "check")
        self.assertEqual((done.returncode, done.stdout),
                         (0, "there is no configuration, so all is by default\n"))  # fmt: skip


class Show(Configuration):
    def commands(self):
        """The words of all commands that do something."""
        found, left = [], [()]
        while left:
            words = left.pop()
            page = self.sluice(*words, "--help").stdout
            below = re.search(r"^Commands:\n((?:  .*\n)+)", page, re.MULTILINE)
            if below:
                names = re.findall(r"^  (\S+)", below[1], re.MULTILINE)
                left += [(*words, name) for name in names]
            else:
                found.append((words, page))
        return found

    def test_every_flag_of_every_help_is_shown(self):
        found = self.commands()
        self.assertGreater(len(found), 20)
        for words, page in found:
            if words in (("help",), ("config", "check"), ("config", "show")):
                continue
            with self.subTest(words):
                shown = self.shown(*words)
                for line in re.findall(r"^  (-[^\s,]+(?:, -[^\s,]+)*)", page, re.MULTILINE):
                    names = [name[2:] for name in line.split(", ") if name.startswith("--")]
                    if names == ["help"]:
                        continue
                    self.assertTrue(set(names) & set(shown), f"{names} in {sorted(shown)}")

    def test_what_it_prints_is_a_configuration_that_says_the_same(self):
        for words in (
            ("serve", "--chat.rate", "5", "--files.host", "a.example", "--files.host", "b.example",
             "--chat.team.listen", "5100", "--compute.exec", "sh -c 'echo # ;'",
             "--files", " # a", "--max-clients", "7"),
            ("chat", "serve", "--burst", "3"),
            ("files", "serve", "--quota", "10G", "--idle-time", "1500ms", "--min-rate", "1000"),
            ("compute", "serve", "--work", "echo", "--deadline", "100"),
            ("talk", "serve", "--idle-time", "1h"),
        ):  # fmt: skip
            with self.subTest(words):
                done = self.sluice("config", "show", *words)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.file.write_text(done.stdout)
                command = tuple(word for word in words[:2] if not word.startswith("-"))
                self.assertEqual(self.sluice("config", "check", self.file).stdout,
                                 f"{self.file}: no mistakes\n")  # fmt: skip
                again = self.shown(*command, "--config", self.file)
                for name, (value, source) in self.shown(*words).items():
                    if name == "config":
                        continue
                    self.assertEqual(again[name][0], value, name)
                    if value is not None:
                        self.assertTrue(again[name][1].startswith(f"{self.file}:"), again[name])

    def test_each_value_has_its_source(self):
        self.file.write_text("[serve]\nmax-clients = 5\n")
        done = self.sluice("config", "show", "serve", "--chat.rate", "5", "--config", self.file,
                           SLUICE_HTTP="8081")  # fmt: skip
        for line in (
            r"chat\.rate = 5 +# --chat\.rate",
            rf"max-clients = 5 +# {self.file}:2",
            r"files\.http = 8081 +# SLUICE_HTTP",
            r"grace = 5s +# default",
            r"# files\.quota = +# default: no limit",
            rf"# config = {self.file} +# --config",
        ):
            self.assertRegex(done.stdout, f"(?m)^{line}$")

    def test_a_mistake_is_said_as_by_the_command(self):
        done = self.sluice("config", "show", "serve", "--chat.rate", "much")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("--chat.rate: 'much' is no whole number", done.stderr)
        self.assertIn("(more: sluice help serve)", done.stderr)
        done = self.sluice("config", "show", "chat")
        self.assertIn("say what to do: serve or join", done.stderr)

    def test_without_a_command_it_shows_serve(self):
        self.assertTrue(self.sluice("config", "show").stdout.startswith("[serve]\n"))
        self.assertIn("chat.rate", self.shown())
        # The flag may come last.
        self.assertIsInstance(json.loads(self.sluice("config", "show", "serve", "--json").stdout), list)


if __name__ == "__main__":
    unittest.main()
