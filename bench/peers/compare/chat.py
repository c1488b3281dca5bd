"""A group chat: sluice on both engines beside Redis, NATS, ngircd and ncat, each in its protocol, and
beside a bare ring in C."""

import json
import pathlib
import random
import socket
import subprocess
import sys
import tempfile
import time

from . import asking, building, environment, figures
from .processes import Failed, Process, cores, open_files

SLUICE = building.BUILD / "sluice"
LOAD = building.BUILD / "bench" / "chat_load"
RING = building.BUILD / "bench" / "ring_chat"
WARMUP = 0.5
TIMEOUT = 10  # seconds until a server that says nothing must accept

# What is compared with the better of these two.
RIVALS = ("redis", "nats")
SENDERS = 4
WINDOW = 256

IRC = """[Global]
Name = irc.example.net
Info = measured
Listen = 127.0.0.1
Ports = {port}
MotdPhrase = measured
[Limits]
MaxConnections = 0
MaxConnectionsIP = 0
MaxJoins = 0
MaxPenaltyTime = 0
PingTimeout = 600
[Options]
DNS = no
Ident = no
PAM = no
"""

# The protocol that the load speaks, and the command; {port} is a free one, {conf} a file.
SERVERS = {
    "sluice-epoll": ("sluice", [SLUICE, "chat", "serve", "--engine", "epoll"]),
    "sluice-uring": ("sluice", [SLUICE, "chat", "serve", "--engine", "uring"]),
    "redis": (
        "redis",
        # A subscriber that is slow for a moment is not to be cut off.
        ["redis-server", "--port", "{port}", "--bind", "127.0.0.1", "--save", "", "--appendonly"]
        + ["no", "--maxclients", "15000", "--client-output-buffer-limit", "pubsub 0 0 0"],
    ),
    "nats": ("nats", ["nats-server", "-a", "127.0.0.1", "-p", "{port}"]),
    "ngircd": ("irc", ["ngircd", "-n", "-f", "{conf}"]),
    # What it costs by hand: a line a message and no words on joining, as with ncat.
    "ring": ("ncat", [RING, 0]),
    "ncat": ("ncat", ["ncat", "-l", "--chat", "-m", "15000", "127.0.0.1", "{port}"]),
}
# The others have no limit on what one member says.
SLUICE_FLAGS = ["--listen", "0", "--workers", "1", "--max-clients", "15000", "--quiet", "--rate", "0"]

# members, bytes of a message
CASES = {
    "90x64": (90, 64),
    "1000x64": (1000, 64),
    "90x1K": (90, 1024),
    "1000x1K": (1000, 1024),
}
# members, messages a second
PACED = (100, 2000)
# A pace at which there is nothing to batch: each delivery is a send of its own.
HUMAN = (90, 300)
FLAT = (10, 100, 1000, 10_000)
SLOW = {"none": [], "one stuck": ["--stuck", 1], "one trickling": ["--trickling", 1]}
SLOW_RATE = 10_000
IDLE_MEMBERS = 9000
ALL_CASES = [*CASES, "human", "paced", "flat", "slow", "idle"]


def add_arguments(parser):
    asking.add_common_arguments(parser, SERVERS, ALL_CASES)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Server(Process):
    """One server with an empty state, listening."""

    def __init__(self, name, core, nice, flags=()):
        self._folder = tempfile.TemporaryDirectory()
        self.protocol, command = SERVERS[name]
        self._port = None
        if self.protocol == "sluice":
            command = [*command, *SLUICE_FLAGS, *flags]
        elif name != "ring":
            self._port = free_port()
            conf = pathlib.Path(self._folder.name) / "conf"
            conf.write_text(IRC.format(port=self._port), encoding="utf-8")
            command = [str(word).format(port=self._port, conf=conf) for word in command]
        super().__init__(command, core, nice)

    def end(self):
        super().end()
        self._folder.cleanup()

    def port(self):
        if self._port is None:
            return super().port()
        end = time.monotonic() + TIMEOUT
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", self._port), 1).close()
                return self._port
            except OSError:
                time.sleep(0.05)
        raise self.failed(f"did not accept within {TIMEOUT} s")


class Comparison:
    """One run of the subcommand."""

    def __init__(self, arguments):
        asking.check_common("chat", arguments)
        self.servers = asking.chosen("chat", arguments.only, SERVERS, list(SERVERS), "server")
        self.cases = asking.chosen("chat", arguments.case, ALL_CASES, ALL_CASES, "case")
        self.arguments = arguments
        self.json = asking.opened("chat", arguments.json)
        self.core_of_server, self.core_of_load = cores()
        self.left_out = {}
        self.samples = []

    def ours(self):
        return [name for name in self.servers if name.startswith("sluice")]

    def load(self, server, *flags, stdin=subprocess.DEVNULL):
        flags = [LOAD, server.port(), "--server", server.protocol, *flags]
        return Process(flags, self.core_of_load, self.arguments.nice, stdin=stdin)

    def measure(self, name, case, flags, server_flags=()):
        """Appends one sample, or leaves the server out of this case and says why."""
        if (name, case) in self.left_out:
            return
        seconds = self.arguments.seconds
        try:
            with Server(name, self.core_of_server, self.arguments.nice, server_flags) as server:
                flags = [*flags, "--seconds", seconds, "--warmup", WARMUP]
                with self.load(server, *flags, "--server-pid", server.pid) as load:
                    said = json.loads(load.output(timeout=seconds + 25))
        except Failed as failure:
            self.left_out[name, case] = str(failure)
            print(f"{name} is left out of {case}: {failure}", file=sys.stderr)
            return
        if said["deliveries"] < 1:
            self.left_out[name, case] = "it delivered nothing"
            return
        elapsed = said["seconds"]
        self.samples.append(
            {
                "server": name,
                "case": case,
                "round": self.round,
                "rate": said["deliveries_per_second"],
                "cpu_ns": said["server_cpu_seconds"] * 1e9 / said["deliveries"],
                "server_busy": said["server_cpu_seconds"] / elapsed,
                "load_busy": (said["load_cpu_seconds"] - said["load_idle_seconds"]) / elapsed,
                "disturbed": max(said["server_waited_seconds"], said["load_waited_seconds"])
                / elapsed,
                "p50_ms": said["p50_ms"],
                "p99_ms": said["p99_ms"],
            }
        )

    def jobs(self):
        """Everything that one round measures, as (server, case, flags of the load, of sluice)."""
        common = ["--senders", SENDERS, "--window", WINDOW]
        for case in (case for case in CASES if case in self.cases):
            members, size = CASES[case]
            for name in self.servers:
                # A line of IRC has at most 512 bytes (RFC 2812, section 2.3).
                if name == "ngircd" and size > 400:
                    continue
                yield name, case, [*common, "--members", members, "--size", size], []
        if "human" in self.cases:
            members, rate = HUMAN
            for name in self.servers:
                yield name, "human", ["--members", members, "--rate", rate], []
        if "paced" in self.cases:
            members, rate = PACED
            for name in self.servers:
                yield name, "paced", ["--members", members, "--rate", rate], []
        if "flat" in self.cases:
            for name in self.ours():
                for members in FLAT:
                    # One sender, so that nearly all that is sent goes to those who are counted.
                    flags = ["--senders", 1, "--window", WINDOW, "--members", members]
                    yield name, f"flat {members}", flags, []
        if "slow" in self.cases:
            for name in self.ours():
                for policy in ("skip", "disconnect"):
                    for who, extra in SLOW.items():
                        flags = ["--members", 99, "--rate", SLOW_RATE, *extra]
                        yield name, f"slow {policy}, {who}", flags, ["--slow", policy]

    def run(self):
        progress = asking.Progress()
        for self.round in range(1, self.arguments.rounds + 1):
            by_case = {}
            for job in self.jobs():
                by_case.setdefault(job[1].split()[0], []).append(job)
            for jobs in by_case.values():
                random.shuffle(jobs)
                for name, case, flags, server_flags in jobs:
                    progress.say(
                        f"round {self.round} of {self.arguments.rounds}, {case}, {name}"
                    )
                    self.measure(name, case, flags, server_flags)
        self.idle = {}
        if "idle" in self.cases:
            for name in self.servers:
                progress.say(f"{IDLE_MEMBERS} idle members, {name}")
                try:
                    self.idle[name] = self.measure_idle(name)
                except Failed as failure:
                    self.left_out[name, "idle"] = str(failure)
        progress.done()

    def measure_idle(self, name):
        """Memory of many members, and how long one message takes to all of them."""
        members = min(IDLE_MEMBERS, open_files() - 100)
        with Server(name, self.core_of_server, self.arguments.nice) as server:
            with self.load(server, "--members", 10, "--seconds", 0.2, "--warmup", 0) as load:
                load.output(timeout=60)
            time.sleep(0.3)
            warm = server.memory()
            flags = ["--hold", "--senders", 1, "--members", members]
            with self.load(server, *flags, stdin=subprocess.PIPE) as load:
                load.answer(timeout=120)
                full = server.memory()
                said = []
                for _ in range(self.arguments.rounds):
                    load.stdin.write(b"say\n")
                    load.stdin.flush()
                    said.append(json.loads(load.answer(timeout=30)))
        return {
            "members": members,
            "bytes_a_member": (full["pss"] - warm["pss"]) / members,
            "delivered": min(one["delivered"] for one in said),
            "p50_ms": figures.median([one["p50_ms"] for one in said]),
            "p99_ms": figures.median([one["p99_ms"] for one in said]),
        }

    def values(self, name, case, key):
        return {
            sample["round"]: sample[key]
            for sample in self.samples
            if sample["server"] == name and sample["case"] == case
        }

    def median(self, name, case, key):
        return figures.median(list(self.values(name, case, key).values()))

    def best_rival(self, case, key, better):
        """What the better of the rivals reached in each round."""
        both = [self.values(name, case, key) for name in RIVALS if name in self.servers]
        rounds = set().union(*both) if both else set()
        return {r: better(one[r] for one in both if r in one) for r in rounds}

    def show_case(self, case):
        members, size = CASES[case]
        print(f"\n{case}: {SENDERS} senders x {size:,} B to {members:,} members")
        rate_of_rivals = self.best_rival(case, "rate", max)
        cpu_of_rivals = self.best_rival(case, "cpu_ns", min)
        rows = []
        for name in self.servers:
            rate = self.values(name, case, "rate")
            cpu = self.values(name, case, "cpu_ns")
            rows.append(
                [
                    name,
                    figures.shown(figures.median(list(rate.values()))),
                    figures.spread(min(rate.values(), default=None), max(rate.values(), default=None)),
                    figures.shown(figures.of_pairs(rate, rate_of_rivals), "{:.2f}"),
                    figures.shown(figures.median(list(cpu.values())), "{:,.1f}"),
                    figures.shown(figures.of_pairs(cpu, cpu_of_rivals), "{:.2f}"),
                    figures.shown(self.median(name, case, "server_busy"), "{:.0%}"),
                    figures.shown(self.median(name, case, "load_busy"), "{:.0%}"),
                ]
            )
        header = ["server", "deliveries/s", "least..most", "x best rival", "CPU ns/delivery"]
        print(figures.table(header + ["x best rival", "server", "load"], rows))

    def show_latency(self, title, cases, servers):
        print(f"\n{title}")
        rows = []
        for name in servers:
            for case, shown in cases:
                row = [self.median(name, case, key) for key in ("p50_ms", "p99_ms", "server_busy")]
                rows.append(
                    [
                        f"{name}{shown}",
                        figures.shown(row[0], "{:.3f}"),
                        figures.shown(row[1], "{:.3f}"),
                        figures.shown(row[2], "{:.0%}"),
                    ]
                )
        print(figures.table(["server", "p50 ms", "p99 ms", "server"], rows))

    def show_human(self):
        members, rate = HUMAN
        print(f"\nhuman: {rate} messages a second to {members} members, nothing to batch")
        ring = self.values("ring", "human", "cpu_ns")
        rows = []
        for name in self.servers:
            cpu = self.values(name, "human", "cpu_ns")
            rows.append(
                [
                    name,
                    figures.shown(figures.median(list(cpu.values()))),
                    figures.spread(min(cpu.values(), default=None), max(cpu.values(), default=None)),
                    figures.shown(figures.of_pairs(cpu, ring), "{:.3f}"),
                    figures.shown(self.median(name, "human", "p50_ms"), "{:.3f}"),
                    figures.shown(self.median(name, "human", "p99_ms"), "{:.3f}"),
                ]
            )
        header = ["server", "CPU ns/delivery", "least..most", "x ring", "p50 ms", "p99 ms"]
        print(figures.table(header, rows))

    def show_flat(self):
        print("\nflat: CPU ns of the server a delivery, one sender x 64 B, by members")
        rows = []
        for name in self.ours():
            values = [self.median(name, f"flat {members}", "cpu_ns") for members in FLAT]
            rows.append([name, *(figures.shown(value, "{:.1f}") for value in values)])
        print(figures.table(["server", *(f"{members:,}" for members in FLAT)], rows))

    def show_idle(self):
        print(f"\nidle: {IDLE_MEMBERS:,} members that are silent, then one message to all of them")
        rows = []
        for name, idle in self.idle.items():
            rows.append(
                [
                    name,
                    figures.shown(idle["bytes_a_member"]),
                    figures.shown(idle["delivered"]),
                    figures.shown(idle["p50_ms"], "{:.1f}"),
                    figures.shown(idle["p99_ms"], "{:.1f}"),
                ]
            )
        print(figures.table(["server", "B a member", "delivered", "p50 ms", "p99 ms"], rows))

    def show(self):
        where = environment.describe(["redis-server", "nats-server", "ngircd", "ncat", "g++"])
        print(
            f"{where['cpu']}, {where['cores']} cores, kernel {where['kernel']}; server on core "
            f"{self.core_of_server}, load on core {self.core_of_load}; sluice {where['commit']}; "
            f"medians of {self.arguments.rounds} rounds of {self.arguments.seconds:g} s; at most "
            f"{WINDOW} messages\nsent and not delivered to all; best rival: the better of "
            f"{' and '.join(RIVALS)} in the same round"
        )
        for case in (case for case in CASES if case in self.cases):
            self.show_case(case)
        if "human" in self.cases:
            self.show_human()
        if "paced" in self.cases:
            members, rate = PACED
            title = f"paced: {rate:,} messages a second to {members} members, from when each was due"
            self.show_latency(title, [("paced", "")], self.servers)
        if "flat" in self.cases:
            self.show_flat()
        if "slow" in self.cases:
            cases = [
                (f"slow {policy}, {who}", f" {policy}, {who}")
                for policy in ("skip", "disconnect")
                for who in SLOW
            ]
            title = f"slow: {SLOW_RATE:,} messages a second to 99 members that read, and one that does not"
            self.show_latency(title, cases, self.ours())
        if self.idle:
            self.show_idle()
        disturbed = figures.median([sample["disturbed"] for sample in self.samples])
        if disturbed is not None:
            print(f"\nOther work held one of the cores for {disturbed:.1%} of the median measurement.")
        for (name, case), why in self.left_out.items():
            print(f"{name} was left out of {case}: {why}")
        asking.write(
            self.json,
            {
                "subcommand": "chat",
                "environment": where,
                "rounds": self.arguments.rounds,
                "seconds": self.arguments.seconds,
                "rivals": RIVALS,
                "samples": self.samples,
                "idle": self.idle,
                "left_out": {f"{name}, {case}": why for (name, case), why in self.left_out.items()},
            },
        )


def run(arguments):
    comparison = Comparison(arguments)
    building.build("sluice_program", "bench_chat", peers=True)
    comparison.run()
    comparison.show()
    # The peers may have limits of their own; sluice may not.
    return 1 if any(name.startswith("sluice") for name, _ in comparison.left_out) else 0
