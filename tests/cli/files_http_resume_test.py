"""Uploads that are cut and go on: by clients that vanish, and by a server that is killed."""

import contextlib
import os
import random
import signal
import threading
import time
import unittest

from files_http_rig import (
    DATA,
    SMALL,
    HttpServer,
    HttpTest,
    digest_of,
    on_every_model,
    receive_to_end,
    statuses,
)
from talk_rig import wait_until

# How often the server is killed in the midst of an upload.
KILLS = int(os.environ.get("SLUICE_TEST_KILLS", "20"))


def part(path, data, first, digest=None, last=None):
    """A request that sends `data` from `first` on."""
    end = len(data) if last is None else last + 1
    lines = [
        f"PUT {path} HTTP/1.1", "Host: x", f"Content-Length: {end - first}",
        f"Content-Range: bytes {first}-{end - 1}/{len(data)}",
    ]
    if digest:
        lines.append(f"Repr-Digest: {digest}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n", data[first:end]


def arrived(fields):
    """How much a server says that it has."""
    return int(fields["Range"].removeprefix("bytes=0-")) + 1 if fields["Range"] else 0


def held(folder):
    """The size of the largest hidden file."""
    hidden = (each for each in folder.iterdir() if each.name.startswith("."))
    return max((each.stat().st_size for each in hidden), default=0)


class Resume(HttpTest):
    def how_far(self, server, path, data, digest):
        return server.ask(
            "PUT", path, b"", {"Content-Range": f"bytes */{len(data)}", "Repr-Digest": digest}
        )

    def send_part(self, server, path, data, first, digest, last=None):
        head, body = part(path, data, first, digest, last)
        fields = dict(line.split(": ") for line in head.decode().strip().split("\r\n")[1:])
        return server.ask("PUT", path, body, fields)

    def cut(self, server, path, data, count, digest=None):
        """Sends the beginning, and vanishes."""
        head, body = part(path, data, 0, digest)
        with server.dial() as peer:
            peer.sendall(head + body[:count])
        self.assertIn("waits to be resumed", server.read_line())

    @on_every_model
    def test_what_arrived_is_reported_and_goes_on_under_every_model(self, flags, folder):
        digest = digest_of(DATA)
        with HttpServer(folder, *flags) as server:
            status, fields, _ = self.how_far(server, "/dir/a", DATA, digest)
            self.assertEqual((status, fields["Range"]), (308, None))
            self.cut(server, "/dir/a", DATA, 1_000_000, digest)
            self.assertEqual(self.visible(folder), [])
            status, fields, _ = self.how_far(server, "/dir/a", DATA, digest)
            self.assertEqual((status, arrived(fields)), (308, 1_000_000))
            # What was reserved for the rest has been given back.
            hidden = next(folder.iterdir())
            self.assertLess(hidden.stat().st_blocks * 512, 1_100_000)
            status, fields, _ = self.send_part(server, "/dir/a", DATA, 1_000_000, digest)
            self.assertEqual((status, fields["Repr-Digest"]), (201, digest))
            self.assertTrue((folder / "dir/a").read_bytes() == DATA)
            self.assertEqual(os.listdir(folder), ["dir"])
            status, fields, _ = self.how_far(server, "/dir/a", DATA, digest)
            self.assertEqual((status, fields["Repr-Digest"]), (204, digest))

    def test_parts_come_in_order(self):
        digest = digest_of(DATA)
        with HttpServer(self.folder) as server:
            status, fields, _ = self.send_part(server, "/a", DATA, 5, digest)
            self.assertEqual((status, fields["Range"]), (409, None))
            for first in range(0, 3_000_000, 1_000_000):
                status, fields, _ = self.send_part(
                    server, "/a", DATA, first, digest, first + 999_999
                )
                self.assertEqual((status, arrived(fields)), (308, first + 1_000_000))
                self.assertEqual(self.visible(), [])
            status, fields, _ = self.send_part(server, "/a", DATA, 3_000_001 - 1, digest, None)
            self.assertEqual(status, 201)
            self.assertTrue((self.folder / "a").read_bytes() == DATA)

    def test_bytes_that_come_again_are_written_again(self):
        wrong = bytes(1_000_000) + DATA[1_000_000:]
        digest = digest_of(DATA)
        with HttpServer(self.folder) as server:
            self.send_part(server, "/a", wrong, 0, digest, 1_999_999)
            self.assertEqual(self.send_part(server, "/a", DATA, 0, digest)[0], 201)
            self.assertTrue((self.folder / "a").read_bytes() == DATA)

    def test_a_resumed_file_that_is_another_is_refused_and_forgotten(self):
        digest = digest_of(DATA)
        with HttpServer(self.folder) as server:
            self.send_part(server, "/a", bytes(len(DATA)), 0, digest, 999_999)
            self.assertEqual(self.send_part(server, "/a", DATA, 1_000_000, digest)[0], 422)
            self.assertEqual(os.listdir(self.folder), [])
            self.assertEqual(self.send_part(server, "/a", DATA, 0, digest)[0], 201)

    def test_uploads_of_different_files_to_one_name_are_apart(self):
        other = bytes(len(DATA))
        with HttpServer(self.folder) as server:
            self.cut(server, "/a", DATA, 500_000, digest_of(DATA))
            self.cut(server, "/a", other, 700_000, digest_of(other))
            self.cut(server, "/a", DATA, 300_000)
            self.assertEqual(arrived(self.how_far(server, "/a", DATA, digest_of(DATA))[1]), 500_000)
            self.assertEqual(arrived(self.how_far(server, "/a", other, digest_of(other))[1]), 700_000)
            self.assertEqual(self.send_part(server, "/a", DATA, 500_000, digest_of(DATA))[0], 201)
            self.assertEqual(self.send_part(server, "/a", other, 0, digest_of(other))[0], 204)
            self.assertTrue((self.folder / "a").read_bytes() == other)

    def test_two_who_send_the_same_at_once_do_not_mix(self):
        digest = digest_of(DATA)
        with HttpServer(self.folder) as server:
            head, body = part("/a", DATA, 0, digest)
            with server.dial() as first, server.dial() as second:
                first.sendall(head + body[:100_000])
                # It has the file by now: its bytes have arrived.
                while arrived(self.how_far(server, "/a", DATA, digest)[1]) < 100_000:
                    pass
                second.sendall(head + body)
                first.sendall(body[100_000:])
                self.assertEqual(statuses(first.recv(4096)), [201])
                # It waited, and has it all to itself now.
                self.assertEqual(statuses(second.recv(4096)), [204])
            self.assertTrue((self.folder / "a").read_bytes() == DATA)
            self.assertEqual(os.listdir(self.folder), ["a"])

    def test_parts_wait_as_long_as_they_may(self):
        digest = digest_of(DATA)
        with HttpServer(self.folder) as server:
            self.cut(server, "/a", DATA, 1_000_000, digest)
        with HttpServer(self.folder) as server:
            self.assertEqual(arrived(self.how_far(server, "/a", DATA, digest)[1]), 1_000_000)
        (hidden,) = self.folder.iterdir()
        os.utime(hidden, (0, time.time() - 100_000))
        with HttpServer(self.folder, "--keep-partial", "48h") as server:
            self.assertEqual(arrived(self.how_far(server, "/a", DATA, digest)[1]), 1_000_000)
        with HttpServer(self.folder) as server:
            self.assertEqual(os.listdir(self.folder), [])

    def test_a_quota_counts_parts_and_gives_back_what_never_came(self):
        digest = digest_of(DATA)
        with HttpServer(self.folder, "--quota", "4M") as server:
            self.cut(server, "/a", DATA, 1_000_000, digest)
            self.assertEqual(server.put("/b", bytes(3_150_000))[0], 201)
            status, _, _ = self.send_part(server, "/a", DATA, 1_000_000, digest)
            self.assertEqual(status, 507)
            self.assertEqual(os.listdir(self.folder), ["b"])
            self.assertEqual(server.put("/c", bytes(1_000_000))[0], 201)
            self.assertEqual(server.put("/d", bytes(100_000))[0], 507)
            # Replaced, a file's quota is free for another.
            self.assertEqual(server.put("/b", SMALL)[0], 204)
            pieces = iter([DATA[:1_000_000]] * 3)
            self.assertEqual(server.ask("PUT", "/d", pieces)[0], 201)
            pieces = iter([DATA[:1_000_000]] * 3)
            self.assertEqual(server.ask("PUT", "/e", pieces)[0], 507)
            self.assertEqual(sorted(os.listdir(self.folder)), ["b", "c", "d"])
        # Counted anew at the next start.
        with HttpServer(self.folder, "--quota", "4M") as server:
            self.assertEqual(server.put("/e", bytes(300_000))[0], 507)


class Watcher:
    """Lists a directory all the while, and remembers what it ought not to have seen."""

    def __init__(self, folder, data):
        self.folder, self.data = folder, data
        self.wrong, self.samples, self.ended_well = [], 0, False
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        self.stop.set()
        self.thread.join()
        if not self.ended_well:
            self.wrong.append("the watcher failed")

    def watch(self):
        while not self.stop.is_set():
            self.samples += 1
            for path in self.folder.iterdir():
                if path.name[0] == ".":
                    continue
                # The test takes it away now and then.
                with contextlib.suppress(FileNotFoundError):
                    if path.name != "a" or path.stat().st_size != len(self.data):
                        self.wrong.append(path.name)
            time.sleep(0.001)
        self.ended_well = True


class Killed(HttpTest):
    def test_a_server_that_is_killed_at_any_moment_loses_nothing_it_had(self):
        data = os.urandom(8_000_003)
        digest = digest_of(data)
        chance = random.Random(os.environ.get("SLUICE_TEST_SEED", "1"))
        finished = kills = resumed = 0
        folder = self.folder / "store"
        folder.mkdir()
        with Watcher(folder, data) as watcher:
            while kills < KILLS:
                with HttpServer(folder) as server:
                    _, fields, _ = server.ask(
                        "PUT", "/a", b"",
                        {"Content-Range": f"bytes */{len(data)}", "Repr-Digest": digest},
                    )
                    first = arrived(fields)
                    resumed += first > 0
                    if fields["ETag"] or kills == KILLS - 1:
                        # It is there already: the answer was lost, and not the file.
                        (folder / "a").unlink(missing_ok=True)
                        finished += 1
                        first = 0 if fields["ETag"] else first
                    head, body = part("/a", data, first, digest)
                    limit = chance.randrange(1, len(body) + 1)
                    with server.dial() as peer:
                        peer.sendall(head)
                        if kills % 2 == 0 and limit < len(body):
                            # In the middle for sure: the rest is never sent.
                            peer.sendall(body[:limit])
                            wait_until(lambda: held(folder) > first, "something has arrived")
                            self.kill_after(server, 0)
                        else:
                            self.kill_while_sending(server, peer, body, limit, chance.random())
                    kills += 1
            with HttpServer(folder) as server:
                (folder / "a").unlink(missing_ok=True)
                _, fields, _ = server.ask(
                    "PUT", "/a", b"", {"Content-Range": f"bytes */{len(data)}", "Repr-Digest": digest}
                )
                head, body = part("/a", data, arrived(fields), digest)
                with server.dial() as peer:
                    peer.sendall(head + body)
                    self.assertEqual(statuses(peer.recv(4096)), [201])
        self.assertTrue((folder / "a").read_bytes() == data)
        self.assertEqual(os.listdir(folder), ["a"])
        self.assertEqual(watcher.wrong, [])
        self.assertGreater(watcher.samples, KILLS)
        self.assertGreater(resumed, KILLS // 4, "hardly ever was something resumed")

    def kill_while_sending(self, server, peer, body, limit, delay):
        """Some time after so much of it was sent, while the rest goes on."""
        killer = threading.Thread(target=self.kill_after, args=(server, delay * 0.02))
        try:
            for at in range(0, len(body), 500_000):
                peer.sendall(body[at : at + 500_000])
                if at >= limit and not killer.ident:
                    killer.start()
            if not killer.ident:
                killer.start()
            receive_to_end(peer)
        except OSError:
            pass
        killer.join()

    def kill_after(self, server, seconds):
        time.sleep(seconds)
        server.signal(signal.SIGKILL)
        server.process.wait()


if __name__ == "__main__":
    unittest.main()
