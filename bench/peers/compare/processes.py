"""Starts, pins, reads and ends processes, and never leaves one behind."""

import ctypes
import os
import re
import resource
import select
import signal
import subprocess
import tempfile
import time

PR_SET_PDEATHSIG = 1
TIMEOUT = 15  # seconds until a server must say where it listens

_libc = ctypes.CDLL(None, use_errno=True)


class Failed(Exception):
    """A program did not do its part; the text says which, what and why."""


def cores():
    """Two cores for (server, load), hyperthreads of one core only if there is nothing else."""
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        raise Failed("this needs two cores, one for the server and one for the load; here is one")
    server = usable[-1]
    path = f"/sys/devices/system/cpu/cpu{server}/topology/thread_siblings_list"
    siblings = set()
    try:
        with open(path, encoding="ascii") as file:
            for part in file.read().strip().split(","):
                first, _, last = part.partition("-")
                siblings.update(range(int(first), int(last or first) + 1))
    except OSError:
        pass
    others = [core for core in usable if core not in siblings] or usable[:-1]
    return server, others[0]


def open_files():
    """How many descriptors a process of ours may open."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def _prepare(core, nice, parent):
    """Runs in the child, between fork and exec."""
    # If we are killed outright, none of our processes remains.
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    os.sched_setaffinity(0, core if isinstance(core, set) else {core})
    most = open_files()
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if nice:
        os.setpriority(os.PRIO_PROCESS, 0, nice)
        try:
            # A new session is a scheduling group of its own, to which nice does not reach.
            with open("/proc/self/autogroup", "w", encoding="ascii") as file:
                file.write(str(nice))
        except OSError:
            pass


class Process:
    """One pinned program in a session of its own; ends with the `with` that holds it."""

    def __init__(self, command, core, nice=0, stdin=subprocess.DEVNULL):
        self.command = [str(word) for word in command]
        self._stderr = tempfile.TemporaryFile()
        parent = os.getpid()
        try:
            self._child = subprocess.Popen(
                self.command,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                start_new_session=True,
                preexec_fn=lambda: _prepare(core, nice, parent),
            )
        except (OSError, subprocess.SubprocessError) as error:
            self._stderr.close()
            raise Failed(f"{self.command[0]} cannot be started: {error}") from error
        self.pid = self._child.pid
        self.stdin = self._child.stdin
        self.stdout = self._child.stdout

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        """SIGTERM, SIGKILL a second later, and its pipes closed."""
        if self._child.poll() is None:
            self._child.terminate()
            try:
                self._child.wait(1)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
        for pipe in (self.stdin, self.stdout):
            if pipe:
                pipe.close()
        self._stderr.close()

    def words(self):
        """What it said on stderr."""
        self._stderr.seek(0)
        return self._stderr.read().decode(errors="replace").strip()

    def failed(self, what):
        words = self.words()
        return Failed(f"{' '.join(self.command)}: {what}" + (f": {words}" if words else ""))

    def port(self):
        """The port it says it listens on."""
        end = time.monotonic() + TIMEOUT
        while time.monotonic() < end:
            if found := re.search(r"listening on \S+:(\d+)", self.words()):
                return int(found[1])
            if self._child.poll() is not None:
                raise self.failed(f"ended with status {self._child.returncode} before it listened")
            time.sleep(0.01)
        raise self.failed(f"did not say `listening on HOST:PORT` within {TIMEOUT} s")

    def output(self, timeout):
        """Waits for its end and returns its stdout; its failure is ours."""
        try:
            out, _ = self._child.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            raise self.failed(f"did not end within {timeout:.0f} s") from None
        if self._child.returncode != 0:
            raise self.failed(f"failed with status {self._child.returncode}")
        return out.decode()

    def answer(self, timeout):
        """The next line of its stdout."""
        ready, _, _ = select.select([self.stdout], [], [], timeout)
        line = self.stdout.readline() if ready else b""
        if not line:
            raise self.failed(f"said nothing for {timeout} s")
        return line.decode()

    def memory(self):
        """Its own share of memory, in bytes: Rss, Pss and the anonymous part of Pss (proc(5))."""
        sizes = {}
        try:
            with open(f"/proc/{self.pid}/smaps_rollup", encoding="ascii") as file:
                for line in file:
                    name, _, rest = line.partition(":")
                    if name in ("Rss", "Pss", "Pss_Anon"):
                        sizes[name.lower()] = int(rest.split()[0]) * 1024
        except OSError as error:
            raise self.failed(f"its memory cannot be read: {error}") from error
        return sizes

    def cpu_ticks(self):
        """Ticks of CPU it has used, user and system, all threads (proc(5), /proc/PID/stat)."""
        with open(f"/proc/{self.pid}/stat", encoding="ascii", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])
