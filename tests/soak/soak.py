"""Runs `sluice serve` under thousands of clients that come, go, stall and break off, and judges it."""

import argparse
import collections
import contextlib
import json
import os
import pathlib
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time

from connections import raise_open_files
from files_clients import LARGE, SMALL
from server import FAULTS, OF_THE_LOAD, WatchedServer
from talk_rig import TIMEOUT, sanitized, wait_until

HERE = pathlib.Path(__file__).resolve().parent
GRACE = 5  # seconds that a stop may take
SLOPE = 1.0  # MiB in ten minutes
FILLED = 400  # seconds after which rooms end as fast as they are opened
JUDGED_FROM = 300  # seconds of samples: fewer say nothing about a slope
# Threads of the pools start when they are first needed, and stay: disk, writers, listers and digests
# of the HTTP service, disk and digests of the raw one, workers of compute, and one that sweeps.
POOLS = 4 + 4 + 2 + 2 + 2 + 4 + 1 + 4 + 4 + 2 + 1 + os.cpu_count()
# What it keeps ready, in KiB, for each shard: 32 buffers of requests, and the digests of files that
# it has met (16,384); and pages of which a part is in use.
READY = os.cpu_count() * (32 * 130 + 1152) + 2048


class Loads:
    """The processes of a load."""

    def __init__(self, ports, connections, processes, seed):
        self.words = queue.Queue()
        self.open = [0] * processes
        self.counts = [collections.Counter()] * processes
        self.kept = set()
        self.wrong = []
        self.done = 0
        self.processes = []
        self.readers = []
        for process in range(processes):
            options = {
                "ports": ports, "connections": connections // processes, "process": process,
                "seed": seed,
            }
            started = subprocess.Popen(
                [sys.executable, "-B", HERE / "load.py", json.dumps(options)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            )
            self.processes.append(started)
            self.readers.append(
                threading.Thread(target=self.read, args=(process, started.stdout), daemon=True)
            )
            self.readers[-1].start()

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        for each in self.processes:
            each.stdin.close()
        for each in self.processes:
            each.wait()
        for each in self.readers:
            each.join()

    def read(self, process, pipe):
        done = False
        with pipe:
            for line in pipe:
                said = json.loads(line)
                self.open[process] = said["open"]
                self.counts[process] = collections.Counter(said["counts"])
                self.kept.update(said["kept"])
                self.wrong += said["wrong"]
                done = said["done"]
        self.words.put(done)

    def say(self, word):
        for each in self.processes:
            # One that has ended is noticed by stop().
            with contextlib.suppress(BrokenPipeError):
                each.stdin.write(word + b"\n")
                each.stdin.flush()

    def stop(self):
        self.say(b"stop")
        for _ in self.processes:
            if not self.words.get():
                self.wrong.append("a process of the load ended before its time")

    def total(self):
        return sum(self.counts, collections.Counter())


def slope_of(samples):
    """MiB in ten minutes: the line of least squares through (seconds, KiB)."""
    if len(samples) < 2:
        return 0.0
    mean_x = sum(x for x, _ in samples) / len(samples)
    mean_y = sum(y for _, y in samples) / len(samples)
    spread = sum((x - mean_x) ** 2 for x, _ in samples)
    return sum((x - mean_x) * (y - mean_y) for x, y in samples) / spread * 600 / 1024


class Soak:
    """A server of one engine, from its start to its end."""

    def __init__(self, engine, connections, seconds, *, processes=1, seed=1, folder=None, say=print):
        self.engine = engine
        self.connections = connections
        self.seconds = seconds
        self.processes = processes
        self.seed = seed
        self.folder = folder
        self.say = lambda line: say(f"{engine}: {line}")
        self.wrong = []
        self.rows = {}
        self.samples = []

    def run(self):
        """Everything that was wrong; `rows` is what was seen."""
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            for path, data in (SMALL | LARGE).items():
                pathlib.Path(folder, path[1:]).write_bytes(data)
            with WatchedServer(folder, self.engine, GRACE) as server:
                try:
                    self.soak(server)
                except AssertionError as problem:
                    self.wrong.append(str(problem))
                self.wrong += server.wrong
        return self.wrong

    def soak(self, server):
        at_first = server.descriptors(), server.threads()
        # What is made when it is first needed is made now.
        self.load(server, min(self.connections, max(200, self.connections // 20)), 8)
        before = server.memory(), server.descriptors()
        self.say(f"begins with {before[0]} KiB, {before[1]} descriptors, {server.threads()} threads")
        counts = self.load(server, self.connections, self.seconds, watched=True)
        wait_until(lambda: server.descriptors() <= before[1], "its descriptors are back")
        wait_until(
            lambda: server.threads() <= at_first[1] + POOLS, "its threads are those it may have"
        )
        most = max((memory for _, memory in self.samples), default=before[0])
        allowed = max(READY, (most - before[0]) // 4)
        if not sanitized():
            wait_until(
                lambda: server.memory() - before[0] < allowed, "most of its memory is given back"
            )
        counted = server.counters()
        self.rows |= {
            "connections": self.connections,
            "seconds": self.seconds,
            "clients served": counted["clients"]["accepted"],
            "most at a time": counted["clients"]["most"],
            "memory before, most, after (KiB)": f"{before[0]}, {most}, {server.memory()}",
            "descriptors at first, before, after": f"{at_first[0]}, {before[1]}, {server.descriptors()}",
            "threads at first, after": f"{at_first[1]}, {server.threads()}",
        }
        self.judge_slope()
        self.judge_counters(counted)
        self.rows |= dict(sorted(counts.items()))
        self.stop(server)

    def load(self, server, connections, seconds, watched=False):
        """What its clients counted; all have come to their end."""
        with Loads(server.ports, connections, self.processes, self.seed) as loads:
            end = time.monotonic() + seconds
            if watched:
                self.watch(server, loads, end)
            else:
                time.sleep(seconds)
            loads.stop()
        self.wrong += loads.wrong
        server.wait_idle()
        wait_until(lambda: loads.kept <= server.kept, "all streams that were taken are kept")
        return loads.total()

    def watch(self, server, loads, end):
        began = time.monotonic()
        next_line = began + 10
        cpu = server.cpu_seconds()
        told = 0
        while (now := time.monotonic()) < end:
            if server.process.poll() is not None:
                raise AssertionError(f"the server ended with {server.process.returncode}")
            self.samples.append((now - began, server.memory()))
            if now >= next_line:
                next_line += 10
                used, cpu = server.cpu_seconds() - cpu, server.cpu_seconds()
                counts = loads.total()
                logs = server.counters()["chat"]["log_bytes"] // 1024
                self.say(
                    f"{now - began:5.0f} s, {sum(loads.open)} connections, "
                    f"{self.samples[-1][1]} KiB, {logs} KiB of logs of rooms, "
                    f"{server.descriptors()} descriptors, "
                    f"{server.threads()} threads, {used * 10:.0f} % of a core; "
                    f"{counts['chat: lines heard']} lines, "
                    f"{counts['compute: answers checked']} answers, "
                    f"{counts['http: requests']} requests; "
                    f"{len(loads.wrong) + len(server.wrong)} wrong"
                )
                for each in loads.wrong[told : told + 3]:
                    self.say(f"WRONG: {each}")
                told = len(loads.wrong)
            time.sleep(1)

    def judge_slope(self):
        """Without the beginning, when rooms, pools and caches fill."""
        begin = max(self.seconds / 3, min(self.seconds / 2, FILLED))
        slope = slope_of([(x, y) for x, y in self.samples if x >= begin])
        judged = self.seconds - begin >= JUDGED_FROM and not sanitized()
        self.rows["memory, MiB in 10 minutes"] = f"{slope:+.2f}" + ("" if judged else " (too short)")
        if judged and slope >= SLOPE:
            self.wrong.append(f"its memory grows by {slope:.2f} MiB in 10 minutes")

    def judge_counters(self, counted):
        for of, names in FAULTS.items():
            self.wrong += [f"{of}: {name} {counted[of][name]}" for name in names if counted[of][name]]
        self.rows["counters of the load's own doing"] = ", ".join(
            f"{of} {name} {counted[of][name]}" for of, names in OF_THE_LOAD.items() for name in names
            if counted[of][name]
        )

    def stop(self, server):
        """While clients are busy."""
        with Loads(server.ports, max(100, self.connections // 10), self.processes, self.seed) as loads:
            wait_until(lambda: sum(loads.open) > 50, "clients are there")
            time.sleep(min(5, self.seconds / 10))
            loads.say(b"abandon")
            took = server.stop(GRACE + TIMEOUT)
        self.rows["seconds to stop"] = f"{took:.1f}"


def print_table(soaks):
    names = list(dict.fromkeys(name for soak in soaks for name in soak.rows))
    print(f"\n| | {' | '.join(soak.engine for soak in soaks)} |\n|---|{'---|' * len(soaks)}")
    for name in names:
        print(f"| {name} | {' | '.join(str(soak.rows.get(name, '-')) for soak in soaks)} |")
    print()
    for soak in soaks:
        counts = collections.Counter(soak.wrong)
        for what, count in counts.most_common(20):
            print(f"{soak.engine}: WRONG: {what}" + (f" ({count} times)" if count > 1 else ""))
        print(f"{soak.engine}: {'FAILED' if counts else 'passed'}")


def main():
    parser = argparse.ArgumentParser(
        prog="script/soak",
        description="sluice serve, all services, under clients that come and go, stall and break off.",
    )
    parser.add_argument("seconds", type=float, nargs="?", help="instead of --minutes")
    parser.add_argument("--minutes", type=float, default=30, help="for each engine (30)")
    parser.add_argument("--connections", type=int, default=19_000, help="at a time (19000)")
    parser.add_argument("--engine", choices=("epoll", "io_uring", "both"), default="both")
    parser.add_argument("--processes", type=int, default=1, help="that make the load (1)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", help="where files are kept (the system's temporary folder)")
    given = parser.parse_args()
    raise_open_files()
    # Every `with` on the way out ends the processes it holds.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    engines = ("epoll", "uring") if given.engine == "both" else (given.engine.removeprefix("io_"),)
    soaks = []
    for engine in engines:
        soaks.append(
            Soak(
                engine, given.connections, given.seconds or given.minutes * 60,
                processes=given.processes, seed=given.seed, folder=given.folder,
                say=lambda line: print(line, flush=True),
            )
        )
        soaks[-1].run()
    print_table(soaks)
    return int(any(soak.wrong for soak in soaks))
