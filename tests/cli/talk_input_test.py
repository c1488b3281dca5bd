"""sluice talk with every kind of stdin and stdout: pipes, files, terminals, nothing at all."""

import fcntl
import os
import pathlib
import pty
import select
import subprocess
import tempfile
import termios
import unittest

from talk_rig import (
    ENVIRONMENT,
    PATIENCE,
    SLUICE,
    Client,
    Program,
    Server,
    TalkTest,
    call,
    door,
    on_every_engine,
    on_every_loop,
    wait_until,
)


class Stdin(TalkTest):
    @on_every_engine
    def test_a_regular_file(self, engine):
        with tempfile.TemporaryFile() as answers, tempfile.TemporaryFile() as questions:
            answers.write(b"1\n2\nnever needed\n")
            answers.seek(0)
            questions.write("eins\nzwei\nüber, ohne Ende".encode())
            questions.seek(0)
            with Server(engine, stdin=answers) as server:
                with Client(engine, server.port, stdin=questions) as client:
                    name = f"[Server 127.0.0.1:{server.port}]"
                    out = f"{name}: 1\n{name}: 2\n{name}: never needed\n"
                    err = self.assert_ends(client, 0, out)
                    self.assertIn("your input is at its end: you ended the conversation\n", err)
                heard = server.end()[1].splitlines()[1:]
                self.assertEqual(
                    [line.partition("]: ")[2] for line in heard],
                    ["eins", "zwei", "über, ohne Ende"],
                )

    @on_every_engine
    def test_dev_null_answers_exit(self, engine):
        with Server(engine, stdin=subprocess.DEVNULL) as server, call(server.port) as peer:
            peer.send(b"hello\n")
            self.assertEqual(peer.receive_to_end(), b"exit\n")
            self.assert_ends(
                server,
                0,
                f"[Client {peer.name}] connected\n[Client {peer.name}]: hello\n",
                "your input is at its end",
            )
        with door() as (port, accept):
            with Client(engine, port, stdin=subprocess.DEVNULL) as client, accept() as peer:
                self.assertEqual(peer.receive_to_end(), b"exit\n")
                self.assert_ends(client, 0, "")

    @on_every_engine
    def test_the_end_before_our_turn_does_not_matter(self, engine):
        with Server(engine) as server:
            server.end_input()
            with call(server.port) as peer:
                server.hear()
                peer.send(b"hello\n")
                self.assertEqual(peer.receive_to_end(), b"exit\n")
            self.assert_ends(server, 0)

    @on_every_engine
    def test_an_echo_needs_none(self, engine):
        with Server(engine, "--echo", stdin=subprocess.DEVNULL) as server:
            with call(server.port) as peer:
                peer.send(b"hello\nexit\n")
                self.assertEqual(peer.receive_to_end(), b"hello\n")
            self.assert_ends(server, 0)

    @on_every_engine
    def test_closed(self, engine):
        with Server(engine, stdin=None, preexec_fn=lambda: os.close(0)) as server:
            with call(server.port) as peer:
                peer.send(b"hello\n")
                self.assertEqual(peer.receive_to_end(), b"exit\n")
            self.assert_ends(server, 0)

    @on_every_engine
    def test_a_server_that_keeps_on_ends_when_nobody_can_answer(self, engine):
        with Server(engine, "--keep", stdin=subprocess.DEVNULL) as server:
            with call(server.port) as peer:
                peer.send(b"hello\n")
                self.assertEqual(peer.receive_to_end(), b"exit\n")
            self.assert_ends(server, 0, err="nobody can answer the next client, so the server")

    @on_every_engine
    def test_a_line_that_is_too_long(self, engine):
        with Server(engine, "--max-line", "1K") as server, call(server.port) as peer:
            server.type("x" * 1025 + "\n")
            peer.send(b"hello\n")
            self.assertEqual(peer.receive_to_end(), b"exit\n")
            self.assert_ends(server, 1, err="^sluice: your line is longer than 1024 bytes")

    @on_every_engine
    def test_one_that_cannot_be_read(self, engine):
        folder = os.open("/", os.O_RDONLY)
        try:
            with Server(engine, stdin=folder) as server, call(server.port) as peer:
                peer.send(b"hello\n")
                self.assertEqual(peer.receive_to_end(), b"exit\n")
                self.assert_ends(server, 1, err="cannot read your input .is a directory")
        finally:
            os.close(folder)


class Terminal:
    """What a person would look at: a pseudo-terminal as stdin and stderr, or as everything."""

    def __init__(self, command, **streams):
        self.master, slave = pty.openpty()
        self.text = ""
        streams = {"stdin": slave, "stderr": slave, "stdout": subprocess.PIPE} | {
            name: slave if value == "terminal" else value for name, value in streams.items()
        }
        self.process = subprocess.Popen(
            command,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env=ENVIRONMENT,
            **streams,
        )
        os.close(slave)

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        self.process.kill()
        self.process.wait()
        os.close(self.master)
        for stream in (self.process.stdout, self.process.stderr):
            if stream:
                stream.close()

    def type(self, text):
        os.write(self.master, text.encode())

    def read_until(self, text):
        """Everything on the terminal up to `text`, from where the last call ended."""
        while text not in self.text:
            if not select.select([self.master], [], [], PATIENCE)[0]:
                raise AssertionError(f"no {text!r} in {PATIENCE} s in {self.text!r}")
            try:
                more = os.read(self.master, 4096).decode()
            except OSError:  # nobody has the other end any more
                more = ""
            if not more:
                raise AssertionError(f"no {text!r} in {self.text!r}")
            self.text += more
        before, _, self.text = self.text.partition(text)
        return before + text


class OnATerminal(TalkTest):
    @on_every_engine
    def test_a_conversation_as_it_looks(self, engine):
        command = [SLUICE, "talk", "serve", "--listen", "0", "--engine", engine]
        with Terminal(command, stdout="terminal") as server:
            server.read_until("listening on 127.0.0.1:")
            port = int(server.read_until(" ").strip())
            with call(port) as peer:
                server.read_until(f"[Client {peer.name}] connected\r\n")
                peer.send(b"hello\n")
                server.read_until(f"[Client {peer.name}]: hello\r\n> ")
                server.type("hi\n")
                self.assertEqual(server.read_until("hi\r\n"), "hi\r\n")
                self.assertEqual(peer.receive(3), b"hi\n")
                peer.send(b"bye\n")
                server.read_until(f"[Client {peer.name}]: bye\r\n> ")
                server.type("\x04")  # Ctrl-D
                self.assertEqual(peer.receive_to_end(), b"exit\n")
            shown = server.read_until("you ended the conversation\r\n")
            self.assertEqual(
                shown, "\r\nyour input is at its end: you ended the conversation\r\n"
            )
            self.assertEqual(server.process.wait(PATIENCE), 0)

    @on_every_loop
    def test_who_leaves_during_a_prompt_is_told_on_a_line_of_its_own(self, engine):
        with door() as (port, accept):
            command = [SLUICE, "talk", "join", str(port), "--engine", engine]
            with Terminal(command) as client:
                with accept():
                    client.read_until("> ")
                self.assertEqual(
                    client.read_until("'exit'\r\n"),
                    f"\r\nsluice: [Server 127.0.0.1:{port}] went away during your turn, "
                    "without 'exit'\r\n",
                )
                self.assertEqual(client.process.wait(PATIENCE), 3)

    @on_every_engine
    def test_pasted_lines_and_ctrl_c(self, engine):
        with door() as (port, accept):
            command = [SLUICE, "talk", "join", str(port), "--engine", engine]
            with Terminal(command) as client, accept() as peer:
                client.type("one\ntwo\n")
                for word in (b"one\n", b"two\n"):
                    self.assertEqual(peer.receive(4), word)
                    peer.send(b"ok\n")
                client.read_until("> ")
                client.type("\x03")
                self.assertEqual(peer.receive_to_end(), b"exit\n")
                self.assertEqual(client.process.wait(PATIENCE), 130)

    @on_every_engine
    def test_no_prompt_where_stdin_is_no_terminal(self, engine):
        with Server(engine) as server, call(server.port) as peer:
            peer.send(b"hello\n")
            server.type("exit\n")
            self.assertNotIn(">", server.end()[2])


class Stdout(TalkTest):
    @on_every_engine
    def test_lines_come_one_by_one(self, engine):
        """Every other test would hang if they did not; here it is said."""
        with Server(engine) as server, call(server.port) as peer:
            self.assertEqual(server.hear(), f"[Client {peer.name}] connected\n")

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

    @on_every_engine
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
                self.assertEqual(process.wait(PATIENCE), 0)
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
