"""What unfinished uploads take: disk space, directories, and parts that no client resumes."""

import contextlib
import json
import os
import socket
import unittest

from files_http_rig import DATA, SMALL, HttpServer, HttpTest, on_every_model
from files_http_shortage_test import small_disk
from talk_rig import wait_until

MIB = 1 << 20


def hidden(folder):
    return sorted(name for name in os.listdir(folder) if name.startswith(".sluice-part-"))


class Parts(HttpTest):
    def leave_part(self, server, path, count=100_000):
        """Sends the beginning of a file, and vanishes."""
        head = (
            f"PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(DATA)}\r\n"
            f"Content-Range: bytes 0-{len(DATA) - 1}/{len(DATA)}\r\n\r\n"
        )
        with server.dial() as peer:
            peer.sendall(head.encode() + DATA[:count])
        self.assertIn("waits to be resumed", server.read_line())

    @on_every_model(but=("sync",))
    def test_a_head_and_a_trickle_take_no_space_from_others(self, flags, folder):
        head = b"PUT /big HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\nx" % (12 * MIB)
        with small_disk(folder / "disk", "16m") as disk, contextlib.ExitStack() as kept:
            flags += ("--quota", "14M")
            if flags[1] == "pool":
                flags += ("--workers", "8")
            server = kept.enter_context(HttpServer(disk, *flags))
            for _ in range(4):
                peer = kept.enter_context(server.dial())
                peer.sendall(head)
            self.assertEqual(server.put("/a", bytes(10 * MIB))[0], 201)
            # What can never fit is refused at once.
            self.assertEqual(server.put("/b", bytes(5 * MIB))[0], 507)

    def test_a_trickle_at_the_raw_endpoint_takes_no_space_either(self):
        with HttpServer(self.folder, "--raw", "127.0.0.1:0", "--quota", "8M") as server:
            raw = int(server.expect_stderr(r"^listening on 127\.0\.0\.1:(\d+) \(")[1])
            with socket.create_connection(("127.0.0.1", raw)) as peer:
                peer.sendall(b"x")
                self.assertEqual(server.put("/a", bytes(7 * MIB))[0], 201)
                peer.shutdown(socket.SHUT_WR)
                self.assertEqual(peer.recv(1), b"")
        self.assertEqual(len(self.visible()), 2)

    def test_parts_that_are_not_resumed_go_while_the_server_runs(self):
        for flags in (("--engine", "epoll"), ("--model", "fork")):
            flags += ("--keep-partial", "1s", "--quota", "4M", "--stats")
            with self.subTest(flags=flags), HttpServer(self.folder, *flags) as server:
                self.leave_part(server, "/a", 1_500_000)
                self.assertEqual(len(hidden(self.folder)), 1)

                def gone():
                    # Under fork the processes that serve look for old parts.
                    server.get("/none")
                    return not hidden(self.folder)

                wait_until(gone, "the part is gone")
                # Its space is free again.
                self.assertEqual(server.put("/b", DATA)[0] // 100, 2)
                (self.folder / "b").unlink()

                def counted():
                    now = server.counters()
                    return (now["parts_expired"], now["parts_waiting"]) == (1, 0)

                wait_until(counted, "it is counted")

    def test_there_are_no_more_parts_than_there_may_be(self):
        for flags in (("--engine", "epoll"), ("--model", "fork")):
            flags += ("--max-partial", "3", "--quota", "4M", "--stats")
            with self.subTest(flags=flags), HttpServer(self.folder, *flags) as server:
                for i in range(12):
                    self.leave_part(server, f"/{i}", 100_000 - i)
                    self.assertLessEqual(len(hidden(self.folder)), 3)
                self.assertEqual(server.put("/b", bytes(3_500_000))[0] // 100, 2)
                counted = server.counters()
                self.assertGreaterEqual(counted["parts_crowded_out"], 9)
                self.assertEqual(counted["parts_waiting"], len(hidden(self.folder)))
            for name in os.listdir(self.folder):
                (self.folder / name).unlink()

    def test_parts_are_listed_and_removed(self):
        with HttpServer(self.folder, "--allow-delete") as server:
            self.assertEqual(json.loads(server.get("/?parts")[2]), {"parts": []})
            self.leave_part(server, "/dir/a \"b\"".replace(" ", "%20").replace('"', "%22"))
            status, fields, body = server.get("/?parts")
            self.assertEqual((status, fields["Content-Type"]), (200, "application/json"))
            (part,) = json.loads(body)["parts"]
            self.assertEqual((part["size"], part["active"]), (100_000, False))
            if part["total"]:
                self.assertEqual((part["path"], part["total"]), ('/dir/a "b"', len(DATA)))
            self.assertEqual(server.ask("DELETE", "/?part=none")[0], 404)
            self.assertEqual(server.ask("DELETE", f"/?part={part['id']}")[0], 204)
            self.assertEqual(hidden(self.folder), [])
            self.assertEqual(server.ask("DELETE", f"/?part={part['id']}")[0], 404)
        with HttpServer(self.folder) as server:
            self.assertEqual(server.ask("DELETE", "/?part=00")[0], 405)

    def test_one_upload_makes_some_directories_and_not_any_number(self):
        with HttpServer(self.folder) as server:
            deep = "/d" * 32
            self.assertEqual(server.put(deep + "/file", SMALL)[0], 201)
            status, _, why = server.put("/e" + deep + "/file", SMALL)
            self.assertEqual(status, 409)
            self.assertIn(b"at most 32 directories", why)
            part = {"Content-Range": "bytes 0-12/13"}
            self.assertEqual(server.ask("PUT", "/e" + deep + "/file", SMALL, part)[0], 409)
            self.assertEqual(self.visible(), ["d"])
            self.assertEqual(server.put(deep + deep + "/file", SMALL)[0], 201)


if __name__ == "__main__":
    unittest.main()
