"""sluice talk as a person sees it, on a pseudo-terminal."""

import fcntl
import os
import pty
import select
import subprocess
import termios
import unittest

from talk_rig import (
    ENVIRONMENT,
    SLUICE,
    TIMEOUT,
    Server,
    TalkTest,
    call,
    listener,
    on_every_engine,
    on_every_loop,
)


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
            if not select.select([self.master], [], [], TIMEOUT)[0]:
                raise AssertionError(f"no {text!r} in {TIMEOUT} s in {self.text!r}")
            try:
                more = os.read(self.master, 4096).decode()
            except OSError:  # the other end is closed
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
            self.assertEqual(server.process.wait(TIMEOUT), 0)

    @on_every_loop
    def test_a_client_that_leaves_during_a_prompt_is_reported_on_a_line_of_its_own(self, engine):
        with listener() as (port, accept):
            command = [SLUICE, "talk", "join", str(port), "--engine", engine]
            with Terminal(command) as client:
                with accept():
                    client.read_until("> ")
                self.assertEqual(
                    client.read_until("'exit'\r\n"),
                    f"\r\nsluice: [Server 127.0.0.1:{port}] went away during your turn, "
                    "without 'exit'\r\n",
                )
                self.assertEqual(client.process.wait(TIMEOUT), 3)

    @on_every_engine
    def test_pasted_lines_and_ctrl_c(self, engine):
        with listener() as (port, accept):
            command = [SLUICE, "talk", "join", str(port), "--engine", engine]
            with Terminal(command) as client, accept() as peer:
                client.type("one\ntwo\n")
                for word in (b"one\n", b"two\n"):
                    self.assertEqual(peer.receive(4), word)
                    peer.send(b"ok\n")
                client.read_until("> ")
                client.type("\x03")
                self.assertEqual(peer.receive_to_end(), b"exit\n")
                self.assertEqual(client.process.wait(TIMEOUT), 130)

    @on_every_engine
    def test_no_prompt_where_stdin_is_no_terminal(self, engine):
        with Server(engine) as server, call(server.port) as peer:
            peer.send(b"hello\n")
            server.type("exit\n")
            self.assertNotIn(">", server.end()[2])


if __name__ == "__main__":
    unittest.main()
