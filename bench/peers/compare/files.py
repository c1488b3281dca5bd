"""What the comparisons of downloads, uploads and TLS share: servers, files, rounds and tables."""

import json
import mmap
import os
import pathlib
import random
import socket
import sys
import tempfile
import time

from . import asking, building, environment, figures
from .processes import Failed, Process, cores

BENCH = building.BUILD / "bench"
SLUICE = building.BUILD / "sluice"
GIB = 1 << 30
# Bytes of memory touched before a run, for a byte that it stores. Once and twice as much left every
# second and every fifth run with memory that the host of this machine had taken back.
TOUCHED = 3
TIMEOUT = 15
MADV_POPULATE_WRITE = 23  # madvise(2)

NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 100000000;
    client_max_body_size 0;
    client_body_buffer_size 1m;
    client_body_temp_path {folder}/bodies;
    proxy_temp_path {folder}/other;
    fastcgi_temp_path {folder}/other;
    uwsgi_temp_path {folder}/other;
    scgi_temp_path {folder}/other;
    server {{
        listen 127.0.0.1:{port}{ssl} backlog=4096;
        {certificate}
        root {root};
        location / {{ dav_methods PUT; create_full_put_path on; }}
    }}
}}
"""
# TLS 1.3 is off in 1.22 unless it is asked for.
NGINX_CERTIFICATE = """ssl_protocols TLSv1.2 TLSv1.3;
        ssl_certificate {chain};
        ssl_certificate_key {key};"""


def add_arguments(parser, servers, cases):
    asking.add_common_arguments(parser, servers, cases)
    parser.add_argument("--size", type=int, default=1, metavar="GIB", help="of a file; default: 1")
    parser.add_argument(
        "--folder", default="/var/tmp", metavar="DIR", help="for files; default: /var/tmp"
    )


class Sluice(Process):
    """`sluice files ...` on a free port."""

    def __init__(self, *words, core, nice):
        super().__init__([SLUICE, "files", *words], core, nice)
        self.where = self.port()


class Nginx(Process):
    """nginx with sendfile, tcp_nopush and large body buffers, one process.

    It speaks TLS if a certificate is given: its file and that of its key.
    """

    def __init__(self, folder, root, core, nice, certificate=None):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.where = free.getsockname()[1]
        settings = pathlib.Path(folder, "nginx.conf")
        tls = {"ssl": "", "certificate": ""}
        if certificate:
            chain, key = certificate
            tls = {"ssl": " ssl", "certificate": NGINX_CERTIFICATE.format(chain=chain, key=key)}
        settings.write_text(NGINX.format(folder=folder, root=root, port=self.where, **tls))
        super().__init__(["nginx", "-p", folder, "-c", settings], core, nice)
        end = time.monotonic() + TIMEOUT
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.where)).close()
                return
            except OSError:
                if time.monotonic() > end:
                    raise self.failed("does not listen") from None
                time.sleep(0.01)


class Bare(Process):
    """The splice loop in C."""

    def __init__(self, root, core, nice):
        super().__init__([BENCH / "splice_upload", "0", root], core, nice)
        self.where = self.port()


class Comparison:
    """Runs every server on every case in every round, in random order; `program` is the load."""

    def __init__(self, subcommand, arguments, servers, cases, program="files_load"):
        asking.check_common(subcommand, arguments)
        self.arguments = arguments
        self.servers = asking.chosen(subcommand, arguments.only, servers, list(servers), "server")
        self.cases = asking.chosen(subcommand, arguments.case, cases, list(cases), "case")
        self.json = asking.opened(subcommand, arguments.json)
        self.subcommand = subcommand
        self.program = program
        self.server_core, self.load_core = cores()
        self.samples = []
        self.progress = asking.Progress()

    def load(self, kind, server, *flags):
        command = [BENCH / self.program, kind, server.where, "--server-pid", server.pid, *flags]
        with Process(command, self.load_core, self.arguments.nice) as load:
            return json.loads(load.output(300))

    def measure(self, measure_one):
        """measure_one(case, server) gives what the load said; it is called for each of both."""
        for number in range(1, self.arguments.rounds + 1):
            for case in self.cases:
                for name in random.sample(self.servers, len(self.servers)):
                    self.progress.say(f"round {number} of {self.arguments.rounds}, {case}, {name}")
                    said = measure_one(case, name)
                    if said:
                        self.samples.append({"case": case, "server": name, "round": number, **said})
        self.progress.done()

    def by_round(self, case, name, value):
        return {
            s["round"]: value(s)
            for s in self.samples
            if s["case"] == case and s["server"] == name
        }

    def show(self, baselines, counted=None):
        """A table a case: rate, CPU, and ratios of both to each of `baselines`.

        `counted` names what is counted in some cases; in the others it is bytes.
        """
        where = environment.describe(["nginx-light", "libssl3", "g++"])
        print(
            f"{where['cpu']}, {where['cores']} cores, kernel {where['kernel']}; sluice "
            f"{where['commit']}; medians of {self.arguments.rounds} rounds, ratios of pairs within "
            f"a round; load average {where['load_average']}"
        )
        summary = {}
        ratios = [f"{what}x {base}" for what in ("", "CPU ") for base in baselines]
        for case in self.cases:
            thing = (counted or {}).get(case)
            unit = (lambda s: s["answers"]) if thing else (lambda s: s["bytes"] / GIB)
            rate = lambda s: unit(s) / s["seconds"]  # noqa: E731
            cpu = lambda s: s["server_cpu_seconds"] / unit(s)  # noqa: E731
            load_share = lambda s: s["load_cpu_seconds"] / s["seconds"]  # noqa: E731
            rows = []
            for name in self.servers:
                rates = self.by_round(case, name, rate)
                if not rates:
                    continue
                costs = self.by_round(case, name, cpu)
                row = {
                    "rate": figures.median(list(rates.values())),
                    "cpu": figures.median(list(costs.values())),
                    "load_share": figures.median(
                        list(self.by_round(case, name, load_share).values())
                    ),
                }
                for base in baselines:
                    row[f"x {base}"] = figures.of_pairs(rates, self.by_round(case, base, rate))
                    row[f"CPU x {base}"] = figures.of_pairs(costs, self.by_round(case, base, cpu))
                summary.setdefault(case, {})[name] = row
                rows.append(
                    [
                        name,
                        figures.shown(row["rate"], "{:,.0f}" if thing else "{:.2f}"),
                        figures.shown(row["cpu"] * (1e6 if thing else 1), "{:.2f}"),
                        figures.shown(row["load_share"], "{:.0%}"),
                        *(figures.shown(row[ratio], "{:.2f}") for ratio in ratios),
                    ]
                )
            of_a = ("GiB/s", "server CPU s/GiB")
            if thing:
                of_a = (f"{thing}s/s", f"server CPU us/{thing}")
            print(f"\n{case}")
            print(figures.table(["server", *of_a, "load CPU", *ratios], rows))
        asking.write(
            self.json,
            {
                "subcommand": self.subcommand,
                "environment": where,
                "summary": summary,
                "samples": self.samples,
            },
        )


def settle(folder):
    """Removes what lies in `folder`, and lets the disk finish, so that no run pays for another."""
    for root, _, names in os.walk(folder):
        for name in names:
            os.unlink(os.path.join(root, name))
    os.sync()


def touch(size):
    """Takes memory back from the host of a virtual machine, in the large pages it was given in.

    As much of `size` as three quarters of what is available.
    """
    for line in pathlib.Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            size = min(size, int(line.split()[1]) * 1024 // 4 * 3)
    with mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        memory.madvise(mmap.MADV_HUGEPAGE)
        memory.madvise(MADV_POPULATE_WRITE)


def workspace(arguments):
    try:
        return tempfile.TemporaryDirectory(prefix="sluice-compare-", dir=arguments.folder)
    except OSError as error:
        print(f"compare-peers: no files can be made in {arguments.folder}: {error}", file=sys.stderr)
        raise Failed("give another directory with --folder") from error
