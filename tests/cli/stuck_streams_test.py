"""Servers and clients whose stdout and stderr are full pipes that are not read."""

import concurrent.futures
import contextlib
import fcntl
import http.client
import os
import pathlib
import re
import select
import signal
import socket
import subprocess
import tempfile
import unittest

from talk_rig import ENVIRONMENT, SLUICE, TIMEOUT, loops, wait_until

PAGE = 4096  # the smallest pipe (pipe(7))
TIMES = 20  # lines, the first of which finds its pipe full already
FOLDER = "FOLDER"  # stands for a directory of each server's own
# What servers say of them goes to stderr.
TELLING = (signal.SIGUSR1, signal.SIGHUP)
PAUSE = 0.05  # before another line is provoked
LOOPS = [("--engine", engine) for engine in loops()]


def models(*names):
    return [("--model", name) for name in names] + LOOPS


def small_pipe():
    reads, writes = os.pipe()
    fcntl.fcntl(writes, fcntl.F_SETPIPE_SZ, PAGE)
    return reads, writes


def fill(pipe):
    """Through a description of its own: the flags of this one are those of the program's stdout."""
    own = os.open(f"/proc/self/fd/{pipe}", os.O_WRONLY | os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(own, b".")
    os.close(own)


class Stuck:
    """A server with `endpoints`, whose streams take nothing from when it listens."""

    def __init__(self, *words, endpoints=1):
        self.out, out = small_pipe()
        self.err, err = small_pipe()
        self.filled = [out, err]
        self.process = subprocess.Popen(
            [SLUICE, *map(str, words), "--grace", "1s"],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=ENVIRONMENT,
        )
        said = b""
        # A line per endpoint, and one that distinguishes them.
        while said.count(b"\n") < (endpoints if endpoints == 1 else endpoints + 1):
            said += os.read(self.err, PAGE)
        self.ports = [int(p) for p in re.findall(r"listening on 127\.0\.0\.1:(\d+)", said.decode())]
        self.places = dict(re.findall(r"(\w[\w ]*) on 127\.0\.0\.1:(\d+)", said.decode()))
        for each in self.filled:
            fill(each)

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        self.process.kill()
        self.process.wait()
        for each in (self.out, self.err, *self.filled):
            os.close(each)

    def dial(self, port=None):
        return socket.create_connection(("127.0.0.1", port or self.ports[0]), timeout=TIMEOUT)

    def converse(self, port=None, question=b"1\n", answer=b"1\n"):
        """Asks and reads the answer, each time in a connection that the server would report."""
        for _ in range(TIMES):
            with self.dial(port) as peer:
                peer.sendall(question)
                received = b""
                while not received.endswith(answer):
                    received += peer.recv(PAGE) or self.process.kill()

    def put(self, times=TIMES, port=None):
        for number in range(times):
            connection = http.client.HTTPConnection(
                "127.0.0.1", port or self.ports[0], timeout=TIMEOUT
            )
            with contextlib.closing(connection):
                connection.request("PUT", f"/{number}", b"hello")
                assert connection.getresponse().status in (201, 204)

    def stream(self, port=None):
        for _ in range(TIMES):
            with self.dial(port) as peer:
                peer.sendall(b"hello")
                peer.shutdown(socket.SHUT_WR)
                assert peer.recv(1) == b""

    def chat(self, port=None):
        for _ in range(TIMES):
            with self.dial(port) as peer:
                assert b"welcome" in peer.makefile("rb").readline()


class Servers(unittest.TestCase):
    """Each serves on, whatever it would say, and a signal ends it."""

    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def check(self, variants, command, use, endpoints=1, signals=TELLING):
        """Of all variants at the same time: for most of it they wait for their stuck streams."""

        def serve(variant):
            folder = tempfile.mkdtemp(dir=self.folder)
            words = [folder if word is FOLDER else word for word in command]
            with Stuck(*words, *variant, endpoints=endpoints) as server:
                for number in signals:
                    server.process.send_signal(number)
                use(server)
                server.process.send_signal(signal.SIGTERM)
                self.assertEqual(server.process.wait(TIMEOUT), 0)

        with concurrent.futures.ThreadPoolExecutor(len(variants)) as threads:
            served = [(variant, threads.submit(serve, variant)) for variant in variants]
        for variant, done in served:
            with self.subTest(variant):
                done.result()

    def test_talk(self):
        command = ("talk", "serve", "--listen", "127.0.0.1:0", "--echo", "--keep")
        self.check(models("sync", "fork", "thread", "pool"), command, Stuck.converse)

    def test_chat(self):
        self.check(LOOPS, ("chat", "serve", "--listen", "127.0.0.1:0"), Stuck.chat)

    def test_files(self):
        command = ("files", "serve", FOLDER, "--no-sync", "--http")
        command += ("127.0.0.1:0", "--raw", "127.0.0.1:0")

        def use(server):
            server.put(port=int(server.places["HTTP"]))
            server.stream(int(server.places["streams"]))

        self.check(models("sync", "fork", "thread", "pool"), command, use, endpoints=2)

    def test_offer(self):
        file = self.folder / "file"
        file.write_bytes(b"hello")

        def use(server):
            for _ in range(TIMES):
                with server.dial() as peer:
                    self.assertEqual(peer.recv(PAGE), b"hello")

        command = ("files", "offer", file, "--listen", "127.0.0.1:0")
        self.check(models("fork", "thread"), command, use)

    def test_compute(self):
        command = ("compute", "serve", "--listen", "127.0.0.1:0")
        self.check(models("fork"), command, Stuck.converse)

    def test_a_program_that_says_much_on_stderr(self):
        script = self.folder / "script"
        script.write_text(
            "#!/bin/sh\nwhile read -r line; do\n"
            "    echo 'a remark that is as long as many a line of a log' >&2\n"
            "    echo $line\ndone\n"
        )
        script.chmod(0o700)
        command = ("compute", "serve", "--listen", "127.0.0.1:0", "--exec", script)
        self.check(models("fork", "thread"), command, Stuck.converse, signals=())

    def test_all_in_one(self):
        command = ["serve", "--files", FOLDER]
        for endpoint in ("--chat", "--http", "--raw", "--compute"):
            command += (endpoint, "127.0.0.1:0")

        def use(server):
            server.chat(int(server.places["chat"]))
            server.converse(int(server.places["compute"]))
            server.stream(int(server.places["raw files"]))

        self.check(LOOPS, command, use, endpoints=4)


class Reported(unittest.TestCase):
    """What a late reader receives: each line, or that it was not shown."""

    def test_files(self):
        for variant in models("fork"):
            with self.subTest(variant), tempfile.TemporaryDirectory() as folder:
                command = ("files", "serve", folder, "--no-sync", "--http", "127.0.0.1:0", *variant)
                with Stuck(*command) as server:
                    server.put()
                    os.read(server.out, PAGE)
                    files = TIMES
                    received = b""
                    os.set_blocking(server.out, False)
                    # What was dropped is reported with the next line that fits.
                    while reported(received) < files or files == TIMES:
                        server.put(1)
                        files += 1
                        while select.select([server.out], [], [], PAUSE)[0]:
                            received += os.read(server.out, PAGE)
                    self.assertEqual(reported(received), files)
                    self.assertEqual(b"not shown" in received, variant == ("--model", "fork"))
                    server.process.send_signal(signal.SIGTERM)
                    self.assertEqual(server.process.wait(TIMEOUT), 0)


def reported(received):
    lost = re.findall(rb"^<< (\d+) lines were not shown here >>\n", received, re.MULTILINE)
    return received.count(b"Received ") + sum(int(number) for number in lost)


class Clients(unittest.TestCase):
    """They wait for their reader, until Ctrl-C."""

    def interrupt(self, *words, stuck="stdout", waits=()):
        reads, writes = small_pipe()
        fill(writes)
        try:
            pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, stuck: writes}
            with subprocess.Popen([SLUICE, *map(str, words)], env=ENVIRONMENT, **pipes) as client:
                try:
                    for each in waits:
                        each(client)
                    client.send_signal(signal.SIGINT)
                    return client.wait(TIMEOUT)
                finally:
                    client.kill()
        finally:
            os.close(reads)
            os.close(writes)

    def test_get(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]

            def answer(_client):
                peer = self.enterContext(listener.accept()[0])
                peer.recv(PAGE)
                peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
                wait_until(lambda: unsent(peer) == 0, "the client has the answer")

            status = self.interrupt(
                "files", "get", f"http://127.0.0.1:{port}/a", "-o", "-", waits=(answer,)
            )
            self.assertEqual(status, 130)


    def test_talk_join(self):
        for stuck in ("stdout", "stderr"):
            with self.subTest(stuck), socket.create_server(("127.0.0.1", 0)) as listener:

                def answer(_client, listener=listener):
                    peer = self.enterContext(listener.accept()[0])
                    peer.sendall(b"hello\n" * TIMES)
                    wait_until(lambda: unsent(peer) == 0, "the client has what was said")

                port = listener.getsockname()[1]
                status = self.interrupt("talk", "join", port, stuck=stuck, waits=(answer,))
                self.assertEqual(status, 130)

    def test_talk_serve_without_an_echo(self):
        def call(server):
            # It handles signals by then.
            listening = re.match(rb"listening on 127\.0\.0\.1:(\d+) ", server.stderr.readline())
            peer = self.enterContext(socket.create_connection(("127.0.0.1", int(listening[1]))))
            peer.sendall(b"hello\n" * TIMES)
            wait_until(lambda: unsent(peer) == 0, "the server has what was said")

        where = ("--listen", "127.0.0.1:0")
        status = self.interrupt("talk", "serve", *where, "--grace", "100ms", waits=(call,))
        self.assertEqual(status, 130)


def unsent(peer):
    """Bytes that the other side has not acknowledged (tcp(7), SIOCOUTQ)."""
    siocoutq = 0x5411
    return int.from_bytes(fcntl.ioctl(peer, siocoutq, bytes(4)), "little")


if __name__ == "__main__":
    unittest.main()
