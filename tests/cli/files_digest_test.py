"""Digests that clients ask for: shared, kept, given up, and never in the way of uploads."""

import contextlib
import pathlib
import select
import unittest

from files_http_rig import DATA, SMALL, HttpServer, HttpTest, on_every_model, statuses
from talk_rig import wait_until

GIB = 1 << 30
ASK = b"HEAD /%s HTTP/1.1\r\nHost: x\r\nWant-Repr-Digest: sha-256=1\r\n\r\n"


class Digests(HttpTest):
    def sparse(self, folder, name, size):
        with open(folder / name, "wb") as file:
            file.truncate(size)

    def bytes_read(self, server):
        """By the process, and by its children that have ended (proc(5), /proc/PID/io)."""
        text = pathlib.Path(f"/proc/{server.process.pid}/io").read_text()
        return int(text.split()[1])

    def has_children(self, server):
        pid = server.process.pid
        return pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text() != ""

    def test_uploads_do_not_wait_behind_them(self):
        self.sparse(self.folder, "huge", 64 * GIB)
        for flags in (("--engine", "epoll"), ("--engine", "uring"), ("--model", "fork")):
            with self.subTest(flags=flags), contextlib.ExitStack() as kept:
                server = kept.enter_context(HttpServer(self.folder, *flags, sync=True))
                asking = [kept.enter_context(server.dial()) for _ in range(6)]
                for peer in asking:
                    peer.sendall(ASK % b"huge")
                self.assertEqual(server.put("/a", DATA)[0] // 100, 2)
                self.assertEqual(server.get("/")[0], 200)
                self.assertEqual(select.select(asking, [], [], 0)[0], [])
                server.process.kill()

    @on_every_model
    def test_they_are_given_up_with_their_last_client(self, flags, folder):
        size = 64 * GIB
        self.sparse(folder, "huge", size)
        with HttpServer(folder, *flags) as server:
            for _ in range(2):
                with server.dial() as peer:
                    peer.sendall(ASK % b"huge")
            if flags[1] == "fork":
                wait_until(lambda: not self.has_children(server), "its children ended")
            else:
                seen = []

                def stands_still():
                    seen.append(self.bytes_read(server))
                    return len(seen) > 100 and seen[-1] == seen[-100]

                wait_until(stands_still, "it reads no more")
            self.assertLess(self.bytes_read(server), size)
            self.assertEqual(server.put("/a", SMALL)[0], 201)

    @on_every_model
    def test_who_has_only_ended_its_stream_is_answered(self, flags, folder):
        self.sparse(folder, "huge", 64 * GIB)
        (folder / "small").write_bytes(DATA)
        with HttpServer(folder, *flags) as server:
            said = server.say(ASK % b"huge", end=True)
            self.assertEqual(statuses(said), [200])
            self.assertNotIn(b"Repr-Digest", said)
            said = server.say(ASK % b"small", end=True)
            self.assertIn(b"Repr-Digest", said)

    def test_what_comes_behind_the_question_is_answered_behind_it(self):
        self.sparse(self.folder, "large", 80 << 20)
        for engine in ("epoll", "uring"):
            with HttpServer(self.folder, "--engine", engine) as server, server.dial() as peer:
                peer.sendall(ASK % b"large")
                peer.sendall(b"GET /none HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                data = b""
                while more := peer.recv(65536):
                    data += more
                self.assertEqual(statuses(data), [200, 404])
                self.assertIn(b"Repr-Digest", data)

    def test_one_is_made_for_all_who_ask_and_kept(self):
        size = 256 << 20
        for flags in (("--engine", "epoll"), ("--model", "thread"), ("--model", "pool")):
            name = "large-" + "".join(flags)
            self.sparse(self.folder, name, size)
            with self.subTest(flags=flags), contextlib.ExitStack() as kept:
                server = kept.enter_context(HttpServer(self.folder, *flags))
                asking = [kept.enter_context(server.dial()) for _ in range(4)]
                for peer in asking:
                    peer.sendall(ASK % name.encode())
                said = {peer.recv(65536).split(b"Repr-Digest: ")[1][:60] for peer in asking}
                self.assertEqual(len(said), 1)
                self.assertEqual(statuses(server.say(ASK % name.encode(), end=True)), [200])
                self.assertLess(self.bytes_read(server), size * 3 // 2)


if __name__ == "__main__":
    unittest.main()
