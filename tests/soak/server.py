"""`sluice serve` under a load: what it holds, what it counts and says, and what it has kept."""

import hashlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cli"))

from compute_rig import memory_of, ticks_of  # noqa: E402  (found only once the path is set)
from files_clients import checked_raw  # noqa: E402
from talk_rig import SLUICE, TIMEOUT, wait_until  # noqa: E402

SERVICES = {"chat": "chat", "files over HTTP": "http", "raw files": "raw", "compute": "compute"}
# Counters of which none may be above 0: each is a fault of the server, or of the machine.
FAULTS = {
    "clients": ("shed", "crashed", "retries"),
    "chat": ("refused", "rooms_refused", "names_refused", "too_long", "private_lost", "no_memory"),
    "files over HTTP": (
        "bad_requests", "large_heads", "too_large", "no_room", "wrong_digests", "parts_expired",
        "parts_crowded_out", "cut_files", "failed",
    ),
    "raw files": ("too_large", "failed"),
    "compute": ("late", "failed", "too_long"),
}
# Those that grow because clients of the load stall, break off and reset.
OF_THE_LOAD = {
    "chat": ("skipped", "too_silent", "broken", "held_back", "put_off", "empty_lines"),
    "files over HTTP": ("lost", "slow_heads", "slow_bodies", "idle", "resumed"),
    "raw files": ("lost",),
    "compute": ("busy", "abandoned", "idle", "stalled"),
}
# Those that say how it is now, and so return to 0.
NOW = {
    "clients": ("here",),
    "chat": ("members",),
    "files over HTTP": ("transfers",),
    "raw files": ("transfers",),
}


class WatchedServer:
    def __init__(self, folder, engine, grace):
        self.folder = folder
        endpoints = [word for name in SERVICES.values() for word in (f"--{name}", "127.0.0.1:0")]
        flags = ["--engine", engine, "--max-clients", "20000", "--grace", f"{grace}s"]
        self.process = subprocess.Popen(
            [SLUICE, "serve", *endpoints, *flags, "--files", folder, "--log-format", "json"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={k: v for k, v in os.environ.items() if not k.startswith("SLUICE_")}
            | {"SLUICE_CONFIG": "none"},
        )
        self.pid = self.process.pid
        self.ports = {}
        self.engine = None
        self.wrong = []
        self.stopping = False  # what is under way after the grace is refused, and its client told
        self.kept = set()  # numbers of raw streams that were found whole, and removed
        self.counted = {}
        self.changed = threading.Condition()
        self.readers = [
            threading.Thread(target=self.read_lines, args=pipe, daemon=True)
            for pipe in ((self.process.stdout, self.take_out), (self.process.stderr, self.take_log))
        ]
        for each in self.readers:
            each.start()
        with self.changed:
            if not self.changed.wait_for(lambda: self.ports, TIMEOUT):
                raise AssertionError(f"sluice serve did not start: {self.wrong}")

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        self.process.kill()
        self.process.wait()
        for each in self.readers:
            each.join()

    # ----- what it says

    @staticmethod
    def read_lines(pipe, take):
        with pipe:
            for line in pipe:
                take(line)

    def take_out(self, line):
        found = re.match(rb"Received (\d+) bytes from \[Client \d+\] as (upload-\S+) \(sha256 (\w+)\)", line)
        if found:
            path = pathlib.Path(self.folder, found[2].decode())
            try:
                data = path.read_bytes()
                if hashlib.sha256(data).hexdigest() != found[3].decode():
                    raise ValueError("another digest than was said")
                self.kept.add(checked_raw(data))
                path.unlink()
            except Exception as problem:
                self.wrong.append(f"{path.name}: {problem!r}")
        elif line.startswith(b"Refused") and not self.stopping:
            self.wrong.append(line.decode().strip())

    def take_log(self, line):
        try:
            said = json.loads(line)
        except ValueError:
            self.wrong.append(f"no JSON on stderr: {line!r}")
            return
        message = said["message"]
        with self.changed:
            if message == "counters":
                self.counted[said["of"]] = said["counters"]
            elif said["level"] in ("warn", "error"):
                self.wrong.append(message)
            elif found := re.match(r"listening on .* \(event, (\w+)\)$", message):
                self.engine = found[1]
            elif message.startswith("files over HTTP on "):
                for place in message.split(", "):
                    service, where = place.split(" on ")
                    self.ports[SERVICES[service]] = int(where.rpartition(":")[2])
            self.changed.notify_all()

    def counters(self):
        """All of now, by service and name."""
        with self.changed:
            self.counted = {}
            self.process.send_signal(signal.SIGUSR1)
            if not self.changed.wait_for(lambda: NOW.keys() <= self.counted.keys(), TIMEOUT):
                raise AssertionError("SIGUSR1 brought no counters")
            return self.counted

    # ----- what it holds

    def memory(self):
        """KiB of its own."""
        return memory_of(self.pid)

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def threads(self):
        return len(os.listdir(f"/proc/{self.pid}/task"))

    def cpu_seconds(self):
        return ticks_of(self.pid) / os.sysconf("SC_CLK_TCK")

    def wait_idle(self):
        """Until no client is here, and no counter says that something goes on."""

        busy = []

        def idle():
            counted = self.counters()
            busy[:] = [
                f"{of}: {name} {counted[of][name]}" for of, names in NOW.items() for name in names
                if counted[of][name]
            ]
            return not busy

        try:
            wait_until(idle, "nothing goes on in the server")
        except AssertionError as problem:
            raise AssertionError(f"{problem}; {busy}") from None

    # ----- its end

    def stop(self, patience):
        """Seconds that it took; its status is checked."""
        began = time.monotonic()
        self.stopping = True
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.wrong.append(f"it did not stop within {patience} s")
            return patience
        took = time.monotonic() - began
        for each in self.readers:
            each.join()
        if status != 0:
            self.wrong.append(f"it ended with status {status}")
        return took
