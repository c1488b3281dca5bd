"""Restarts and upgrades under load, for script/restarts: each figure that is to be 0 is printed."""

import pathlib
import signal
import sys
import tempfile
import time

from service_rig import Load, given, listening
from talk_rig import SLUICE, Program, wait_until
from upgrade_test import Upgraded

BODY = b"hello, world\n"
LOOPS = {"epoll": ("--engine", "epoll"), "uring": ("--engine", "uring")}


def served(load, more):
    before = load.answers
    wait_until(lambda: load.answers >= before + more, f"{more} more requests are answered")


def report(what, load, since):
    print(
        f"{what}: {load.answers} answers on {load.clients} connections in "
        f"{time.monotonic() - since:.0f} s; refused {load.refused}, half {load.half}, "
        f"lost {load.lost}; asked again on a kept connection {load.again}",
        flush=True,
    )
    for each in load.problems[:5]:
        print(f"  {each}")
    return not (load.refused or load.half or load.lost)


def restart(folder, flags, times, clients):
    since = time.monotonic()
    with listening() as door:
        words, options = given([door], ["http"])
        words += [SLUICE, "files", "serve", folder, "--no-sync", *flags]
        with Load(door.getsockname(), clients, 0.5, BODY) as load:
            for number in range(times + 1):
                with Program(*words, **options) as server:
                    server.expect_stderr("^listening on ")
                    served(load, clients if number == 0 else clients // 20)
                    if number == times:
                        load.__exit__()
                    server.signal(signal.SIGTERM)
                    server.process.wait()
    return load, since


def upgrade(folder, flags, times, clients):
    since = time.monotonic()
    words = (SLUICE, "files", "serve", folder, "--no-sync", "--http", "127.0.0.1:0", *flags)
    with Upgraded(*words) as server:
        port = int(server.expect_stderr(r"^listening on 127\.0\.0\.1:(\d+) ")[1])
        with Load(("127.0.0.1", port), clients, 0.5, BODY) as load:
            for _ in range(times):
                served(load, clients)
                server.upgrade()
            served(load, clients)
            load.__exit__()
        server.stop()
    return load, since


def main(restarts=100, upgrades=20, clients=1000):
    fine = True
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "file").write_bytes(BODY)
        for name, flags in LOOPS.items():
            load, since = restart(folder, flags, restarts, clients)
            fine &= report(f"{restarts} restarts on {name}", load, since)
            load, since = upgrade(folder, flags, upgrades, clients)
            fine &= report(f"{upgrades} upgrades on {name}", load, since)
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
