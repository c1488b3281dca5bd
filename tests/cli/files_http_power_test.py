"""What was acknowledged outlives a loss of power, and nothing else is seen: on a disk of its own."""

import contextlib
import fcntl
import os
import shutil
import struct
import subprocess
import threading
import unittest

from files_http_rig import HttpServer, HttpTest
from talk_rig import SLUICE, Program

# linux/fs/ext4/ext4.h: no more is written from now on, not even the log.
EXT4_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = struct.pack("I", 2)


def run(*command):
    return subprocess.run([str(word) for word in command], capture_output=True).returncode == 0


class Disk:
    """A file system in a file; needs root and loop devices."""

    def __init__(self, folder):
        self.image, self.where = folder / "image", folder / "disk"
        self.where.mkdir()
        with open(self.image, "wb") as image:
            image.truncate(96 << 20)
        if not shutil.which("mkfs.ext4") or not run("mkfs.ext4", "-q", "-F", self.image):
            raise unittest.SkipTest("there is no mkfs.ext4 here")
        self.mount()

    def mount(self):
        if not run("mount", "-o", "loop", self.image, self.where):
            raise unittest.SkipTest("mounting needs root and a loop device")

    def unmount(self):
        return run("umount", "-l", self.where)

    def lose_power(self):
        root = os.open(self.where, os.O_RDONLY)
        try:
            fcntl.ioctl(root, EXT4_IOC_SHUTDOWN, NO_LOG_FLUSH)
        finally:
            os.close(root)


class Power(HttpTest):
    def test_what_was_acknowledged_is_whole_after_a_loss_of_power(self):
        disk = Disk(self.folder)
        self.addCleanup(disk.unmount)
        files = {f"dir{i % 3}/file{i}": os.urandom(200_000 + i) for i in range(200)}
        acknowledged = []
        with Program(
            SLUICE, "files", "serve", disk.where / "store", "--create", "--http", "127.0.0.1:0", "--quiet"
        ) as program:
            server = HttpServer.__new__(HttpServer)
            server.port = int(program.expect_stderr(r"^listening on 127\.0\.0\.1:(\d+) ")[1])

            def put_all(names):
                with contextlib.suppress(OSError), server.open() as connection:
                    for name in names:
                        connection.request("PUT", f"/{name}", files[name])
                        answer = connection.getresponse()
                        answer.read()
                        if answer.status != 201:
                            return
                        acknowledged.append(name)

            names = list(files)
            writers = [threading.Thread(target=put_all, args=(names[i::4],)) for i in range(4)]
            for each in writers:
                each.start()
            while len(acknowledged) < 40 and any(each.is_alive() for each in writers):
                program.process.poll()
            known = list(acknowledged)
            disk.lose_power()
            for each in writers:
                each.join()
        self.assertTrue(disk.unmount())
        disk.mount()
        store = disk.where / "store"
        self.assertGreaterEqual(len(known), 40)
        for name in known:
            self.assertTrue((store / name).read_bytes() == files[name], name)
        for path in store.rglob("*"):
            if path.is_file() and path.name[0] != ".":
                self.assertTrue(path.read_bytes() == files[str(path.relative_to(store))], path)


if __name__ == "__main__":
    unittest.main()
