"""Uploads into new files beside nginx's PUT and a bare C splice loop, by 1, 2 and 8 clients, and by
such as keep the socket full."""

import pathlib

from . import building, files

# Clients, and whether they send in blocking calls; the others offer a megabyte a call and wait for
# room, so that the socket is always full.
CASES = {"1": (1, 1), "2": (2, 1), "8": (8, 1), "full-1": (1, 0), "full-8": (8, 0)}
# None of the peers waits for the disk, so ours do not either.
SERVERS = {
    "c-splice": None,
    "raw-epoll": ["--engine", "epoll"],
    "raw-uring": ["--engine", "uring"],
    "nginx-put": None,
    "put-epoll": ["--engine", "epoll"],
    "put-uring": ["--engine", "uring"],
}


def add_arguments(parser):
    files.add_arguments(parser, SERVERS, CASES)


def run(arguments):
    comparison = files.Comparison("upload", arguments, SERVERS, CASES)
    building.build("bench_files", "sluice_program", peers=True)
    with files.workspace(arguments) as where:
        root = pathlib.Path(where, "root")
        root.mkdir()
        core, nice = comparison.server_core, arguments.nice

        def start(name):
            if name == "nginx-put":
                return files.Nginx(where, root, core, nice)
            if name == "c-splice":
                return files.Bare(root, core, nice)
            endpoint = "--raw" if name.startswith("raw") else "--http"
            return files.Sluice(
                "serve", root, endpoint, "127.0.0.1:0", *SERVERS[name], "--workers", "1", "--no-sync",
                "--quiet", core=core, nice=nice,
            )

        def measure(case, name):
            files.settle(root)
            kind = "put" if "put" in name else "raw"
            size = arguments.size * files.GIB
            clients, blocks = CASES[case]
            with start(name) as server:
                files.touch(files.TOUCHED * size * clients)
                return comparison.load(
                    kind, server, "--path", "/upload", "--clients", clients, "--size", size, "--blocks",
                    blocks,
                )

        comparison.measure(measure)
        comparison.show(["c-splice", "nginx-put"])
    return 0
