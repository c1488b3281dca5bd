"""The store on file systems of every kind: mounted below it, without O_TMPFILE, links or /proc."""

import os
import pathlib
import shutil
import socket
import stat
import subprocess
import unittest

from files_http_rig import DATA, SMALL, TIMEOUT, HttpServer, HttpTest, digest_of
from talk_rig import SLUICE, Program


def in_a_namespace(test):
    """Runs the test with mounts of its own, which end with it; needs root."""

    def run(self):
        tried = subprocess.run(["unshare", "-m", "true"], capture_output=True)
        if os.geteuid() != 0 or tried.returncode != 0:
            self.skipTest("mounting needs root")
        test(self)

    return run


class Mounted(HttpServer):
    """A server that was started behind `commands` of a shell, in mounts of its own."""

    def __init__(self, commands, directory, *flags):
        words = ["files", "serve", str(directory), "--http", "127.0.0.1:0", *flags]
        Program.__init__(
            self, "unshare", "-m", "sh", "-ec", f'{commands}\nexec "$0" "$@"', SLUICE, *words
        )
        self.port = int(self.expect_stderr(r"^listening on 127\.0\.0\.1:(\d+) ")[1])
        self.files = pathlib.Path(f"/proc/{self.process.pid}/root{directory}")


class Mounts(HttpTest):
    @in_a_namespace
    def test_a_directory_that_cannot_be_written_is_said_at_the_start(self):
        (self.folder / "a").write_bytes(SMALL)
        mount = f"mount --bind '{self.folder}' '{self.folder}'\nmount -o remount,bind,ro '{self.folder}'"
        for flags, why in (((), "read-only"), (("--read-only",), "--allow")):
            with self.subTest(flags), Mounted(mount, self.folder, *flags) as server:
                self.assertEqual(server.get("/a")[2], SMALL)
                status, _, said = server.put("/b", SMALL)
                self.assertEqual(status, 403)
                self.assertIn(why, said.decode())
                server.signal(15)
                said = server.end()[2]
                warned = "info: nothing can be written here (read-only file system)" in said
                self.assertEqual(warned, not flags, said)
                self.assertNotIn("O_TMPFILE", said)

    @in_a_namespace
    def test_another_file_system_below_takes_files(self):
        below = self.folder / "disk"
        below.mkdir()
        mount = f"mount -t tmpfs -o size=16m none '{below}'; mkdir '{below}/sub'"
        digest = digest_of(DATA)
        for flags in (("--no-sync",), ("--model", "fork"), ("--quota", "16M")):
            with self.subTest(flags=flags), Mounted(mount, self.folder, *flags) as server:
                self.assertEqual(server.put("/disk/a", SMALL)[0], 201)
                self.assertEqual(server.put("/disk/a", DATA)[0], 204)
                self.assertEqual(server.put("/disk/a", SMALL, If_None_Match="*")[0], 412)
                self.assertEqual(server.put("/disk/new/deep/b", DATA)[0], 201)
                part = {"Content-Range": f"bytes 0-999999/{len(DATA)}", "Repr-Digest": digest}
                rest = {"Content-Range": f"bytes 1000000-{len(DATA) - 1}/{len(DATA)}"}
                rest["Repr-Digest"] = digest
                self.assertEqual(server.ask("PUT", "/disk/sub/c", DATA[:1000000], part)[0], 308)
                self.assertEqual(server.ask("PUT", "/disk/sub/c", DATA[1000000:], rest)[0], 201)
                self.assertTrue(server.get("/disk/sub/c")[2] == DATA)
                self.assertEqual(server.put("/here", SMALL)[0] // 100, 2)
                self.assertEqual(
                    sorted(os.listdir(server.files / "disk")), ["a", "new", "sub"]
                )

    @in_a_namespace
    def test_where_no_part_can_wait_files_in_one_piece_are_kept(self):
        below = self.folder / "disk"
        below.mkdir()
        self.folder.chmod(0o777)
        commands = (
            f"mount -t tmpfs -o size=16m,mode=755 none '{below}'; mkdir -m 777 '{below}/sub'\n"
            'exec setpriv --reuid=65534 --regid=65534 --clear-groups "$0" "$@"'
        )
        with Mounted(commands, self.folder) as server:
            self.assertEqual(server.put("/disk/sub/a", SMALL)[0], 201)
            self.assertEqual(server.put("/disk/sub/a", SMALL)[0], 204)
            whole = {"Content-Range": f"bytes 0-{len(DATA) - 1}/{len(DATA)}"}
            self.assertEqual(server.ask("PUT", "/disk/sub/b", DATA, whole)[0], 201)
            self.assertTrue(server.get("/disk/sub/b")[2] == DATA)
            part = {"Content-Range": f"bytes 0-99/{len(DATA)}"}
            status, _, why = server.ask("PUT", "/disk/sub/c", DATA[:100], part)
            self.assertEqual(status, 403)
            self.assertIn(b"send the file in one piece", why)
            self.assertEqual(server.put("/disk/d", SMALL)[0], 403)

    @in_a_namespace
    def test_two_mounts_of_one_file_system_are_two(self):
        (self.folder / "disk").mkdir()
        (self.folder / "elsewhere").mkdir()
        mount = f"mount --bind '{self.folder}/elsewhere' '{self.folder}/disk'"
        with Mounted(mount, self.folder) as server:
            self.assertEqual(server.put("/disk/a", SMALL)[0], 201)
            self.assertEqual(server.put("/disk/a", DATA)[0], 204)
        self.assertEqual(os.listdir(self.folder / "elsewhere"), ["a"])

    @in_a_namespace
    def test_without_proc_files_are_kept_as_well(self):
        # Linux before 6.10 links a file by its descriptor for those with this capability alone.
        caps = "--bounding-set -dac_read_search --inh-caps -dac_read_search"
        for more in ("", f'; exec setpriv {caps} "$0" "$@"'):
            with self.subTest(more=more), Mounted("umount -l /proc" + more, self.folder) as server:
                self.assertEqual(server.put("/a", SMALL)[0] // 100, 2)
                self.assertEqual(server.put("/a", DATA)[0], 204)
                self.assertEqual(server.put("/a", DATA, If_None_Match="*")[0], 412)
                self.assertTrue(server.get("/a")[2] == DATA)
        self.assertEqual(os.listdir(self.folder), ["a"])

    @in_a_namespace
    def test_a_file_system_without_the_newer_calls_keeps_what_comes(self):
        if not shutil.which("bindfs") or not os.path.exists("/dev/fuse"):
            self.skipTest("there is no FUSE here")
        (self.folder / "under").mkdir()
        (self.folder / "fuse").mkdir()
        under, fuse = self.folder / "under", self.folder / "fuse"
        mount = (
            f"setpriv --pdeathsig KILL bindfs -f '{under}' '{fuse}' &\n"
            f"until mountpoint -q '{fuse}'; do sleep 0.01; done"
        )
        with Mounted(mount, fuse, "--raw", "127.0.0.1:0") as server:
            raw = int(server.expect_stderr(r"^listening on 127\.0\.0\.1:(\d+) ")[1])
            self.assertIn("O_TMPFILE", "".join(server.err.seen))
            with socket.create_connection(("127.0.0.1", raw), timeout=TIMEOUT) as peer:
                peer.sendall(SMALL)
                peer.shutdown(socket.SHUT_WR)
                self.assertEqual(peer.recv(1), b"")
            self.assertIn("Received 13 bytes", server.read_line())
            self.assertEqual(server.put("/new", SMALL, If_None_Match="*")[0], 201)
            self.assertEqual(server.put("/new", DATA, If_None_Match="*")[0], 412)
            self.assertEqual(server.put("/new", DATA)[0], 204)
            self.assertTrue(server.get("/new")[2] == DATA)
            names = os.listdir(under)
        self.assertEqual(len(names), 2)
        self.assertEqual([name for name in names if name[0] == "."], [])


class Modes(HttpTest):
    def test_the_mask_of_the_process_decides(self):
        for mask in (0o002, 0o077):
            folder = self.folder / f"{mask:o}"
            with HttpServer(folder, preexec_fn=lambda mask=mask: os.umask(mask)) as server:
                self.assertEqual(server.put("/new/a", SMALL)[0], 201)
                part = {"Content-Range": "bytes 0-12/13"}
                self.assertEqual(server.ask("PUT", "/new/b", SMALL, part)[0], 201)
            for name, mode in (("", 0o777), ("new", 0o777), ("new/a", 0o666), ("new/b", 0o666)):
                found = stat.S_IMODE((folder / name).stat().st_mode)
                self.assertEqual(oct(found), oct(mode & ~mask), name)


if __name__ == "__main__":
    unittest.main()
