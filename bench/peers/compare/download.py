"""Downloads from the page cache beside nginx: large files by 1, 2 and 8 clients, and small ones."""

import pathlib

from . import building, files

CASES = {"1": 1, "2": 2, "8": 8, "small": 64}
SMALL_FILES, SMALL_SIZE = 10_000, 4096
BLOCK = bytes(range(256)) * 4096
SERVERS = {
    "nginx": None,
    "epoll": ["--engine", "epoll"],
    "uring": ["--engine", "uring"],
    "offer": ["--engine", "epoll"],
    # What `auto` chooses from.
    "sendfile": ["--engine", "epoll", "--send-strategy", "sendfile"],
    "cork": ["--engine", "epoll", "--send-strategy", "sendfile-cork"],
    "splice": ["--engine", "epoll", "--send-strategy", "splice"],
}


def add_arguments(parser):
    files.add_arguments(parser, SERVERS, CASES)


def make_large(folder, size):
    with open(folder / "large", "wb") as large:
        for _ in range(size // len(BLOCK)):
            large.write(BLOCK)


def make_small(folder):
    for number in range(SMALL_FILES):
        (folder / f"small{number}").write_bytes(BLOCK[:SMALL_SIZE])


def read_through(folder):
    """Into the page cache with it."""
    with open(folder / "large", "rb", buffering=0) as large:
        buffer = bytearray(1 << 20)
        while large.readinto(buffer):
            pass


def run(arguments):
    comparison = files.Comparison("download", arguments, SERVERS, CASES)
    building.build("bench_files", "sluice_program", peers=True)
    with files.workspace(arguments) as where:
        root = pathlib.Path(where, "root")
        root.mkdir()
        make_large(root, arguments.size * files.GIB)
        make_small(root)
        core, nice = comparison.server_core, arguments.nice

        def start(name):
            if name == "nginx":
                return files.Nginx(where, root, core, nice)
            common = [*SERVERS[name], "--workers", "1", "--quiet"]
            if name == "offer":
                words = ["offer", root / "large", "--listen", "127.0.0.1:0"]
            else:
                words = ["serve", root, "--http", "127.0.0.1:0"]
            return files.Sluice(*words, *common, core=core, nice=nice)

        def measure(case, name):
            if case == "small" and name == "offer":
                return None
            if case != "small":
                read_through(root)
            with start(name) as server:
                if case == "small":
                    return comparison.load(
                        "small", server, "--path", "/small", "--files", SMALL_FILES, "--clients",
                        CASES[case], "--seconds", arguments.seconds,
                    )
                what = "take" if name == "offer" else "get"
                # Once before it counts: a server that measures its own traffic has chosen then.
                comparison.load(what, server, "--path", "/large")
                return comparison.load(
                    what, server, "--path", "/large", "--clients", CASES[case]
                )

        comparison.measure(measure)
        comparison.show(["nginx"], {"small": "file"})
    return 0
