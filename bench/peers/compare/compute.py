"""Request and reply: every model beside bare loops, on work that burns CPU and work that does not."""

import json
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import time

from . import building, environment, figures
from .processes import Failed, cores, open_files

BENCH = building.BUILD / "bench"
SLUICE = building.BUILD / "sluice"
TIMEOUT = 15

MODELS = {
    "sync": ["--model", "sync"],
    "fork": ["--model", "fork"],
    "thread": ["--model", "thread"],
    "pool": ["--model", "pool"],
    "event-epoll": ["--model", "event", "--engine", "epoll"],
    "event-uring": ["--model", "event", "--engine", "uring"],
}
BARE = "c-epoll"
CASES = ("fib8", "fib64", "fresh", "echo", "fair", "idle")
FRESH_CLIENTS, FRESH_REQUESTS = 64, 312
IDLE_CLIENTS = 500


def add_arguments(parser):
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="default: 5")
    parser.add_argument("--seconds", type=float, default=2, metavar="S", help="default: 2")
    parser.add_argument("--case", metavar="NAME,...", help=f"of {', '.join(CASES)}; default: all")
    parser.add_argument("--json", metavar="FILE", help="write every sample there as well")


class Server:
    """One server, on the cores it is given, and at its end what it has used."""

    def __init__(self, name, *flags, on):
        if name == BARE:
            command = [BENCH / "epoll_echo", "0"]
        else:
            command = [SLUICE, "compute", "serve", "--listen", "0", "--quiet", *MODELS[name], *flags]
        self.name = name
        self.child = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            preexec_fn=lambda: os.sched_setaffinity(0, on),
        )
        line = self.child.stderr.readline().decode()
        found = re.search(r"listening on \S+:(\d+)", line)
        if not found:
            self.child.kill()
            raise Failed(f"{name} does not listen: {line}")
        self.port = found[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.child.returncode is None:
            self.end()

    def end(self):
        """Ends it; CPU seconds and switches of it, its threads and the children it had."""
        # Not through Popen, which would look after it and take what it has used.
        os.kill(self.child.pid, signal.SIGTERM)
        _, status, used = os.wait4(self.child.pid, 0)
        self.child.returncode = os.waitstatus_to_exitcode(status)
        self.child.stderr.close()
        return used.ru_utime + used.ru_stime, used.ru_nvcsw + used.ru_nivcsw

    def memory(self):
        """Proportional share of memory of the process and its children, in bytes (proc(5))."""
        pid = self.child.pid
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        total = 0
        for each in (pid, *children):
            for line in pathlib.Path(f"/proc/{each}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
        return total


def run_json(*command, on):
    done = subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        timeout=300,
        check=False,
        preexec_fn=lambda: os.sched_setaffinity(0, on),
    )
    if not done.stdout:
        raise Failed(f"{command[0]} said nothing, with status {done.returncode}")
    return json.loads(done.stdout)


def ask(server, question, clients, requests, *flags, on):
    return run_json(
        SLUICE, "compute", "ask", server.port, question, "--json", "--clients", clients,
        "--requests", requests, *flags, on=on,
    )


class Comparison:
    def __init__(self, arguments):
        self.arguments = arguments
        self.server_core, self.load_core = cores()
        self.all_cores = os.sched_getaffinity(0)
        self.samples = []

    def add(self, case, name, number, **values):
        self.samples.append({"case": case, "server": name, "round": number, **values})

    def loop(self, case, number):
        """What one core computes without clients."""
        said = run_json(BENCH / "fib_loop", 30, self.arguments.seconds / 2, on={self.server_core})
        self.add(case, "one-core", number, rate=said["rate"], errors={})
        return said

    def fib(self, case, clients, number):
        """fib(30), beside what the cores compute alone (of_cores), and the same CPU time (of_cpu)."""
        seconds = self.arguments.seconds
        before = self.loop(case, number)
        for name in random.sample(list(MODELS), len(MODELS)):
            share = 1 if name == "sync" else len(self.all_cores)
            requests = max(3, round(before["rate"] * share * seconds / clients))
            with Server(name, on=self.all_cores) as server:
                said = ask(server, 30, clients, requests, on=self.all_cores)
                cpu, switches = server.end()
            # What a core computes drifts by several per cent within a minute on a shared machine:
            # each server stands beside the loops just before and just after it.
            after = self.loop(case, number)
            alone = (before["rate"] + after["rate"]) / 2
            cpu_of_one = (before["cpu_seconds"] + after["cpu_seconds"]) / (
                before["computed"] + after["computed"]
            )
            before = after
            self.add(case, name, number, rate=said["rate"], of_cores=said["rate"] / (alone * share),
                     of_cpu=said["answered"] * cpu_of_one / cpu,
                     p99=said["latency_ms"]["p99"], errors=said["errors"],
                     switches=switches / max(1, said["answered"]))

    def fresh(self, number):
        """A connection for each question, 64 at a time; server and load have a core each."""
        for name in random.sample([*MODELS, BARE], len(MODELS) + 1):
            flags = ["--workers", "1"] if name.startswith("event") else []
            with Server(name, *flags, on={self.server_core}) as server:
                said = ask(server, 1, FRESH_CLIENTS, FRESH_REQUESTS, "--reconnect",
                           on={self.load_core})
                cpu, switches = server.end()
            self.add("fresh", name, number, rate=said["rate"], errors=said["errors"],
                     cpu_us=cpu * 1e6 / said["answered"], switches=switches / said["answered"])

    def echo(self, number):
        """64 kept connections x 64 B."""
        for name in random.sample([*MODELS, BARE], len(MODELS) + 1):
            if name == "sync":
                continue  # one client has it, and 63 wait
            flags = ["--work", "echo", "--framing", "raw"]
            flags += ["--workers", "1"] if name.startswith("event") or name == "pool" else []
            with Server(name, *flags, on={self.server_core}) as server:
                said = run_json(
                    BENCH / "echo_load", server.port, "--connections", 64, "--size", 64, "--depth",
                    1, "--seconds", self.arguments.seconds, "--warmup", 0.3, "--server-pid",
                    server.child.pid, on={self.load_core},
                )
                cpu, switches = server.end()
            self.add("echo", name, number, rate=said["messages_per_second"], errors={},
                     cpu_us=said["server_cpu_seconds"] * 1e6 / max(1, said["messages"]))

    def fair(self, number):
        """fib(1) by one client while 63 ask fib(34)."""
        for name in ("fork", "thread", "pool", "event-epoll", "event-uring"):
            with Server(name, on=self.all_cores) as server:
                burning = subprocess.Popen(
                    [str(SLUICE), "compute", "ask", server.port, "34", "--clients", "63",
                     "--requests", "100000"],
                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                )
                try:
                    time.sleep(0.5)
                    said = ask(server, 1, 1, 50, on=self.all_cores)
                finally:
                    burning.kill()
                    burning.wait()
                # Those who burn have gone, and what they asked is not waited for.
                os.kill(server.child.pid, signal.SIGTERM)
                time.sleep(0.1)
                server.end()
            self.add("fair", name, number, errors=said["errors"], **said["latency_ms"])

    def idle(self, number):
        """Memory of a client that was answered once and rests."""
        for name in MODELS:
            if name == "sync":
                continue
            with Server(name, "--work", "echo", "--framing", "raw", on=self.all_cores) as server:
                with subprocess.Popen(
                    [BENCH / "echo_load", server.port, "--hold", "--connections", "8"],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                ) as warm:
                    warm.stdout.readline()
                    few = server.memory()
                    with subprocess.Popen(
                        [BENCH / "echo_load", server.port, "--hold", "--connections",
                         str(min(IDLE_CLIENTS, open_files() - 100))],
                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                    ) as load:
                        load.stdout.readline()
                        time.sleep(0.2)
                        full = server.memory()
                        load.stdin.close()
                    warm.stdin.close()
            self.add("idle", name, number, bytes_a_client=(full - few) / IDLE_CLIENTS, errors={})

    def run(self, cases):
        for number in range(1, self.arguments.rounds + 1):
            for case in cases:
                print(f"round {number} of {self.arguments.rounds}, {case}", file=sys.stderr)
                if case.startswith("fib"):
                    self.fib(case, int(case[3:]), number)
                elif case != "idle" or number == 1:
                    getattr(self, case)(number)

    def by_round(self, case, name, key):
        return {
            s["round"]: s[key]
            for s in self.samples
            if s["case"] == case and s["server"] == name and key in s
        }

    def show(self, cases):
        where = environment.describe(["g++"])
        print(f"{where['cpu']}, {where['cores']} cores, kernel {where['kernel']}; sluice "
              f"{where['commit']}; medians of {self.arguments.rounds} rounds, ratios of pairs "
              f"within a round; load average {where['load_average']}")
        columns = {
            "fib8": ("rate", "of_cores", "of_cpu", "p99", "switches"),
            "fib64": ("rate", "of_cores", "of_cpu", "p99", "switches"),
            "fresh": ("rate", "cpu_us", "switches"),
            "echo": ("rate", "cpu_us"),
            "fair": ("p50", "p99", "max"),
            "idle": ("bytes_a_client",),
        }
        summary = {}
        for case in cases:
            rows = []
            for name in ("one-core", BARE, *MODELS):
                if not any(s["case"] == case and s["server"] == name for s in self.samples):
                    continue
                row = {k: figures.median(list(self.by_round(case, name, k).values()))
                       for k in columns[case]}
                if case in ("fresh", "echo"):
                    row["ratio"] = figures.of_pairs(
                        self.by_round(case, name, "rate"), self.by_round(case, BARE, "rate"))
                row["errors"] = sum(sum(s["errors"].values()) for s in self.samples
                                    if s["case"] == case and s["server"] == name)
                summary.setdefault(case, {})[name] = row
                rows.append([name, *(figures.shown(v, "{:,.2f}") for v in row.values())])
            print(f"\n{case}: {(getattr(self, case.rstrip('0123456789')).__doc__)}")
            print(figures.table(["server", *row], rows))
        if self.arguments.json:
            with open(self.arguments.json, "w", encoding="utf-8") as file:
                json.dump({"subcommand": "compute", "environment": where, "summary": summary,
                           "samples": self.samples}, file, indent=1)
                file.write("\n")


def run(arguments):
    cases = arguments.case.split(",") if arguments.case else list(CASES)
    for case in cases:
        if case not in CASES:
            print(f"compare-peers compute: there is no case '{case}'; there are {', '.join(CASES)}",
                  file=sys.stderr)
            return 2
    building.build("bench_compute", "sluice_program")
    comparison = Comparison(arguments)
    comparison.run(cases)
    comparison.show(cases)
    return 0
