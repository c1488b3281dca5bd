"""Eight uploads at once under every model: whole, even among themselves, in how much memory."""

import hashlib
import json
import os
import pathlib
import random
import socket
import threading
import time

from . import asking, building, environment, figures, files
from .processes import Failed

MODELS = {
    "fork": [],
    "thread": [],
    "pool": ["--workers", "8"],
    "event-epoll": ["--engine", "epoll"],
    "event-uring": ["--engine", "uring"],
}
CASES = {"8": 8}  # clients
BLOCK = 1 << 20
PACE = 0.02  # seconds between two looks at the server's memory


def add_arguments(parser):
    files.add_arguments(parser, MODELS, CASES)


class Upload(threading.Thread):
    """Streams `size` bytes of its own and waits for the server to have kept them."""

    def __init__(self, port, number, size, start):
        super().__init__()
        self.port, self.size, self.start_line = port, size, start
        self.block = random.Random(number).randbytes(BLOCK)
        self.seconds = None

    def digest(self):
        whole = hashlib.sha256()
        for _ in range(self.size // BLOCK):
            whole.update(self.block)
        return whole.hexdigest()

    def run(self):
        with socket.create_connection(("127.0.0.1", self.port)) as peer:
            self.start_line.wait()
            begun = time.monotonic()
            for _ in range(self.size // BLOCK):
                peer.sendall(self.block)
            peer.shutdown(socket.SHUT_WR)
            if peer.recv(1) == b"":
                self.seconds = time.monotonic() - begun


def memory_of(pid):
    """Bytes that the process and its children hold, what they share counted once (proc(5))."""
    total = 0
    try:
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0
    for each in (pid, *children):
        try:
            for line in pathlib.Path(f"/proc/{each}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
        except OSError:
            continue  # a child that has gone
    return total


def upload(server, clients, size):
    start = threading.Barrier(clients + 1)
    all_of_them = [Upload(server.where, number, size, start) for number in range(clients)]
    for each in all_of_them:
        each.start()
    start.wait()
    begun = time.monotonic()
    most = 0
    while any(each.is_alive() for each in all_of_them):
        most = max(most, memory_of(server.pid))
        time.sleep(PACE)
    return all_of_them, time.monotonic() - begun, most


def digests_in(root):
    """Of every file there; the name says nothing about whose it is."""
    found = []
    for path in sorted(root.iterdir()):
        with path.open("rb") as file:
            found.append(hashlib.file_digest(file, "sha256").hexdigest())
    return found


def run(arguments):
    asking.check_common("uploads", arguments)
    models = asking.chosen("uploads", arguments.only, MODELS, list(MODELS), "server")
    cases = asking.chosen("uploads", arguments.case, CASES, list(CASES), "case")
    out = asking.opened("uploads", arguments.json)
    building.build("sluice_program")
    size = arguments.size * files.GIB
    samples = []
    with files.workspace(arguments) as where:
        root = pathlib.Path(where, "root")
        root.mkdir()
        everywhere = os.sched_getaffinity(0)
        for number in range(arguments.rounds):
            runs = [(name, CASES[case]) for name in models for case in cases]
            for name, many in random.sample(runs, len(runs)):
                files.settle(root)
                model = name.partition("-")[0]
                # The kernel spreads server and load, which are of one size here.
                with files.Sluice(
                    "serve", root, "--raw", "127.0.0.1:0", "--model", model, *MODELS[name],
                    "--quiet", core=everywhere, nice=arguments.nice,
                ) as server:
                    files.touch(size * many * 3 // 2)
                    sent, seconds, most = upload(server, many, size)
                kept = digests_in(root)
                whole = sorted(each.digest() for each in sent) == sorted(kept)
                took = [each.seconds for each in sent if each.seconds]
                if len(took) < len(sent):
                    raise Failed(f"{name} did not keep {len(sent) - len(took)} of {len(sent)}")
                samples.append({
                    "server": name, "clients": many, "round": number, "whole": whole,
                    "rate": len(sent) * size / files.GIB / seconds,
                    "spread": max(took) / min(took), "memory": most,
                })
                print(json.dumps(samples[-1]), flush=True)
    rows = []
    for name in models:
        mine = [s for s in samples if s["server"] == name]
        rows.append([
            name,
            f"{figures.median([s['rate'] for s in mine]):.2f}",
            f"{figures.median([s['spread'] for s in mine]):.2f}",
            f"{max(s['spread'] for s in mine):.2f}",
            f"{max(s['memory'] for s in mine) / (1 << 20):.1f}",
            f"{sum(s['whole'] for s in mine)} of {len(mine)}",
        ])
    about = environment.describe(["python3"])
    print(f"{about['cpu']}, {about['cores']} cores, kernel {about['kernel']}")
    head = ["model", "GiB/s", "slowest/fastest", "most", "memory, MiB", "whole"]
    print(figures.table(head, rows))
    asking.write(out, {"subcommand": "uploads", "environment": about, "samples": samples})
    return 0 if all(s["whole"] for s in samples) else 1
