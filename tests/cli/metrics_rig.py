"""A server with --metrics, scrapes of it, and a strict reader of Prometheus's text format."""

import http.client
import math
import os
import pathlib
import re
import subprocess

from talk_rig import SLUICE, TIMEOUT, Program, engines, loops

SOURCE = pathlib.Path(os.environ["SLUICE_SOURCE"])
LOOPS = [("--engine", engine) for engine in loops()]
ALL = [("--model", name) for name in ("sync", "fork", "thread", "pool")] + LOOPS

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"')
VALUE = re.compile(r"[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)|NaN")


class Server(Program):
    """A server with --metrics; `door` is a connection's port, `metrics` that of the metrics."""

    def __init__(self, *words, metrics="127.0.0.1:0", **options):
        super().__init__(
            SLUICE, *words, "--metrics", metrics, stdin=subprocess.DEVNULL, **options
        )
        self.ports = []
        while True:
            line = self.err.next()
            if found := re.match(r"listening on [\d.]+:(\d+) ", line):
                self.ports.append(int(found[1]))
            if found := re.match(r"metrics on [\d.]+:(\d+)$", line):
                self.metrics = int(found[1])
                break

    def ask(self, path="/metrics", method="GET", **fields):
        """The status, the fields and the body of an answer of the metrics."""
        connection = http.client.HTTPConnection("127.0.0.1", self.metrics, timeout=TIMEOUT)
        try:
            connection.request(
                method, path, headers={name.replace("_", "-"): fields[name] for name in fields}
            )
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()
        finally:
            connection.close()

    def scrape(self):
        status, _, text = self.ask()
        if status != 200:
            raise AssertionError(f"{status}: {text}")
        return Scrape(text)


class Malformed(Exception):
    """A line that is not as the format has it."""


class Scrape:
    """Prometheus's text format 0.0.4, read strictly."""

    def __init__(self, text):
        self.text = text
        self.types = {}
        self.helps = {}
        self.samples = {}  # (name, labels) -> value
        self.closed = set()
        self.family = None
        if not text.endswith("\n"):
            raise Malformed("the last line has no end")
        for line in text[:-1].split("\n"):
            self.read(line)
        for family, kind in self.types.items():
            if kind == "histogram":
                self.check_histogram(family)

    def read(self, line):
        if line.startswith("# HELP "):
            _, _, name, help = line.split(" ", 3)
            if name in self.helps or name in self.closed:
                raise Malformed(f"a second help: {line}")
            if re.search(r"\\(?![\\n])", help) or not help.strip():
                raise Malformed(f"a help that is not escaped, or empty: {line}")
            self.helps[name] = help
            return
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            if name in self.types or name not in self.helps or not NAME.fullmatch(name):
                raise Malformed(f"a type twice, without a help, or of no name: {line}")
            if kind not in ("counter", "gauge", "histogram"):
                raise Malformed(f"no type: {line}")
            if (kind == "counter") != name.endswith("_total"):
                raise Malformed(f"counters and they alone end in _total: {line}")
            self.closed.add(self.family)
            self.types[name] = kind
            self.family = name
            return
        found = re.fullmatch(r"([^{ ]+)(?:\{(.*)\})? ([^ ]+)", line)
        if not found or not NAME.fullmatch(found[1]) or not VALUE.fullmatch(found[3]):
            raise Malformed(line)
        name, labels = found[1], self.labels_of(found[2], line)
        family = name
        if self.types.get(self.family) == "histogram":
            family = re.sub(r"_(bucket|sum|count)$", "", name)
        if family != self.family or family in self.closed:
            raise Malformed(f"a sample that is not behind its type: {line}")
        key = (name, labels)
        if key in self.samples:
            raise Malformed(f"twice: {line}")
        self.samples[key] = float(found[3])

    @staticmethod
    def labels_of(text, line):
        if text is None:
            return ()
        labels, at = [], 0
        while at < len(text):
            found = LABEL.match(text, at)
            if not found:
                raise Malformed(f"labels: {line}")
            labels.append((found[1], found[2]))
            at = found.end()
            if at < len(text):
                if text[at] != ",":
                    raise Malformed(f"labels: {line}")
                at += 1
        if not labels or len({name for name, _ in labels}) != len(labels):
            raise Malformed(f"labels: {line}")
        return tuple(sorted(labels))

    def check_histogram(self, family):
        buckets = {}
        for (name, labels), value in self.samples.items():
            if name == f"{family}_bucket":
                rest = tuple(each for each in labels if each[0] != "le")
                bound = float(dict(labels)["le"])
                buckets.setdefault(rest, []).append((bound, value))
        if not buckets:
            raise Malformed(f"a histogram without buckets: {family}")
        for rest, counts in buckets.items():
            if counts != sorted(counts) or [v for _, v in counts] != sorted(v for _, v in counts):
                raise Malformed(f"not cumulative: {family}{rest}")
            if counts[-1][0] != math.inf:
                raise Malformed(f"no +Inf: {family}{rest}")
            if self.samples[f"{family}_count", rest] != counts[-1][1]:
                raise Malformed(f"the count is not that of +Inf: {family}{rest}")
            if (f"{family}_sum", rest) not in self.samples:
                raise Malformed(f"no sum: {family}{rest}")

    def __getitem__(self, name):
        """The sum of the samples of that name."""
        return self.sum(name)

    def sum(self, name, **labels):
        found = [
            value
            for (each, has), value in self.samples.items()
            if each == name and set(labels.items()) <= set(has)
        ]
        if not found:
            raise KeyError((name, labels))
        return sum(found)

    def names(self):
        """Of all samples."""
        return {name for name, _ in self.samples}


def commands(folder, file):
    """(words, variants) of every server, with port 0 everywhere."""
    listen = ("--listen", "127.0.0.1:0")
    doors = [w for d in ("--chat", "--http", "--raw", "--compute") for w in (d, "127.0.0.1:0")]
    both = ("--http", "127.0.0.1:0", "--raw", "127.0.0.1:0")
    return (
        (("talk", "serve", *listen), [("--engine", e) for e in engines()]),
        (("talk", "serve", "--echo", "--keep", *listen), ALL[1:4]),
        (("chat", "serve", *listen), LOOPS),
        (("files", "serve", folder, *both), ALL),
        (("files", "offer", file, *listen), ALL),
        (("compute", "serve", *listen), ALL),
        (("serve", "--files", folder, *doors), LOOPS),
    )
