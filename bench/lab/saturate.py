#!/usr/bin/env python3
"""Shows that the lab's load fills a bare C echo loop: its core is busy, and the load has time left."""

import argparse
import pathlib
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parents[2]
PEERS = ROOT / "bench" / "peers"
sys.path.insert(0, str(PEERS))

from compare import figures  # noqa: E402  (found only once the path is set)
from compare.processes import Failed, Process, cores  # noqa: E402

FULL = 0.97
# connections, messages under way on each
SHAPES = ((1, 1), (16, 1), (64, 1), (256, 1), (512, 1), (1024, 1), (64, 4), (64, 16))


def build(folder):
    """The bare loop, as the release builds it."""
    program = pathlib.Path(folder) / "epoll_echo"
    sources = [PEERS / "epoll_echo.c", PEERS / "listener.c"]
    flags = ["-std=c17", "-D_GNU_SOURCE", "-O3", "-DNDEBUG", "-o", program]
    subprocess.run(["cc", *flags, *sources], check=True)
    return program


def measure(asked, program, connections, depth):
    core_of_server, core_of_load = cores()
    with Process([program, 0], core_of_server) as server:
        words = [asked.sluice, "lab", "load", "echo", server.port(), "--watch", server.pid]
        words += ["--connections", connections, "--depth", depth, "--seconds", asked.seconds]
        words += ["--engine", asked.engine]
        with Process(words, core_of_load) as load:
            said = load.output(timeout=60 + float(asked.seconds))
    return {name: float(value) for name, _, value in (
        line.partition(" ") for line in said.splitlines() if line.count(" ") == 1)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", default="1", help="of each measurement (%(default)s)")
    parser.add_argument("--engine", default="auto", help="of the load: auto, epoll, uring")
    parser.add_argument("--sluice", default=ROOT / "build" / "release" / "sluice")
    asked = parser.parse_args()
    rows = []
    full = False
    with tempfile.TemporaryDirectory() as work:
        program = build(work)
        for connections, depth in SHAPES:
            seen = measure(asked, program, connections, depth)
            seconds = seen["seconds"]
            busy = seen["server_cpu_seconds"] / seconds
            idle = seen["idle_seconds"] / seconds
            full |= busy >= FULL and idle > 0
            rows.append([f"{connections} x {depth}", f"{seen['amount'] / seconds:,.0f}",
                         f"{busy:.2f}", f"{idle:.2f}"])
    print(figures.table(["connections x depth", "messages/s", "server busy", "load idle"], rows))
    print("saturated" if full else f"the server's core never was {FULL:.0%} busy")
    return 0 if full else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as failure:
        sys.exit(f"saturate: {failure}")
