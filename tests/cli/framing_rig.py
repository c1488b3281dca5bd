"""Peers whose bytes come with pauses between them, or over a link that delays half of them."""

import contextlib
import socket
import threading
import time

from talk_rig import TIMEOUT

# Longer than the 50 ms after which bytes without a newline may be taken for a message.
PAUSE = 0.09


def send_apart(peer, *pieces):
    """Sends each, with a pause between them."""
    peer.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for number, piece in enumerate(pieces):
        if number:
            time.sleep(PAUSE)  # not to wait for anything: the pause is what is tested
        peer.send(piece)


def keys(text):
    """A piece a byte, as a terminal sends them that hands on each key."""
    return [bytes([byte]) for byte in text]


class HalfwayLink:
    """A port that leads to another one, over a link that delays the second half of what a read
    brings. The first line of each direction comes in one piece."""

    def __init__(self, port):
        self.target = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.ends = []
        self.threads = []

    def __enter__(self):
        self.start(self.accept)
        return self

    def __exit__(self, *problem):
        for each in [self.listener, *self.ends]:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(TIMEOUT)
        for each in [self.listener, *self.ends]:
            each.close()

    def start(self, work, *words):
        self.threads.append(threading.Thread(target=work, args=words, daemon=True))
        self.threads[-1].start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                near = self.listener.accept()[0]
                far = socket.create_connection(("127.0.0.1", self.target), timeout=TIMEOUT)
                for each in (near, far):
                    each.settimeout(None)
                    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.ends += [near, far]
                self.start(pass_on, near, far)
                self.start(pass_on, far, near)


def pass_on(source, sink):
    with contextlib.suppress(OSError):
        whole = True
        while data := source.recv(65536):
            half = len(data) if whole else len(data) // 2
            whole = False
            sink.sendall(data[:half])
            if half < len(data):
                time.sleep(PAUSE)
                sink.sendall(data[half:])
        sink.shutdown(socket.SHUT_WR)
