"""Runs `sluice chat join` on pipes and on a pseudo-terminal whose screen can be read."""

import codecs
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
import unicodedata

from talk_rig import ENVIRONMENT, SLUICE, TIMEOUT, Program


class Member(Program):
    """`sluice chat join`, with pipes."""

    def __init__(self, engine, port, *flags, **options):
        super().__init__(SLUICE, "chat", "join", port, "--engine", engine, *flags, **options)

    def __exit__(self, *problem):
        super().__exit__(*problem)
        if problem[0]:
            print(f"stderr of the member (status {self.process.returncode}): {self.err.rest()!r}")


class Screen:
    """What a terminal shows that is given bytes: rows of text, scrolled ones included."""

    def __init__(self, columns, rows):
        self.columns, self.height = columns, rows
        self.rows = [[]]
        self.row = self.column = 0
        self.decoder = codecs.getincrementaldecoder("utf-8")()
        self.rest = ""

    def write(self, data):
        text = self.rest + self.decoder.decode(data)
        at = 0
        while at < len(text):
            found = re.compile(r"\x1b\[([?\d;]*)([@-~])|[^\x1b]").match(text, at)
            if not found:
                break  # a sequence that has not come to its end
            if found[2]:
                self.obey(found[1], found[2])
            else:
                self.put(found[0])
            at = found.end()
        self.rest = text[at:]

    def put(self, character):
        if character == "\r":
            self.column = 0
        elif character == "\n":
            self.feed()
        elif self.joins(character):
            self.join(character)
        else:
            width = 2 if unicodedata.east_asian_width(character) in "WF" else 1
            if self.column + width > self.columns:
                self.column = 0
                self.feed()
            row = self.rows[self.row]
            row.extend(" " * (self.column + width - len(row)))
            row[self.column : self.column + width] = [character] + [""] * (width - 1)
            self.column += width

    def last(self):
        """What stands before the cursor."""
        return "".join(self.rows[self.row][max(self.column - 2, 0) : self.column])[-8:]

    def joins(self, character):
        """Whether it goes to the character before, as in terminals that know grapheme clusters."""
        if unicodedata.combining(character) or character in "\u200d\ufe0f\u20e3":
            return True
        last = self.last()
        flags = [c for c in last if "\U0001f1e6" <= c <= "\U0001f1ff"]
        if "\U0001f1e6" <= character <= "\U0001f1ff":
            return len(flags) == 1 and last.endswith(flags[0])
        return "\U0001f3fb" <= character <= "\U0001f3ff" or last.endswith("\u200d")

    def join(self, character):
        row = self.rows[self.row]
        at = self.column - 1
        while at > 0 and row[at] == "":
            at -= 1
        row[at] += character
        narrow = at == self.column - 1
        if narrow and (character == "\ufe0f" or "\U0001f1e6" <= character <= "\U0001f1ff"):
            row[self.column : self.column + 1] = [""]
            self.column += 1

    def feed(self):
        self.row += 1
        if self.row == len(self.rows):
            self.rows.append([])

    def obey(self, parameter, letter):
        count = int(parameter) if parameter.isdigit() else 1
        if letter == "A":
            self.row = max(self.row - count, len(self.rows) - self.height, 0)
        elif letter == "B":
            self.row = min(self.row + count, len(self.rows) - 1)
        elif letter == "C":
            self.column = min(self.column + count, self.columns - 1)
        elif letter == "J":
            if parameter == "2":
                self.rows = [[] for _ in self.rows]
            else:
                del self.rows[self.row][self.column :]
                del self.rows[self.row + 1 :]
        elif letter == "H":
            self.row, self.column = max(len(self.rows) - self.height, 0), 0

    def text(self):
        return "\n".join("".join(row).rstrip() for row in self.rows)


class Typist:
    """A person at a terminal of `columns` by `rows`, in front of `sluice chat join`."""

    def __init__(self, engine, port, *flags, columns=60, rows=12, environment=(), stderr="terminal"):
        self.master, self.slave = pty.openpty()
        self.set_size(columns, rows)
        self.screen = Screen(columns, rows)
        self.raw = b""
        self.before = termios.tcgetattr(self.slave)
        self.process = subprocess.Popen(
            [SLUICE, "chat", "join", str(port), "--engine", engine, *flags],
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave if stderr == "terminal" else stderr,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env=ENVIRONMENT | {"TERM": "xterm", "NO_COLOR": "1"} | dict(environment),
        )

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)
        if self.process.stderr:
            self.process.stderr.close()

    def set_size(self, columns, rows):
        """Tells the program, too, if it runs (SIGWINCH)."""
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.master, text.encode())

    def pump(self, timeout):
        """Shows what comes next; false if nothing does."""
        if not select.select([self.master], [], [], timeout)[0]:
            return False
        data = os.read(self.master, 65536)
        self.raw += data
        self.screen.write(data)
        return True

    def see(self, wanted):
        """Waits until the screen shows exactly this; a string that may be anywhere, or a list of
        the last rows."""
        deadline = time.monotonic() + TIMEOUT
        while not self.shows(wanted):
            if not self.pump(max(0, deadline - time.monotonic())):
                raise AssertionError(f"no {wanted!r} in {TIMEOUT} s on\n{self.screen.text()}")

    def shows(self, wanted):
        if isinstance(wanted, str):
            return wanted in self.screen.text()
        return self.screen.text().split("\n")[-len(wanted) :] == wanted

    def see_raw(self, wanted):
        while wanted not in self.raw:
            if not self.pump(TIMEOUT):
                raise AssertionError(f"no {wanted!r} in {self.raw!r}")

    def end(self):
        """Waits for the end: the status."""
        status = self.process.wait(TIMEOUT)
        while self.pump(0):
            pass
        return status

    def modes(self):
        return termios.tcgetattr(self.slave)
