"""An echo of bytes: sluice on both engines beside bare loops in C and Asio's coroutines."""

import json
import random
import subprocess
import sys
import time

from . import asking, building, environment, figures
from .processes import Failed, Process, cores, open_files

BENCH = building.BUILD / "bench"
EXAMPLE = building.BUILD / "examples" / "echo"
BASELINE = "c-epoll"

# Each takes its port as {}. Those marked False are measured only when they are named.
SERVERS = {
    "sluice-epoll": ([EXAMPLE, "{}", "--engine", "epoll"], True),
    "sluice-uring": ([EXAMPLE, "{}", "--engine", "uring"], True),
    "c-epoll": ([BENCH / "epoll_echo", "{}"], True),
    "c-epoll-level": ([BENCH / "epoll_echo", "{}", "--level"], False),
    "c-uring": ([BENCH / "uring_echo", "{}"], True),
    "c-uring-direct": ([BENCH / "uring_echo", "{}", "--direct"], False),
    "asio-epoll": ([BENCH / "asio_echo", "{}"], True),
    "asio-uring": ([BENCH / "asio_uring_echo", "{}"], True),
}

# connections, bytes of a message, messages under way on each connection
CASES = {
    "64x64": (64, 64, 1),
    "512x64": (512, 64, 1),
    "64x64x16": (64, 64, 16),
    "64x16K": (64, 16 * 1024, 1),
}
IDLE = "idle"
IDLE_CONNECTIONS = 9000
IDLE_SECONDS = 5

# The share of the time for which other work may hold one of our cores.
MOST_DISTURBED = 0.05

WARMUP = 0.3


def add_arguments(parser):
    asking.add_common_arguments(parser, SERVERS, [*CASES, IDLE], BASELINE)


class Comparison:
    """One run of the subcommand."""

    def __init__(self, arguments):
        asking.check_common("echo", arguments)
        usual = [name for name, (_, default) in SERVERS.items() if default]
        wanted = asking.chosen("echo", arguments.only, SERVERS, usual, "server")
        self.servers = [name for name in SERVERS if name in wanted or name == BASELINE]
        self.cases = asking.chosen("echo", arguments.case, [*CASES, IDLE], [*CASES, IDLE], "case")
        self.arguments = arguments
        self.json = asking.opened("echo", arguments.json)
        self.core_of_server, self.core_of_load = cores()
        self.load_engine = "uring"
        self.left_out = {}
        self.samples = []
        self.idle = {}

    def server(self, name):
        command = [str(word).format(0) for word in SERVERS[name][0]]
        return Process(command, self.core_of_server, self.arguments.nice)

    def load(self, port, *flags, stdin=subprocess.DEVNULL):
        return Process(
            [BENCH / "echo_load", port, *flags],
            self.core_of_load,
            self.arguments.nice,
            stdin=stdin,
        )

    def verify(self, name):
        """Raises Failed unless the server echoes what it is sent, small, large and many."""
        with self.server(name) as server:
            port = server.port()
            for connections, size, depth in ((64, 100, 7), (8, 300_000, 4), (1000, 10, 3)):
                flags = ["--connections", connections, "--size", size, "--depth", depth]
                with self.load(port, *flags, "--verify", "--seconds", 0.2) as load:
                    load.output(timeout=60)

    def choose_load(self):
        """Takes the cheaper load where io_uring works, else the other, and says why."""
        try:
            with self.server(BASELINE) as server:
                with self.load(server.port(), "--seconds", 0.01, "--warmup", 0) as load:
                    load.output(timeout=60)
        except Failed as failure:
            self.load_engine = "epoll"
            print(f"the load runs on epoll: {failure}", file=sys.stderr)

    def attempt(self, name, case):
        connections, size, depth = CASES[case]
        seconds = self.arguments.seconds
        with self.server(name) as server:
            flags = ["--connections", connections, "--size", size, "--depth", depth]
            flags += ["--seconds", seconds, "--warmup", WARMUP, "--server-pid", server.pid]
            flags += ["--engine", self.load_engine]
            with self.load(server.port(), *flags) as load:
                said = json.loads(load.output(timeout=seconds + 60))
        elapsed = said["seconds"]
        busy = said["server_cpu_seconds"] / elapsed
        idle = said["load_idle_seconds"] / elapsed
        taken = max(said["server_waited_seconds"], said["load_waited_seconds"])
        if said["messages"] == 0:
            raise Failed(f"{name}: no message came back in {elapsed:.1f} s")
        return {
            "server": name,
            "case": case,
            "messages_per_second": said["messages_per_second"],
            "cpu_us": said["server_cpu_seconds"] * 1e6 / said["messages"],
            "server_busy": busy,
            # What it neither used nor was kept from using; below 0 only by the clocks' coarseness.
            "server_idle": max(0, 1 - busy - said["server_waited_seconds"] / elapsed),
            "load_busy": said["load_cpu_seconds"] / elapsed * (1 - idle),
            "at_load": said["messages_per_turn"] / (connections * depth),
            "disturbed": taken / elapsed,
        }

    def measure(self, name, case):
        """The less disturbed of two attempts, the second only if the first was out of the way."""
        sample = self.attempt(name, case)
        # On a machine that is always busy, a second attempt would be no better.
        usual = figures.median([other["disturbed"] for other in self.samples]) or 0
        if sample["disturbed"] > max(MOST_DISTURBED, 1.5 * usual):
            sample = min(sample, self.attempt(name, case), key=lambda s: s["disturbed"])
        return sample

    def measure_idle(self, name):
        """Memory and CPU time of many connections that have spoken once."""
        connections = min(IDLE_CONNECTIONS, open_files() - 100)
        with self.server(name) as server:
            port = server.port()
            fresh = server.memory()
            # What is set aside once, for all connections together, is no connection's memory.
            flags = ["--seconds", 0.3, "--warmup", 0, "--engine", self.load_engine]
            with self.load(port, *flags) as load:
                load.output(timeout=60)
            time.sleep(0.2)
            warm = server.memory()
            flags = ["--hold", "--connections", connections]
            with self.load(port, *flags, stdin=subprocess.PIPE) as load:
                if not load.stdout.readline():
                    load.output(timeout=10)
                    raise load.failed("held no connections")
                time.sleep(0.5)
                full = server.memory()
                ticks = server.cpu_ticks()
                time.sleep(IDLE_SECONDS)
                ticks = server.cpu_ticks() - ticks
        return {
            "connections": connections,
            "fresh": fresh,
            "warm": warm,
            "full": full,
            "pss_a_connection": (full["pss"] - warm["pss"]) / connections,
            "rss_a_connection": (full["rss"] - warm["rss"]) / connections,
            "idle_cpu_ticks": ticks,
        }

    def run_or_leave_out(self, name, work):
        """Runs `work`; after a failure, leaves the server out from here on and says why."""
        try:
            return work()
        except Failed as failure:
            self.left_out[name] = str(failure)
            print(f"{name} is left out: {failure}", file=sys.stderr)
            return None

    def present(self):
        return [name for name in self.servers if name not in self.left_out]

    def run(self):
        progress = asking.Progress()
        for name in self.servers:
            progress.say(f"checking {name}")
            self.run_or_leave_out(name, lambda name=name: self.verify(name))
        self.choose_load()
        cases = [case for case in self.cases if case in CASES]
        for number in range(1, self.arguments.rounds + 1):
            for case in cases:
                order = self.present()
                random.shuffle(order)
                for name in order:
                    progress.say(f"round {number} of {self.arguments.rounds}, {case}, {name}")
                    sample = self.run_or_leave_out(name, lambda n=name, c=case: self.measure(n, c))
                    if sample:
                        self.samples.append({"round": number, **sample})
        if IDLE in self.cases:
            for name in self.present():
                progress.say(f"{IDLE_CONNECTIONS} idle connections, {name}")
                if figures_of_idle := self.run_or_leave_out(name, lambda n=name: self.measure_idle(n)):
                    self.idle[name] = figures_of_idle
        progress.done()

    def by_round(self, name, case, key):
        return {
            sample["round"]: sample[key]
            for sample in self.samples
            if sample["server"] == name and sample["case"] == case
        }

    def row(self, name, case):
        rate = self.by_round(name, case, "messages_per_second")
        cpu = self.by_round(name, case, "cpu_us")
        middle = {
            key: figures.median(list(self.by_round(name, case, key).values()))
            for key in ("server_busy", "load_busy", "at_load", "disturbed")
        }
        return {
            "messages_per_second": figures.median(list(rate.values())),
            "least": min(rate.values(), default=None),
            "most": max(rate.values(), default=None),
            "ratio": figures.of_pairs(rate, self.by_round(BASELINE, case, "messages_per_second")),
            "cpu_us": figures.median(list(cpu.values())),
            "cpu_ratio": figures.of_pairs(cpu, self.by_round(BASELINE, case, "cpu_us")),
            **middle,
        }

    def show_case(self, case):
        connections, size, depth = CASES[case]
        deep = f", {depth} at a time" if depth > 1 else ""
        print(f"\n{case}: {connections} connections x {size:,} B{deep}")
        rows = []
        summary = {}
        for name in self.servers:
            r = summary[name] = self.row(name, case)
            rows.append(
                [
                    name,
                    figures.shown(r["messages_per_second"]),
                    figures.spread(r["least"], r["most"]),
                    figures.shown(r["ratio"], "{:.2f}"),
                    figures.shown(r["cpu_us"], "{:.3f}"),
                    figures.shown(r["cpu_ratio"], "{:.2f}"),
                    figures.shown(r["server_busy"], "{:.0%}"),
                    figures.shown(r["load_busy"], "{:.0%}"),
                    figures.shown(r["at_load"], "{:.0%}"),
                ]
            )
        header = ["server", "messages/s", "least..most", f"x {BASELINE}", "CPU us/msg"]
        header += [f"x {BASELINE}", "server", "load", "at load"]
        print(figures.table(header, rows))
        print(self.judge(case))
        return summary

    def judge(self, case):
        """Whether it was the servers that were measured, and in peace."""
        samples = [sample for sample in self.samples if sample["case"] == case]
        if not samples:
            return "No measurement."
        # Messages gather in front of the slower side: with less than half of them at the load,
        # its next turn waits for the server, not the other way round.
        slow = sorted({s["server"] for s in samples if s["at_load"] > 0.5})
        lines = []
        if slow:
            lines.append(
                f"The load was the bottleneck for {', '.join(slow)} in at least one round: their "
                "messages/s are a lower bound; compare CPU a message."
            )
        else:
            lines.append(
                "The servers were the bottleneck: at most "
                f"{max(s['at_load'] for s in samples):.0%} of the messages under way were found "
                "at the load at a time, and no server\nleft its core idle for more than "
                f"{max(s['server_idle'] for s in samples):.0%} of a measurement."
            )
        disturbed = [s for s in samples if s["disturbed"] > MOST_DISTURBED]
        if disturbed:
            lines.append(
                f"{len(disturbed)} of {len(samples)} measurements lost more than "
                f"{MOST_DISTURBED:.0%} of a core to other work (the worst "
                f"{max(s['disturbed'] for s in disturbed):.0%}): trust CPU a message, not\n"
                "messages/s, or run again on a quiet machine."
            )
        return "\n".join(lines)

    def show_idle(self):
        print(
            f"\n{IDLE}: connections that each exchanged one message and then rest for "
            f"{IDLE_SECONDS} s"
        )
        rows = []
        for name in self.servers:
            if (idle := self.idle.get(name)) is None:
                rows.append([name, *["-"] * 7])
                continue
            rows.append(
                [
                    name,
                    figures.shown(idle["connections"]),
                    figures.shown(idle["fresh"]["pss"] / 1024),
                    figures.shown(idle["warm"]["pss"] / 1024),
                    figures.shown(idle["full"]["pss"] / 1024),
                    figures.shown(idle["pss_a_connection"]),
                    figures.shown(idle["rss_a_connection"]),
                    figures.shown(idle["idle_cpu_ticks"]),
                ]
            )
        header = ["server", "connections", "started KiB", "warm KiB", "full KiB"]
        header += ["Pss B/conn", "Rss B/conn", "CPU ticks"]
        print(figures.table(header, rows))
        print(
            "Memory of the process, the last two a connection beyond what was warm; what the "
            "kernel keeps\nfor a socket comes on top, for all alike. "
            f"CPU ticks: user and system over {IDLE_SECONDS} s, to be 0."
        )

    def show(self):
        where = environment.describe(["libasio-dev", "liburing-dev", "g++"])
        print(
            f"{where['cpu']}, {where['cores']} cores, kernel {where['kernel']}; server on core "
            f"{self.core_of_server}, load on core {self.core_of_load}; sluice {where['commit']}; "
            f"medians of {self.arguments.rounds} rounds of {self.arguments.seconds:g} s, ratios of "
            "pairs within a round"
        )
        cases = {case: self.show_case(case) for case in self.cases if case in CASES}
        if cases:
            print(
                "\nserver: its CPU time by the clock; load: the same, without polls that found "
                "nothing;\nat load: which part of the messages under way waited for the load."
            )
        if IDLE in self.cases:
            self.show_idle()
        for name, why in self.left_out.items():
            print(f"\n{name} was left out: {why}")
        asking.write(
            self.json,
            {
                "subcommand": "echo",
                "environment": where,
                "rounds": self.arguments.rounds,
                "seconds": self.arguments.seconds,
                "baseline": BASELINE,
                "load_engine": self.load_engine,
                "cases": cases,
                "idle": self.idle,
                "samples": self.samples,
                "left_out": self.left_out,
            },
        )


def run(arguments):
    comparison = Comparison(arguments)
    targets = ["bench_echo"]
    if any(name.startswith("sluice-") for name in comparison.servers):
        targets.append("example_echo")
    building.build(*targets)
    comparison.run()
    comparison.show()
    return 1 if comparison.left_out else 0
