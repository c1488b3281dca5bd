"""sluice passwd and sluice token: the accounts of a server, and tokens that stand for them."""

import base64
import fcntl
import hashlib
import hmac
import os
import pathlib
import pty
import select
import signal
import stat
import subprocess
import tempfile
import termios
import time
import unittest

from talk_rig import ENVIRONMENT, SLUICE, TIMEOUT, Program, given


def unpadded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Accounts(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.file = self.folder / "users"

    def passwd(self, name, *flags, password="secret\n"):
        """Status and stderr; stdout stays empty."""
        words = (SLUICE, "passwd", self.file, name, *flags)
        with given(password) as stdin, Program(*words, stdin=stdin) as program:
            status, out, said = program.end()
        self.assertEqual(out, "")
        return status, said

    def token(self, *words):
        with Program(SLUICE, "token", *words, "--auth", self.file) as program:
            return program.end()

    def make(self, name, *flags, password="secret\n"):
        status, said = self.passwd(name, *flags, password=password)
        self.assertEqual(status, 0, said)

    def words(self, name):
        """The words of an account's line."""
        for line in self.file.read_text().splitlines():
            if line.split()[:1] == [name]:
                return line.split()
        return None

    def assertPassword(self, name, password):
        kind, ln, r, p, salt, key = self.words(name)[1].split(":")
        self.assertEqual(kind, "scrypt")
        made = hashlib.scrypt(
            password.encode(),
            salt=unpadded(salt),
            n=1 << int(ln),
            r=int(r),
            p=int(p),
            dklen=32,
            maxmem=1 << 27,
        )
        self.assertEqual(made, unpadded(key))


class Passwd(Accounts):
    def test_a_new_account(self):
        status, said = self.passwd("alice")
        self.assertEqual(
            (status, said),
            (0, f"alice is new in {self.file}, with the rights read,overwrite\n"),
        )
        self.assertEqual(stat.S_IMODE(self.file.stat().st_mode), 0o600)
        self.assertPassword("alice", "secret")
        name, hashed, token, rights = self.words("alice")
        self.assertRegex(hashed, r"^scrypt:15:8:1:")
        self.assertRegex(token, r"^token:[\w-]{43}$")
        self.assertEqual(rights, "read,overwrite")
        self.assertEqual(os.listdir(self.folder), ["users"])

    def test_the_first_line_is_the_password(self):
        self.make("alice", password="correct horse\nbattery\n")
        self.assertPassword("alice", "correct horse")
        self.make("alice", password="gr\u00fc\u00dfe")  # and needs no end
        self.assertPassword("alice", "gr\u00fc\u00dfe")

    def test_all_else_stays(self):
        self.make("alice")
        self.make("bob", "--allow", "chat")
        lines = self.file.read_text().splitlines()
        self.file.write_text(f"# ours\n\n{lines[0]}\n  # bob\n{lines[1]}\n")
        status, said = self.passwd("alice", "--allow", "read,upload:/inbox", password="new\n")
        self.assertEqual(
            (status, said),
            (0, f"alice is changed in {self.file}, with the rights read,upload:/inbox\n"),
        )
        after = self.file.read_text().splitlines()
        self.assertEqual(after[:2] + after[3:], ["# ours", "", "  # bob", lines[1]])
        self.assertPassword("alice", "new")
        self.assertEqual(self.words("alice")[2:], [lines[0].split()[2], "read,upload:/inbox"])

    def test_what_is_not_asked_for_is_kept(self):
        self.make("alice", "--allow", "read", "--allow", "ask")
        before = self.words("alice")
        self.make("alice", "--keep-password", "--allow", "read", password="")
        self.assertEqual(self.words("alice"), [*before[:3], "read"])
        self.make("alice", "--keep-password", "--new-tokens", password="")
        after = self.words("alice")
        self.assertEqual(after[:2], before[:2])
        self.assertNotEqual(after[2], before[2])
        self.assertEqual(after[3], "read")
        self.make("alice", "--no-password", password="")
        self.assertEqual(self.words("alice"), ["alice", "-", *after[2:]])

    def test_clients_without_a_name(self):
        self.make("*", password="")
        self.assertEqual(self.file.read_text(), "* - - read\n")
        self.make("*", "--allow", "read:/public", password="")
        self.assertEqual(self.file.read_text(), "* - - read:/public\n")

    def test_removal(self):
        self.make("alice")
        self.make("bob")
        status, said = self.passwd("alice", "--remove", password="")
        self.assertEqual((status, said), (0, f"alice is removed from {self.file}\n"))
        self.assertIsNone(self.words("alice"))
        self.assertIsNotNone(self.words("bob"))
        for flag in ("--remove", "--keep-password"):
            status, said = self.passwd("alice", flag, password="")
            self.assertEqual(
                (status, said), (1, f"sluice: {self.file} has no account alice\n")
            )

    def test_bad_passwords_change_nothing(self):
        self.make("alice")
        before = self.file.read_bytes()
        for password, why in (
            ("", "the password is empty"),
            ("\n", "the password is empty"),
            ("\nsecret\n", "the password is empty"),
            ("a\tb\n", "control character"),
            ("secret\r\n", "control character"),
            ("x" * 1025 + "\n", "longer than 1024 bytes"),
        ):
            with self.subTest(password[:10]):
                status, said = self.passwd("alice", password=password)
                self.assertEqual(status, 1)
                self.assertRegex(said, rf"^sluice: .*{why}")
        self.assertEqual(self.file.read_bytes(), before)
        self.make("alice", password="x" * 1024 + "\n")
        self.assertPassword("alice", "x" * 1024)

    def test_a_file_that_is_no_good_is_left_alone(self):
        self.make("alice")
        good = self.file.read_bytes()
        self.file.chmod(0o644)
        status, said = self.passwd("alice")
        self.assertEqual(status, 1)
        self.assertIn(f"run: chmod 600 {self.file}", said)
        self.file.chmod(0o600)
        self.file.write_bytes(good + b"bob secret\n")
        status, said = self.passwd("alice")
        self.assertEqual(status, 1)
        self.assertIn(f"{self.file}:2: the line has 2 words; four are expected", said)
        self.file.write_bytes(good.replace(b"read,", b"raed,"))
        status, said = self.passwd("alice")
        self.assertEqual(status, 1)
        self.assertIn(f"{self.file}:1: the rights of alice: 'raed' is no right", said)

    def test_a_folder_that_is_missing(self):
        self.file = self.folder / "none" / "users"
        status, said = self.passwd("alice")
        self.assertEqual(status, 1)
        self.assertEqual(said, f"sluice: cannot write {self.file}: no such file or directory\n")

    def test_a_link_stays_one(self):
        self.make("alice")
        link, self.file = self.file, self.folder / "real"
        link.rename(self.file)
        link.symlink_to(self.file)
        self.file = link
        self.make("bob")
        self.assertTrue(link.is_symlink())
        self.assertIsNotNone(self.words("bob"))
        self.assertEqual(sorted(os.listdir(self.folder)), ["real", "users"])

    def test_commands_at_once_lose_nothing(self):
        names = [f"user{i}" for i in range(6)]
        programs = [Program(SLUICE, "passwd", self.file, name) for name in names]
        for program in programs:
            program.type("secret\n")
        for program in programs:
            with program:
                self.assertEqual(program.end()[0], 0)
        for name in names:
            self.assertIsNotNone(self.words(name), name)

    def test_mistakes_on_the_command_line(self):
        for words, why in (
            (["al ice"], "'al ice' is no name of an account"),
            (["x" * 65], "is no name of an account"),
            (["alice", "--allow", "fly"], "'fly' is no right; write read, upload"),
            (["alice", "--allow", "upload:/../x"], "is no right"),
            (["alice", "--remove", "--allow", "read"], "leave the other flags out"),
            (["alice", "--no-password", "--keep-password"], "exclude each other"),
            (["*", "--new-tokens"], "neither password nor tokens"),
            ([], "NAME"),
        ):
            with self.subTest(words):
                with Program(SLUICE, "passwd", self.file, *words) as program:
                    status, out, said = program.end()
                self.assertEqual((status, out), (2, ""))
                self.assertIn(why, said)
                self.assertEqual(said.count("\n"), 1)
        self.assertFalse(self.file.exists())

    def test_help_fits_80_columns(self):
        for command in ("passwd", "token"):
            done = subprocess.run(
                [SLUICE, "help", command], capture_output=True, timeout=TIMEOUT, env=ENVIRONMENT
            )
            self.assertEqual(done.returncode, 0)
            for line in done.stdout.decode().splitlines():
                self.assertLessEqual(len(line), 80, line)


class Terminal:
    """`sluice passwd` on a pseudo-terminal."""

    def __init__(self, *command):
        self.master, self.slave = pty.openpty()
        self.text = ""
        self.process = subprocess.Popen(
            [str(word) for word in command],
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env=ENVIRONMENT,
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
        )

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)

    def echoes(self):
        return bool(termios.tcgetattr(self.slave)[3] & termios.ECHO)

    def type(self, text):
        os.write(self.master, text.encode())

    def read_until(self, text):
        while text not in self.text:
            if not select.select([self.master], [], [], TIMEOUT)[0]:
                raise AssertionError(f"no {text!r} in {TIMEOUT} s in {self.text!r}")
            self.text += os.read(self.master, 4096).decode()


class OnATerminal(Accounts):
    def begin(self):
        terminal = Terminal(SLUICE, "passwd", self.file, "alice")
        terminal.read_until("New password of alice: ")
        self.assertFalse(terminal.echoes())
        return terminal

    def test_it_is_asked_for_twice_and_not_shown(self):
        with self.begin() as terminal:
            terminal.type("secret\n")
            terminal.read_until("The same once more: ")
            terminal.type("secret\n")
            terminal.read_until("alice is new")
            self.assertEqual(terminal.process.wait(TIMEOUT), 0)
            self.assertTrue(terminal.echoes())
            self.assertNotIn("secret", terminal.text)
        self.assertPassword("alice", "secret")

    def test_two_that_differ_change_nothing(self):
        with self.begin() as terminal:
            terminal.type("secret\n")
            terminal.read_until("The same once more: ")
            terminal.type("Secret\n")
            terminal.read_until("the two passwords differ; nothing was changed")
            self.assertEqual(terminal.process.wait(TIMEOUT), 1)
            self.assertTrue(terminal.echoes())
        self.assertFalse(self.file.exists())

    def test_an_empty_one_is_refused(self):
        for typed in ("\n", "\x04"):  # Ctrl-D
            with self.subTest(typed), self.begin() as terminal:
                terminal.type(typed)
                terminal.read_until("the password is empty")
                self.assertEqual(terminal.process.wait(TIMEOUT), 1)
        self.assertFalse(self.file.exists())

    def test_signals_restore_the_echo(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            with self.subTest(number), self.begin() as terminal:
                terminal.process.send_signal(number)
                self.assertEqual(terminal.process.wait(TIMEOUT), -number)
                self.assertTrue(terminal.echoes())
        with self.begin() as terminal:
            terminal.type("\x03")  # Ctrl-C
            self.assertEqual(terminal.process.wait(TIMEOUT), -signal.SIGINT)
            self.assertTrue(terminal.echoes())
        self.assertFalse(self.file.exists())

    def test_ctrl_z_does_nothing(self):
        with self.begin() as terminal:
            terminal.type("\x1asecret\n")
            terminal.read_until("The same once more: ")
            terminal.type("secret\n")
            self.assertEqual(terminal.process.wait(TIMEOUT), 0)


class Token(Accounts):
    def claims(self, text):
        """The words of a token's claims; its signature is checked with the account's key."""
        head, _, signature = text.rpartition(".")
        version, _, payload = head.partition(".")
        self.assertEqual(version, "sluice1")
        words = unpadded(payload).decode().split(" ")
        key = unpadded(self.words(words[0])[2].removeprefix("token:"))
        self.assertEqual(
            hmac.new(key, head.encode(), "sha256").digest(), unpadded(signature)
        )
        return words

    def good(self, *words):
        status, out, said = self.token(*words)
        self.assertEqual((status, said), (0, ""))
        self.assertRegex(out, r"\A[\w.-]+\n\Z")
        return self.claims(out.rstrip("\n"))

    def test_it_stands_for_the_account(self):
        self.make("alice", "--allow", "read,upload:/inbox", "--no-password", password="")
        before = int(time.time())
        name, expires, rights, number = self.good("alice")
        self.assertEqual((name, rights), ("alice", "read,upload:/inbox"))
        self.assertLessEqual(before + 7 * 86400, int(expires))
        self.assertLessEqual(int(expires), time.time() + 7 * 86400)
        self.assertRegex(number, r"^[0-9a-f]{16}$")
        self.assertNotEqual(self.good("alice")[3], number)

    def test_it_may_have_fewer_rights_and_another_end(self):
        self.make("alice", "--allow", "read,overwrite,chat", "--no-password", password="")
        for time_given, seconds in (("90s", 90), ("30d", 30 * 86400), ("3653d", 3653 * 86400)):
            before = int(time.time())
            words = self.good("alice", "--allow", "read:/a,upload", "--expires", time_given)
            self.assertEqual(words[2], "read:/a,upload")
            self.assertLessEqual(before + seconds, int(words[1]))
            self.assertLessEqual(int(words[1]), time.time() + seconds)

    def test_what_is_refused(self):
        self.make("alice", "--allow", "read,upload:/inbox", "--no-password", password="")
        for words, status, why in (
            (["bob"], 1, f"{self.file} has no account bob"),
            (["*"], 2, "is no name of an account"),
            (["alice", "--allow", "overwrite:/inbox"], 1, "alice has no right to overwrite:/inbox"),
            (["alice", "--allow", "read,upload"], 1, "it has read,upload:/inbox"),
            (["alice", "--allow", "fly"], 2, "'fly' is no right"),
            (["alice", "--expires", "3654d"], 2, "'3654d' is more than 10 years"),
            (["alice", "--expires", "500ms"], 2, "'500ms' is less than a second"),
            (["alice", "--expires", "soon"], 2, "'soon' is no duration; write 5s"),
        ):
            with self.subTest(words):
                done, out, said = self.token(*words)
                self.assertEqual((done, out), (status, ""))
                self.assertIn(why, said)
        self.file.chmod(0o604)
        done, out, said = self.token("alice")
        self.assertEqual((done, out), (1, ""))
        self.assertIn("chmod 600", said)

    def test_one_that_would_be_too_long(self):
        many = ",".join(f"upload:/{i:0100}" for i in range(30))
        self.make("alice", "--allow", many, "--no-password", password="")
        done, out, said = self.token("alice")
        self.assertEqual((done, out), (1, ""))
        self.assertIn("longer than 4096 bytes", said)
        self.good("alice", "--allow", "upload:/" + "0" * 99 + "7")


if __name__ == "__main__":
    unittest.main()
