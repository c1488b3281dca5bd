"""The library and the program say the field's words: some that they once used do not return."""

import os
import pathlib
import re
import unittest

SOURCE = pathlib.Path(os.environ["SLUICE_SOURCE"])

# What may not stand in code and comments, as a word or a part of an identifier, and what to write
# instead. One that ends in `_` is the beginning of an identifier.
WORDS = {
    "guest": "session, or client",
    "entrance": "listener, or endpoint",
    "reception": "acceptor",
    "knock": "wait until ready",
    "resident": "state or task per shard",
    "lives_here": "tasks per shard",
    "patience": "drain context, or timeout",
    "everything_": "root context",
    "stop_cord": "stop_relay",
    "see_all_off": "wait_for_clients",
    "bury": "on_child_exit",
    "let_go": "release",
    "letter": "message",
    "bell": "wakeup fd",
    "see_senders_off": "wait_for_senders",
    "trouble": "error, or event",
    "complaints": "event log, or errors",
    "starve": "wait for a buffer",
    "desk": "terminal UI",
    "remarks": "status callbacks, or records",
    "asker": "load client",
    "tally": "counters",
    "effort": "job, or run length",
    "labour": "run, or work",
    "keeper": "process pool, supervisor, or timer",
    "quiet_thread": "low_priority_thread",
    "side_job": "background_job",
    "late_pool": "lazy_pool",
    "digest_crew": "digest_pool",
    "only_lab": "single_instance_lock",
    "lock_soon": "lock_with_timeout",
    "touched_memory": "prefaulted_memory",
    "kept_off": "run_queue_wait",
    "robbed": "steal time",
    "see_out": "flush_and_close",
    "see_off": "lingering close",
    "fall_silent": "stop_sending",
    "errand": "background task",
    "verdict": "completion action, comparison outcome, result",
    "complain": "report an error",
    "nobody": "no client, no thread, none: say which",
    "somebody": "a client, a peer, a caller: say which",
    "whoever": "a client, a peer, a caller that: say which",
}
# Files and folders below sluice/ in which a word means what the dictionary says.
MEANT = {
    "letter": ("http/", "wire/", "term/", "chat/server/names."),  # of an alphabet
    "bell": ("term/",),  # the character BEL
}
MEANT_IDENTIFIERS = re.compile(r"\b(is_letter_or_digit|same_letters)\b")

COMMENT_OR_LITERAL = re.compile(
    r"//[^\n]*|/\*.*?\*/"
    r'|R"(?P<mark>[^\s(]*)\(.*?\)(?P=mark)"'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<!\w)'(?:\\.|[^'\\\n])+'",
    re.DOTALL,
)


def pattern(word):
    """Finds a word between characters that are no letters of one, and its simple inflections."""
    ending = "" if word.endswith("_") else r"(s|d|ed)?(?![a-z])"
    return re.compile(rf"(?<![a-z]){word}{ending}", re.IGNORECASE)


PATTERNS = {word: pattern(word) for word in WORDS}


def without_literals(text):
    """A source without its string and character literals; its lines keep their numbers."""

    def replacement(found):
        if found[0].startswith("/"):
            return found[0]
        return '""' + "\n" * found[0].count("\n")

    return COMMENT_OR_LITERAL.sub(replacement, text)


def faults(path, text):
    """The words of one file that are to be replaced; `path` is given below sluice/."""
    lines = [path, *without_literals(text).splitlines()]
    for number, line in enumerate(lines):
        line = MEANT_IDENTIFIERS.sub("", line)
        for word, instead in WORDS.items():
            if path.startswith(MEANT.get(word, ())):
                continue
            if found := PATTERNS[word].search(line):
                yield f"sluice/{path}:{number}: '{found[0]}': write {instead}"


class Words(unittest.TestCase):
    def test_none_returns(self):
        root = SOURCE / "sluice"
        files = [
            path
            for path in sorted(root.glob("**/*"))
            if path.suffix in (".hpp", ".cpp", ".c", ".h")
        ]
        self.assertGreater(len(files), 5, "hardly any source; are we looking in the right place?")
        wrong = [
            fault
            for path in files
            for fault in faults(
                path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")
            )
        ]
        if wrong:
            self.fail("\n" + "\n".join(wrong))

    def test_each_is_seen(self):
        for word, instead in WORDS.items():
            for line in (f"// The {word} waits.", f"int {word};", f"/* a\n * {word.upper()} */"):
                with self.subTest(line=line):
                    found = list(faults("net/a.cpp", "int x;\n" + line + "\n"))
                    self.assertEqual(len(found), 1, found)
                    number = 2 + line.count("\n")
                    self.assertTrue(found[0].startswith(f"sluice/net/a.cpp:{number}: "), found)
                    self.assertTrue(found[0].endswith(f": write {instead}"), found)
        for line in (
            "void serve_guest();",
            "guest_list all;",
            "class a_guest {};",
            "// All guests of a server.",
            "bool starved = false;",
            "everything_else();",
            'log("fine"); // to nobody',
            "call('\"', somebody);",
            'R"(a " in it)" + whoever;',
        ):
            with self.subTest(line=line):
                self.assertEqual(len(list(faults("net/a.cpp", line))), 1)
        self.assertEqual(len(list(faults("net/guest.cpp", "int x;\n"))), 1, "a file's name")

    def test_other_words_are_not(self):
        for line in (
            'throw error{"a guest is refused"};',
            'say(R"x(nobody )" \n somebody)x");',
            'out += "\\"nobody\\"";',
            "if (is_letter_or_digit(c)) return;",
            "if (same_letters(a, b)) return;",
            "// Of freedesktop.org, incrementally, by a label that covers everything.",
            "const auto size = 1'000'000;",
        ):
            with self.subTest(line=line):
                self.assertEqual(list(faults("net/a.cpp", line)), [])
        self.assertEqual(list(faults("http/a.cpp", "// A letter or a digit.")), [])
        self.assertEqual(list(faults("term/a.cpp", "// BEL is a bell; a letter is not.")), [])
        self.assertEqual(len(list(faults("http/a.cpp", "// The bell of a guest."))), 2)
