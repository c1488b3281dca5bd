"""What packages hold beside the program: the example configuration, install.sh, versions."""

import os
import pathlib
import re
import signal
import subprocess
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ["SLUICE_SOURCE"])
SLUICE = os.environ["SLUICE"]
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("SLUICE")}
SETTING = re.compile(r"^#?([a-z-]+) = (.+)$", re.MULTILINE)


def run(*command, **options):
    return subprocess.run(
        [str(word) for word in command],
        **{"env": ENVIRONMENT, "capture_output": True, "text": True, "timeout": 60} | options,
        check=False,
    )


class Versions(unittest.TestCase):
    def test_debian_has_the_version_of_the_project(self):
        cmake = (SOURCE / "CMakeLists.txt").read_text(encoding="utf-8")
        project = re.search(r"^project\(sluice VERSION (\S+)", cmake, re.MULTILINE)[1]
        debian = (SOURCE / "debian" / "changelog").read_text(encoding="utf-8")
        self.assertEqual(re.match(r"sluice \((.+)-\d+\) ", debian)[1], project)

    def test_a_wrong_word_is_a_usage_error(self):
        for script in ("script/package", "packaging/try-in-fresh-root"):
            done = run(SOURCE / script, "everything")
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertTrue(done.stderr.startswith(f"usage: {script} "), done.stderr)


class Configuration(unittest.TestCase):
    def setUp(self):
        self.text = (SOURCE / "packaging" / "sluice.conf").read_text(encoding="utf-8")

    def test_every_setting_is_a_flag(self):
        flags = set(re.findall(r"--([a-z-]+)", run(SLUICE, "serve", "--help").stdout))
        settings = SETTING.findall(self.text)
        self.assertGreater(len(settings), 20)
        for key, _ in settings:
            self.assertIn(key, flags)
        self.assertEqual(len(settings), len({key for key, _ in settings}), "one is there twice")

    def test_a_server_takes_it(self):
        with tempfile.TemporaryDirectory() as folder:
            kept = pathlib.Path(folder, "kept")
            file = pathlib.Path(folder, "sluice.conf")
            self.assertIn("\nfiles = /var/lib/sluice/files\n", self.text)
            file.write_text(self.text.replace("/var/lib/sluice/files", str(kept)))
            doors = {f"SLUICE_{name}": "0" for name in ("HTTP", "RAW", "CHAT", "COMPUTE")}
            with subprocess.Popen(
                [SLUICE, "serve", "--config", file],
                env=ENVIRONMENT | doors, stderr=subprocess.PIPE, text=True,
            ) as server:
                said = []
                for line in server.stderr:
                    said.append(line)
                    if line.startswith("files over HTTP on "):
                        break
                server.send_signal(signal.SIGTERM)
                said += server.stderr
            self.assertEqual(server.returncode, 0, "".join(said))
            self.assertTrue(kept.is_dir())


class Tar(unittest.TestCase):
    """install.sh, beside a program that does nothing, on machines that are made up."""

    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.prefix = self.folder / "prefix"
        self.tools = self.folder / "tools"
        text = (SOURCE / "packaging" / "install.sh").read_text(encoding="utf-8")
        text = text.replace("@MACHINE@", "x86_64").replace("@GLIBC@", "2.34")
        self.write("tar/install.sh", text)
        self.write("tar/bin/sluice", "#!/bin/sh\n")
        self.write("tar/share/man/man1/sluice.1", "a page\n")
        self.write("tar/share/doc/sluice/examples/sluice.conf", "[serve]\n")
        self.write("tools/uname", "#!/bin/sh\n[ $1 = -s ] && echo Linux || echo x86_64\n")
        self.write("tools/getconf", "#!/bin/sh\necho glibc 2.36\n")

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def install(self, *words):
        path = f"{self.tools}:{os.environ['PATH']}"
        return run(
            "sh", self.folder / "tar" / "install.sh", *words, env={**ENVIRONMENT, "PATH": path}
        )

    def installed(self):
        return {
            str(path.relative_to(self.prefix))
            for path in self.prefix.glob("**/*")
            if path.is_file()
        }

    def test_it_installs_and_removes(self):
        (self.prefix / "share" / "man").mkdir(parents=True)
        for _ in range(2):
            done = self.install("--prefix", self.prefix)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertLessEqual({"bin/sluice", "share/man/man1/sluice.1"}, self.installed())
        self.write("prefix/bin/other", "not ours\n")
        done = self.install("--remove", "--prefix", self.prefix)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        left = {str(path.relative_to(self.prefix)) for path in self.prefix.glob("**/*")}
        self.assertEqual(left, {"bin", "bin/other", "share", "share/man"})

    def test_it_says_what_is_missing(self):
        for tool, text, said in (
            ("uname", "[ $1 = -s ] && echo FreeBSD || echo x86_64", "this is FreeBSD"),
            ("uname", "[ $1 = -s ] && echo Linux || echo aarch64", "this machine is aarch64"),
            ("getconf", "exit 1", "there is no glibc"),
            ("getconf", "echo glibc 2.31", "glibc is 2.31, and it needs 2.34"),
            ("getconf", "echo glibc 2.4", "glibc is 2.4, and it needs 2.34"),
        ):
            with self.subTest(said):
                kept = (self.tools / tool).read_text()
                self.write(f"tools/{tool}", f"#!/bin/sh\n{text}\n")
                for words in (["--check"], ["--prefix", self.prefix]):
                    done = self.install(*words)
                    self.assertEqual((done.returncode, done.stdout), (1, ""))
                    self.assertTrue(
                        done.stderr.startswith(f"install.sh: sluice cannot run here: {said}"),
                        done.stderr,
                    )
                self.assertFalse(self.prefix.exists())
                self.write(f"tools/{tool}", kept)
        self.assertEqual(self.install("--check").returncode, 0)

    def test_a_program_that_does_not_start_is_not_installed(self):
        self.write("tar/bin/sluice", "#!/bin/sh\nexit 1\n")
        self.assertEqual(self.install("--prefix", self.prefix).returncode, 1)
        self.assertFalse(self.prefix.exists())


if __name__ == "__main__":
    unittest.main()
