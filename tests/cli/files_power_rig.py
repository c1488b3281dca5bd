"""A disk that loses its power under a server of files."""

import contextlib
import fcntl
import http.client
import os
import shutil
import socket
import struct
import subprocess
import threading

from network_rig import NotTried, libc
from talk_rig import KILL, SLUICE, TIMEOUT, Program, wait_until

# linux/fs/ext4/ext4.h: no more is written from now on, not even the log.
EXT4_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = struct.pack("I", 2)
CLONE_NEWNS = 0x00020000
SIZES = (0, 1, 4096, 60_000, 300_000, 2_000_000)


def run(*command):
    return subprocess.run([str(word) for word in command], capture_output=True).returncode == 0


def have_mounts_alone():
    """From now on this thread and its children have mounts of their own. A namespace that is made
    meanwhile, as `ip netns exec` makes one, has copies of all others', and a file system is the same
    one, without its power, when it is unmounted here and mounted again."""
    if libc.unshare(CLONE_NEWNS) != 0 or not run("mount", "--make-rprivate", "/"):
        raise NotTried("a mount namespace needs root")


class Disk:
    """A file system in a file; needs root and loop devices."""

    def __init__(self, folder):
        have_mounts_alone()
        self.image, self.where = folder / "image", folder / "disk"
        self.where.mkdir()
        with open(self.image, "wb") as image:
            image.truncate(256 << 20)
        if not shutil.which("mkfs.ext4") or not run("mkfs.ext4", "-q", "-F", self.image):
            raise NotTried("there is no mkfs.ext4 here")
        self.mount()

    def mount(self):
        if not run("mount", "-o", "loop", self.image, self.where):
            raise NotTried("mounting needs root and a loop device")

    def close(self):
        # Of a test that failed, a server may still run.
        run("umount", "-l", self.where)

    def fail(self):
        root = os.open(self.where, os.O_RDONLY)
        try:
            fcntl.ioctl(root, EXT4_IOC_SHUTDOWN, NO_LOG_FLUSH)
        finally:
            os.close(root)

    def come_back(self):
        wait_until(lambda: run("umount", self.where), "the disk is not in use any more")
        self.mount()


class Uploads:
    """Files that are sent at the same time, and those of them that were acknowledged."""

    def __init__(self, web, raw, chance):
        self.web, self.raw, self.chance = web, raw, chance
        self.sent, self.stored = {}, set()
        self.streamed, self.kept = set(), set()
        writers = [(self.put_all, number) for number in range(3)] + [(self.stream_all, 3)]
        self.threads = [threading.Thread(target=self.write, args=each) for each in writers]
        self.lock = threading.Lock()
        for thread in self.threads:
            thread.start()

    def data(self):
        with self.lock:
            return self.chance.randbytes(self.chance.choice(SIZES))

    def write(self, how, number):
        """Until the disk fails: nothing that is sent afterwards is taken."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            how(number)

    def put_all(self, writer):
        connection = http.client.HTTPConnection("127.0.0.1", self.web, timeout=TIMEOUT)
        with contextlib.closing(connection):
            for number in range(1000):
                name = f"folder{writer}/{number % 5}/{number}"
                self.sent[name] = self.data()
                connection.request("PUT", f"/{name}", self.sent[name])
                answer = connection.getresponse()
                answer.read()
                if answer.status != 201:
                    return
                self.stored.add(name)

    def stream_all(self, _writer):
        for _ in range(1000):
            data = self.data()
            self.streamed.add(data)
            with socket.create_connection(("127.0.0.1", self.raw), TIMEOUT) as peer:
                peer.sendall(data)
                peer.shutdown(socket.SHUT_WR)
                if peer.recv(1) == b"":
                    self.kept.add(data)

    def acknowledged(self):
        return len(self.stored) + len(self.kept)

    def join(self):
        for thread in self.threads:
            thread.join()

    def check(self, store):
        """What was acknowledged is there, and what is there is whole."""
        for name in self.stored:
            assert (store / name).read_bytes() == self.sent[name], f"{name} was acknowledged"
        found = set()
        for path in store.rglob("*"):
            if path.is_dir() or path.name.startswith("."):
                continue
            data = path.read_bytes()
            if path.parent == store:
                assert data in self.streamed, f"{path.name} is no stream that was sent"
                found.add(data)
            else:
                name = str(path.relative_to(store))
                assert data == self.sent[name], f"{name} is not what was sent"
        assert found >= self.kept, "a stream was kept and is not there"


def lose_power(disk, flags, chance):
    """Once, in the middle of uploads, and checks what is there afterwards: how many files had been
    acknowledged. The disk is empty again then."""
    store = disk.where / "store"
    store.mkdir()
    doors = ("--http", "127.0.0.1:0", "--raw", "127.0.0.1:0")
    with Program(SLUICE, "files", "serve", store, *doors, "--quiet", *flags) as server:
        listening = r"^listening on 127\.0\.0\.1:(\d+) "
        web, raw = (int(server.expect_stderr(listening)[1]) for _ in range(2))
        uploads = Uploads(web, raw, chance)
        enough = chance.randrange(1, 25)
        wait_until(lambda: uploads.acknowledged() >= enough, f"{enough} files are acknowledged")
        disk.fail()
        uploads.join()
        server.signal(KILL)
        server.process.wait()
    disk.come_back()
    uploads.check(store)
    shutil.rmtree(store)
    return uploads.acknowledged()
