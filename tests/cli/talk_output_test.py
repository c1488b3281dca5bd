"""sluice talk with every kind of stdout: pipes, files, readers that go away, nothing at all."""

import os
import pathlib
import subprocess
import tempfile
import unittest

from talk_rig import (
    SLUICE,
    TIMEOUT,
    Program,
    Server,
    TalkTest,
    call,
    on_every_engine,
    one_by_one,
    wait_until,
)


class Stdout(TalkTest):
    @on_every_engine
    def test_lines_come_one_by_one(self, engine):
        """Every other test would hang if they did not; here it is said."""
        with Server(engine) as server, call(server.port) as peer:
            self.assertEqual(server.read_line(), f"[Client {peer.name}] connected\n")

    @on_every_engine
    def test_a_regular_file(self, engine):
        with tempfile.TemporaryFile() as shown:
            with Server(engine, "--echo", stdout=shown) as server, call(server.port) as peer:
                peer.send(b"hello\nexit\n")
                self.assertEqual(peer.receive_to_end(), b"hello\n")
                self.assert_ends(server, 0)
            shown.seek(0)
            self.assertEqual(
                shown.read().decode(),
                f"[Client {peer.name}] connected\n[Client {peer.name}]: hello\n",
            )

    @on_every_engine(how=one_by_one)
    def test_a_reader_that_goes_away(self, engine):
        reads, writes = os.pipe()
        with Server(engine, "--keep", stdout=writes) as server:
            os.close(writes)
            os.close(reads)
            with call(server.port) as peer:
                self.assertEqual(peer.receive_to_end(), b"exit\n")
            self.assert_ends(server, 1, err="cannot write to standard output .broken pipe")

    @on_every_engine
    def test_a_full_disk(self, engine):
        with open("/dev/full", "wb") as full, Server(engine, stdout=full) as server:
            with call(server.port) as peer:
                self.assertEqual(peer.receive_to_end(), b"exit\n")
            self.assert_ends(server, 1, err="cannot write to standard output .no space left")

    @on_every_engine
    def test_closed(self, engine):
        for command in (("serve", "--listen", "0"), ("join", "1")):
            with Program(
                SLUICE,
                "talk",
                *command,
                "--engine",
                engine,
                stdout=None,
                preexec_fn=lambda: os.close(1),
            ) as program:
                self.assert_ends(program, 1, err="^sluice: standard output is closed")

    @on_every_engine
    def test_closed_with_all_others(self, engine):
        """Sockets must not get their numbers: what is said there would go to the peer."""
        with tempfile.TemporaryDirectory() as folder:
            where = pathlib.Path(folder, "out")
            process = subprocess.Popen(
                ["sh", "-c", 'exec "$@" <&- >"$0" 2>&-', where]
                + [SLUICE, "talk", "serve", "--echo", "--listen", "0", "--engine", engine]
            )
            try:
                wait_until(lambda: port_of(process.pid) is not None, "the server listens")
                with call(port_of(process.pid)) as peer:
                    peer.send(b"hello\nexit\n")
                    self.assertEqual(peer.receive_to_end(), b"hello\n")
                self.assertEqual(process.wait(TIMEOUT), 0)
            finally:
                process.kill()
                process.wait()


def port_of(pid):
    """Where a process that says nothing listens (proc(5))."""
    links = []
    for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            links.append(os.readlink(entry))
        except OSError:  # closed meanwhile
            continue
    for line in pathlib.Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        row = line.split()
        if row[3] == "0A" and f"socket:[{row[9]}]" in links:
            return int(row[1].partition(":")[2], 16)
    return None


if __name__ == "__main__":
    unittest.main()
