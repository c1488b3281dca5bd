"""`sluice files put` against servers that do what they should, and what they should not."""

import hashlib
import json
import os
import pathlib
import pty
import queue
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time

from files_rig import Fake, Plain, digest_of, put
from talk_rig import ENVIRONMENT, INTERRUPT, KILL, PEERS, SLUICE, TIMEOUT, Program, TalkTest
from talk_rig import free_port, listener, on_every_engine, on_every_loop, one_by_one

DATA = os.urandom(3_000_001)
SMALL = b"a small file\n"


def nothing_there(request):
    request.reply("308 Permanent Redirect")


def take_it(request):
    body = request.read_body()
    request.reply("201 Created", Repr_Digest=digest_of(body))


class Put(TalkTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.file = self.make("big.bin", DATA)
        self.small = self.make("small.txt", SMALL)

    def make(self, name, data):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    @on_every_engine(how=one_by_one)
    def test_small_files_go_whole_and_large_ones_as_a_part_that_can_be_kept(self, engine):
        with Fake(take_it, nothing_there, take_it) as fake:
            with put(self.small, self.file, fake.url(), engine=engine) as program:
                out = program.end()
        self.assertEqual(out[0], 0, out)
        sha256 = hashlib.sha256(DATA).hexdigest()
        self.assertRegex(
            out[1],
            rf"Sent 13 bytes of '\S+/small.txt' to {fake.url('/small.txt')} \(sha256 [0-9a-f]+\) in "
            rf".*\nSent 3000001 bytes of '\S+/big.bin' to {fake.url('/big.bin')} \(sha256 {sha256}\)",
        )
        whole, question, part = fake.requests
        self.assertEqual((whole.method, whole.target, whole.body), ("PUT", "/small.txt", SMALL))
        self.assertEqual(whole["repr-digest"], digest_of(SMALL))
        self.assertIsNone(whole["content-range"])
        self.assertEqual(question["content-range"], "bytes */3000001")
        self.assertEqual(question["content-length"], "0")
        self.assertEqual(question["repr-digest"], digest_of(DATA))
        self.assertEqual(part["content-range"], "bytes 0-3000000/3000001")
        self.assertEqual(part["expect"], "100-continue")
        self.assertEqual(part["repr-digest"], digest_of(DATA))
        self.assertTrue(part.body == DATA)

    @on_every_engine(how=one_by_one)
    def test_goes_on_from_what_the_server_has(self, engine):
        def has_a_million(request):
            request.reply("308 Permanent Redirect", Range="bytes=0-999999")

        def take_the_rest(request):
            request.read_body()
            request.reply("204 No Content", Content_Length=None, Repr_Digest=digest_of(DATA))

        with Fake(has_a_million, take_the_rest) as fake:
            with put(self.file, fake.url("/x"), "--progress", "json", engine=engine) as program:
                status, out, err = program.end()
        self.assertEqual(status, 0, err)
        self.assertTrue(fake.requests[1].body == DATA[1_000_000:])
        self.assertEqual(fake.requests[1]["content-range"], "bytes 1000000-3000000/3000001")
        done = json.loads(out)
        self.assertEqual(done["event"], "done")
        self.assertEqual(done["file"], str(self.file))
        self.assertEqual(done["to"], fake.url("/x"))
        self.assertEqual((done["bytes"], done["resumed_from"]), (len(DATA), 1_000_000))
        self.assertEqual(done["sha256"], hashlib.sha256(DATA).hexdigest())
        self.assertTrue(done["verified"])
        lines = [json.loads(line) for line in err.splitlines()]
        self.assertEqual({line["event"] for line in lines}, {"progress"})
        last = lines[-1]
        self.assertEqual((last["bytes"], last["total"]), (len(DATA), len(DATA)))
        self.assertEqual(last["moved"], len(DATA) - 1_000_000)
        self.assertEqual(last["seconds_left"], 0)

    @on_every_engine(how=one_by_one)
    def test_a_cut_in_the_middle_is_made_good(self, engine):
        arrived = []

        def hang_up(request):
            request.connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            arrived.append(request.read(1_500_000))
            request.cut()

        def tell(request):
            request.reply("308 Permanent Redirect", Range=f"bytes=0-{len(arrived[0]) - 1}")

        def take_the_rest(request):
            arrived.append(request.read_body())
            request.reply("201 Created", Repr_Digest=digest_of(b"".join(arrived)))

        with Fake(nothing_there, hang_up, tell, take_the_rest) as fake:
            with put(self.file, fake.url(), engine=engine) as program:
                self.assert_ends(program, 0, err=r"; trying again in 0\.25 s$")
        self.assertTrue(b"".join(arrived) == DATA)

    def test_what_is_there_already_is_not_sent(self):
        def have_it(request):
            request.reply("204 No Content", Content_Length=None, Repr_Digest=digest_of(DATA))

        with Fake(have_it) as fake, put(self.file, fake.url()) as program:
            status, out, err = program.end()
        self.assertEqual(status, 0, err)
        self.assertIn("; all of it was there", out)
        self.assertEqual(len(fake.requests), 1)

    @on_every_engine(how=one_by_one)
    def test_a_server_that_takes_every_put_for_a_file_keeps_what_it_has(self, engine):
        with Plain(cuts=2) as plain:
            plain.files["/big.bin"] = b"what was here before"
            with put(self.file, plain.url(), "--retry", 1, engine=engine) as program:
                self.assert_ends(program, 3, out="", err="trying again")
            self.assertEqual(plain.files["/big.bin"], b"what was here before")
            self.assertEqual(plain.stored, [])
            with put(self.file, plain.url(), engine=engine) as program:
                status, out, err = program.end()
            self.assertEqual(status, 0, err)
            self.assertIn("not confirmed by the other side", out)
            self.assertTrue(plain.files["/big.bin"] == DATA)
            self.assertEqual(plain.stored, [len(DATA)])
        self.assertTrue(all(r["content-range"] is None for r in plain.requests))

    def test_a_server_that_does_not_say_that_it_takes_parts_gets_a_whole_file(self):
        for options in ("405 No", "200 OK", "204 No Content", "501 Not Implemented", "404 No", None):
            with self.subTest(options), Plain(options=options) as plain:
                with put(self.file, plain.url()) as program:
                    self.assert_ends(program, 0)
                self.assertTrue(plain.files["/big.bin"] == DATA)
                self.assertEqual(plain.stored, [len(DATA)])

    def test_a_question_that_was_taken_for_an_empty_file_is_made_good(self):
        def store(request):
            request.reply("201 Created" if request.read_body() else "204 No Content")

        with Fake(store) as fake, put(self.file, fake.url()) as program:
            self.assert_ends(program, 0)
        self.assertIsNone(fake.requests[1]["content-range"])
        self.assertTrue(fake.requests[1].body == DATA)

    def test_bytes_that_changed_on_the_way_end_with_4(self):
        def other(request):
            request.read_body()
            request.reply("201 Created", Repr_Digest=digest_of(b"something else"))

        def mismatch(request):
            request.read_body()
            request.reply(
                "422 Unprocessable Content",
                b"the digest does not match\n",
                Content_Type="text/plain; charset=utf-8",
            )

        for answer, words in ((other, "the server has sha256 "), (mismatch, "digest does not match")):
            with self.subTest(words), Fake(answer) as fake, put(self.small, fake.url()) as program:
                self.assert_ends(program, 4, out="", err="what arrived is not what was sent.*" + words)
                self.assertEqual(len(fake.requests), 1)

    def test_a_refusal_before_the_body_sends_none(self):
        def too_large(request):
            request.reply(
                "413 Content Too Large", b"a file has at most 1 MiB here\n", Content_Type="text/plain"
            )
            self.assertEqual(request.read(1), b"")

        with Fake(nothing_there, too_large) as fake, put(self.file, fake.url()) as program:
            self.assert_ends(program, 1, err="413 Content Too Large: a file has at most 1 MiB here$")

    def test_a_refusal_in_the_middle_is_read(self):
        def full(request):
            request.connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.read(100_000)
            request.reply("507 Insufficient Storage", b"the disk is full\n", Connection="close")
            request.cut()

        with Fake(nothing_there, full) as fake:
            with put(self.file, fake.url(), "--retry", 0) as program:
                self.assert_ends(program, 1, err="507 Insufficient Storage: the disk is full$")

    @on_every_loop(how=one_by_one)
    def test_a_refusal_is_read_while_the_body_is_sent(self, engine):
        """By a server that takes no more of it, and does not hang up either."""
        fifo = self.folder / "fifo"
        if not fifo.exists():
            os.mkfifo(fifo)
        for status, words in (("413 Content Too Large", "413 Content Too Large: enough$"),
                              ("307 Temporary Redirect", "put it at http://other.example/$")):  # fmt: skip

            def refuse(request, status=status):
                request.connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n")
                request.connection.recv(1000)
                request.reply(status, b"enough\n", Content_Type="text/plain",
                              Location="http://other.example/")  # fmt: skip
                self.assertTrue(done.wait(TIMEOUT))
                return "close"

            large = self.make("large.bin", b"")
            os.truncate(large, 64 << 20)
            for file in (large, fifo):
                done = threading.Event()
                with self.subTest(status, file=file), Fake(nothing_there, refuse) as fake:
                    if file == fifo:
                        fake.answers.pop(0)
                    with put(file, fake.url("/x"), "--retry", 0, engine=engine) as program:
                        writer = fifo.open("wb", buffering=0) if file == fifo else None
                        if writer:
                            writer.write(b"some")
                        self.assert_ends(program, 1, out="", err=words)
                        done.set()
                        if writer:
                            writer.close()

    def test_a_stream_that_may_not_be_asked_about_goes_without(self):
        def expectation_failed(request):
            request.reply("417 Expectation Failed", Connection="close")
            return "close"

        with Fake(expectation_failed, take_it) as fake, put("-", fake.url("/x")) as program:
            program.process.stdin.write(SMALL)
            program.end_input()
            self.assert_ends(program, 0)
        self.assertEqual([request["expect"] for request in fake.requests], ["100-continue", None])
        self.assertEqual(fake.requests[1].body, SMALL)

    def test_a_conflict_is_asked_about_again(self):
        def less_than_it_said(request):
            request.reply("409 Conflict", Range="bytes=0-9", Connection="close")
            return "close"

        def has(count):
            return lambda request: request.reply("308 No", Range=f"bytes=0-{count - 1}")

        def take_the_rest(request):
            request.read_body()
            request.reply("201 Created", Repr_Digest=digest_of(DATA))

        with Fake(has(20), less_than_it_said, has(10), take_the_rest) as fake:
            with put(self.file, fake.url()) as program:
                self.assert_ends(program, 0)
        self.assertTrue(fake.requests[-1].body == DATA[10:])

    def test_a_busy_server_is_asked_again(self):
        def busy(request):
            request.read_body()
            request.reply("503 Service Unavailable")

        with Fake(busy, busy, take_it) as fake, put(self.small, fake.url()) as program:
            self.assert_ends(program, 0, err=r"503 Service Unavailable; trying again in 0\.5 s")
        self.assertEqual(len(fake.requests), 3)

    def test_a_redirect_is_told_and_not_followed(self):
        def elsewhere(request):
            request.read_body()
            request.reply("307 Temporary Redirect", Location="http://other.example/x")

        with Fake(elsewhere) as fake, put(self.small, fake.url()) as program:
            self.assert_ends(program, 1, err="put it at http://other.example/x$")
        self.assertEqual(len(fake.requests), 1)

    def test_nonsense_is_reported(self):
        def nonsense(request):
            request.connection.sendall(b"220 mail.example ready\r\n" * 9)
            return "close"

        with Fake(nonsense) as fake, put(self.small, fake.url(), "--retry", 0) as program:
            self.assert_ends(program, 1, err="makes no sense: it is no HTTP/1.1")

    def test_a_refused_connection_is_reported_at_once(self):
        begun = time.monotonic()
        with put(self.small, f"http://127.0.0.1:{free_port()}/") as program:
            self.assert_ends(program, 3, out="", err="cannot connect to 127.0.0.1:.*refused; start a server there with")
        self.assertLess(time.monotonic() - begun, TIMEOUT / 3)

    def test_a_server_that_went_away_ends_with_3(self):
        def hang_up(request):
            request.cut()

        with Fake(hang_up) as fake, put(self.small, fake.url(), "--retry", 1) as program:
            self.assert_ends(program, 3, out="", err="trying again in 0.25 s\n.*connection reset.*nothing was kept")
        self.assertEqual(len(fake.requests), 2)

    def test_a_connection_closed_between_two_files_is_no_error(self):
        def last_here(request):
            take_it(request)
            return "close"

        with Fake(last_here) as fake, put(self.small, self.small, fake.url()) as program:
            self.assertNotIn("again", self.assert_ends(program, 0))
        self.assertEqual([request.body for request in fake.requests], [SMALL, SMALL])

    def test_a_server_that_stands_still_is_given_up(self):
        def sleep(request):
            request.file.read()

        with Fake(sleep) as fake:
            with put(self.small, fake.url(), "--timeout", "30ms", "--retry", 0) as program:
                self.assert_ends(program, 3, err="deadline passed")
        stuck = socket.create_server(("127.0.0.1", 0))
        with stuck, put(self.file, "tcp://127.0.0.1:%d" % stuck.getsockname()[1], "--timeout",
                        "100ms", "--retry", 0) as program:  # fmt: skip
            self.file.write_bytes(DATA * 9)
            self.assertIn(program.end()[0], (1, 3))

    @on_every_engine(how=one_by_one)
    def test_stdin_goes_in_chunks_with_its_digest_behind(self, engine):
        with Fake(take_it) as fake:
            with put("-", fake.url("/x"), engine=engine) as program:
                program.process.stdin.write(DATA)
                program.end_input()
                status, out, err = program.end()
        self.assertEqual(status, 0, err)
        (request,) = fake.requests
        self.assertTrue(request.body == DATA)
        self.assertEqual(request["transfer-encoding"], "chunked")
        self.assertEqual(request["trailer"], "Repr-Digest")
        self.assertEqual(request.trailer["repr-digest"], digest_of(DATA))
        self.assertIn(hashlib.sha256(DATA).hexdigest(), out)

    def test_stdin_cannot_be_sent_again(self):
        def hang_up(request):
            request.connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.read(10)
            request.cut()

        with Fake(hang_up) as fake, put("-", fake.url("/x")) as program:
            program.process.stdin.write(DATA[:60_000])
            while not fake.requests:
                time.sleep(0.005)
            fake.thread.join(0.05)
            program.process.stdin.write(DATA[:60_000])
            program.end_input()
            self.assert_ends(program, 3, err="nothing was kept, send it again$")

    def test_directories_go_with_all_their_files(self):
        tree = self.folder / "tree"
        for name in ("a", "sub/b c%", "sub/deep/d"):
            self.make(f"tree/{name}", name.encode())
        (tree / "link").symlink_to("a")
        with Fake(take_it) as fake, put("-r", tree, fake.url("/up/")) as program:
            self.assert_ends(program, 1, err="tree/link'?: it is no regular file")
        self.assertEqual(
            {request.target: request.body for request in fake.requests},
            {
                "/up/tree/a": b"a",
                "/up/tree/sub/b%20c%25": b"sub/b c%",
                "/up/tree/sub/deep/d": b"sub/deep/d",
            },
        )

    def test_a_directory_that_is_too_deep_does_not_keep_the_others(self):
        (self.folder / "tree").mkdir()
        self.make("tree/z", b"z")
        deep = os.open(self.folder / "tree", os.O_RDONLY)
        for _ in range(18):  # of a name there can be 4,095 bytes (path_resolution(7))
            os.mkdir("d" * 250, dir_fd=deep)
            inner = os.open("d" * 250, os.O_RDONLY, dir_fd=deep)
            os.close(deep)
            deep = inner
        os.close(deep)
        with Fake(take_it) as fake, put("-r", self.folder / "tree", fake.url()) as program:
            self.assert_ends(program, 1, err=r"d\.\.\.'?: file name too long")
        self.assertEqual([request.target for request in fake.requests], ["/tree/z"])

    def test_one_file_that_cannot_be_sent_does_not_keep_the_others(self):
        with Fake(take_it) as fake, put("/nonexistent", self.small, fake.url()) as program:
            self.assert_ends(program, 1, err="it cannot be read: no such file")
        self.assertEqual([request.target for request in fake.requests], ["/small.txt"])

    def test_what_makes_no_sense_is_refused(self):
        url = "http://127.0.0.1:1/"
        for words, why in (
            ((self.small,), "name the files and then the URL"),
            ((self.small, "ftp://h/x"), "is no URL"),
            ((self.small, "http://h:99999/x"), "port"),
            ((self.small, self.file, url + "x"), "end the URL in a slash"),
            ((self.folder, url), "add --recursive"),
            (("-r", self.folder, url + "x"), "end the URL in a slash"),
            (("-", url), "has no name"),
            ((self.small, url + "?x"), "has no query"),
            ((self.small, url, "--progress", "much"), "is none of auto, bar, json and none"),
        ):
            with self.subTest(words=words), put(*words) as program:
                self.assert_ends(program, 2, out="", err=why)

    @on_every_engine(how=one_by_one)
    def test_interrupted_it_says_how_to_go_on(self, engine):
        def stop(request):
            request.connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.read(1_000_000)
            begun.get(timeout=TIMEOUT).signal(INTERRUPT)
            # Until it hangs up.
            while request.connection.recv(1 << 20):
                pass
            return "close"

        # The program may have come that far before its own name is known here.
        begun = queue.Queue()
        self.file.write_bytes(DATA * 20)
        with Fake(nothing_there, stop) as fake:
            with put(self.file, fake.url(), engine=engine) as program:
                begun.put(program)
                self.assert_ends(program, 130, out="", err="interrupted; run the same command again")

    def test_a_bar_is_drawn_on_a_terminal_alone(self):
        def slow(request):
            request.connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.read(1_000_000)
            time.sleep(0.3)
            request.read(10 * len(DATA) - 1_000_000)
            request.reply("201 Created", Repr_Digest=digest_of(DATA * 10))

        self.file.write_bytes(DATA * 10)

        for flag in ((), ("--progress", "bar")):
            with Fake(take_it) as fake, put(self.small, fake.url(), *flag) as program:
                self.assertEqual(self.assert_ends(program, 0), "")
        for colour in ("", "1"):
            ours, theirs = pty.openpty()
            with Fake(nothing_there, slow) as fake:
                done = subprocess.Popen(
                    [SLUICE, "files", "put", self.file, fake.url()],
                    stdout=subprocess.DEVNULL,
                    stderr=theirs,
                    env=ENVIRONMENT | {"TERM": "xterm", "NO_COLOR": colour},
                )
                os.close(theirs)
                drawn = b""
                try:
                    while more := os.read(ours, 4096):
                        drawn += more
                except OSError:
                    pass
                os.close(ours)
                self.assertEqual(done.wait(TIMEOUT), 0)
            self.assertRegex(drawn.decode(), r"big\.bin  \[.*\d+ %  .* of 28\.6 MiB  .*/s")
            self.assertTrue(drawn.endswith(b"\r\x1b[K"), "the bar is taken away")
            self.assertEqual(bool(re.search(rb"\x1b\[32m", drawn)), not colour)


class Stream(TalkTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = pathlib.Path(folder.name, "big.bin")
        self.file.write_bytes(DATA)

    @on_every_engine(how=one_by_one)
    def test_a_stream_is_the_file_and_its_end(self, engine):
        with listener() as (port, accept):
            with put(self.file, f"tcp://127.0.0.1:{port}", engine=engine) as program:
                with accept() as peer:
                    self.assertTrue(peer.receive_to_end() == DATA)
                self.assert_ends(program, 0, err="^$")

    @on_every_engine(how=one_by_one)
    def test_stdin_is_streamed(self, engine):
        with listener() as (port, accept):
            with put("-", f"tcp://127.0.0.1:{port}", engine=engine) as program:
                program.type("hello")
                program.end_input()
                with accept() as peer:
                    self.assertEqual(peer.receive_to_end(), b"hello")
                self.assert_ends(program, 0)

    @on_every_engine(how=one_by_one)
    def test_a_reset_at_the_end_says_that_it_was_not_kept(self, engine):
        with listener() as (port, accept):
            with put(self.file, f"tcp://127.0.0.1:{port}", engine=engine) as program:
                peer = accept()
                peer.receive_to_end()
                peer.reset()
                self.assert_ends(program, 1, out="", err="had everything and did not keep it")

    def test_a_reset_in_the_middle_begins_anew(self):
        self.file.write_bytes(DATA * 3)
        with listener() as (port, accept):
            with put(self.file, f"tcp://127.0.0.1:{port}") as program:
                peer = accept()
                peer.receive(1000)
                peer.reset()
                with accept() as again:
                    self.assertTrue(again.receive_to_end() == DATA * 3)
                self.assert_ends(program, 0, err="trying again in 0.25 s")
            with put(self.file, f"tcp://127.0.0.1:{port}", "--retry", 0) as program:
                peer = accept()
                peer.receive(1000)
                peer.reset()
                self.assert_ends(program, 3, err="nothing was kept, send it again")

    def test_interrupted_or_killed_it_resets_so_that_nothing_is_kept(self):
        self.file.write_bytes(DATA * 20)
        for number in (INTERRUPT, KILL):
            for what in (self.file, "-"):
                with self.subTest(number=number, what=what), listener() as (port, accept):
                    with put(what, f"tcp://127.0.0.1:{port}") as program, accept() as peer:
                        if what == "-":
                            program.type("hello" * 1000)
                        peer.receive(1000)
                        program.signal(number)
                        if number == INTERRUPT:
                            self.assert_ends(program, 130, err="interrupted; nothing was kept")
                        with self.assertRaises(ConnectionResetError):
                            peer.receive_to_end()

    def test_the_python_server_stores_it(self):
        with tempfile.TemporaryDirectory() as folder:
            with Program(sys.executable, "-B", PEERS / "upload_server.py", folder, 0) as server:
                port = server.expect_stderr(r"^listening on 127\.0\.0\.1:(\d+)$")[1]
                with put(self.file, f"tcp://127.0.0.1:{port}") as program:
                    self.assert_ends(program, 0)
                self.assertEqual(
                    server.read_line(), f"Received {len(DATA)} bytes from [Client 1] as upload-1\n"
                )
                self.assertTrue(pathlib.Path(folder, "upload-1").read_bytes() == DATA)
                with put(self.file, f"tcp://127.0.0.1:{port}") as program:
                    server.read_line()
                    self.assert_ends(program, 0)
