"""`sluice files get` from servers that do what they should, and what they should not."""

import hashlib
import json
import os
import pathlib
import re
import resource
import signal
import subprocess
import tempfile
import threading

from files_rig import Fake, digest_of, get
from talk_rig import ENVIRONMENT, INTERRUPT, KILL, SLUICE, TIMEOUT, Program, TalkTest, listener
from talk_rig import free_port, on_every_engine, one_by_one, wait_until

DATA = os.urandom(3_000_001)
TAG = '"v1/a b"'


def give(data=DATA, tag=TAG, digest=True):
    """Gives it as a server does that knows ranges."""

    def answer(request):
        fields = {"ETag": tag, "Repr_Digest": digest_of(data) if digest else None}
        asked = re.fullmatch(r"bytes=(\d+)-", request["range"] or "")
        if not asked or request["if-range"] != tag:
            request.reply("200 OK", data, **fields)
        elif int(asked[1]) >= len(data):
            request.reply("416 Range Not Satisfiable", Content_Range=f"bytes */{len(data)}")
        else:
            part = data[int(asked[1]) :]
            where = f"bytes {asked[1]}-{len(data) - 1}/{len(data)}"
            request.reply("206 Partial Content", part, Content_Range=where, **fields)

    return answer


def give_and_cut(size, tag=TAG, then=None):
    """Promises all of it, gives `size` bytes, and hangs up, or does something else."""

    def answer(request):
        asked = re.fullmatch(r"bytes=(\d+)-", request["range"] or "")
        first = int(asked[1]) if asked else 0
        head = {"ETag": tag, "Repr_Digest": digest_of(DATA)}
        head["Content_Length"] = len(DATA) - first
        if first:
            head["Content_Range"] = f"bytes {first}-{len(DATA) - 1}/{len(DATA)}"
        request.reply("206 Partial Content" if first else "200 OK", **head)
        request.connection.sendall(DATA[first : first + size])
        if then:
            then()
            request.file.read()
        return "close"

    return answer


class Get(TalkTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.target = self.folder / "x.bin"

    def names(self):
        return sorted(path.name for path in self.folder.iterdir())

    def assert_got(self, path=None):
        path = path or self.target
        self.assertTrue(path.read_bytes() == DATA)
        self.assertEqual(self.names(), [path.name], "and nothing else")

    @on_every_engine(how=one_by_one)
    def test_a_file_comes_under_the_name_that_is_asked_for(self, engine):
        for words, name in (
            ((), "a b"),
            (("-o", "x.bin"), "x.bin"),
            (("-o", "."), "a b"),
            (("-o", str(self.folder) + "/"), "a b"),
        ):
            with self.subTest(words=words), Fake(give()) as fake:
                url = fake.url("/dir/a%20b?x=1")
                with get(url, *words, engine=engine, cwd=self.folder) as program:
                    status, out, err = program.end()
                self.assertEqual(status, 0, err)
                self.assertIn(f"Received 3000001 bytes of {url} as ", out)
                self.assertIn(hashlib.sha256(DATA).hexdigest(), out)
                self.assert_got(self.folder / name)
                (self.folder / name).unlink()
                (request,) = fake.requests
                self.assertEqual((request.method, request.target), ("GET", "/dir/a%20b?x=1"))
                self.assertEqual(request["want-repr-digest"], "sha-256=10")
                self.assertIsNone(request["range"])

    @on_every_engine(how=one_by_one)
    def test_stdout_gets_the_bytes_alone(self, engine):
        with Fake(give()) as fake, Fake(give_and_cut(1_000_000), give()) as cutter:
            for server in (fake, cutter):
                done = subprocess.run(
                    [SLUICE, "files", "get", server.url("/x"), "-o", "-", "--engine", engine],
                    capture_output=True,
                    timeout=TIMEOUT,
                    env=ENVIRONMENT,
                )
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertTrue(done.stdout == DATA)
                self.assertIn(b"Received 3000001 bytes", done.stderr)
        self.assertEqual(cutter.requests[1]["range"], "bytes=1000000-")

    @on_every_engine(how=one_by_one)
    def test_a_cut_in_the_middle_is_made_good(self, engine):
        answers = (give_and_cut(1_000_000), give_and_cut(1_000_000), give())
        with Fake(*answers) as fake, get(fake.url("/x.bin"), "-o", self.target, engine=engine) as program:
            self.assert_ends(program, 0, err="receiving the file: .*; trying again in 0.25 s")
        self.assert_got()
        asked = [(request["range"], request["if-range"]) for request in fake.requests]
        self.assertEqual(asked, [(None, None), ("bytes=1000000-", TAG), ("bytes=2000000-", TAG)])

    def test_progress_resets_the_number_of_attempts(self):
        with Fake(*[give_and_cut(700_000)] * 3, give()) as fake:
            with get(fake.url("/x.bin"), "-o", self.target, "--retry", 1) as program:
                self.assert_ends(program, 0)
        self.assert_got()
        with Fake(give_and_cut(1000), lambda request: request.cut()) as fake:
            with get(fake.url("/x.bin"), "-o", self.target, "--retry", 1) as program:
                self.assert_ends(program, 3)
            self.assertEqual(len(fake.requests), 2)

    def test_what_is_not_the_rest_of_the_same_version_comes_anew(self):
        rest = f"bytes 1000-{len(DATA) - 1}/{len(DATA)}"
        for name, fields in {
            "another tag": {"Content_Range": rest, "ETag": '"v2"'},
            "a weak tag": {"Content_Range": rest, "ETag": "W/" + TAG},
            "no tag": {"Content_Range": rest},
            "another place": {"Content_Range": f"bytes 999-{len(DATA) - 2}/{len(DATA)}", "ETag": TAG},
            "no place": {"ETag": TAG},
            "another length": {"Content_Range": rest, "ETag": TAG, "Content_Length": 999},
            "chunks": {"Content_Range": rest, "ETag": TAG, "Content_Length": None,
                       "Transfer_Encoding": "chunked"},
        }.items():  # fmt: skip

            def other(request, fields=fields):
                body = DATA[1000:1999]
                if "Transfer_Encoding" in fields:
                    body = b"3e7\r\n" + body + b"\r\n0\r\n\r\n"
                request.reply("206 Partial Content", body, **fields)

            with self.subTest(name), Fake(give_and_cut(1000), other, give()) as fake:
                with get(fake.url("/x.bin"), "-o", self.target) as program:
                    if name == "chunks":
                        self.assert_ends(program, 1, err="a part of another length than it announced")
                        continue
                    self.assert_ends(program, 0)
                self.assert_got()
                self.assertEqual([r["range"] for r in fake.requests], [None, "bytes=1000-", None])
            self.target.unlink(missing_ok=True)

    def test_parts_that_were_not_asked_for_are_refused(self):
        def other(request):
            where = f"bytes 1000-{len(DATA) - 1}/{len(DATA)}"
            request.reply("206 Partial Content", DATA[1000:], Content_Range=where, ETag='"v2"')

        with Fake(give_and_cut(1000), other) as fake:
            with get(fake.url("/x.bin"), "-o", self.target) as program:
                self.assert_ends(program, 1, err="another part of the file than was asked for")
        self.assertFalse(self.target.exists())

    def test_a_stream_does_not_go_on_with_another_version(self):
        def other(request):
            where = f"bytes 1000-{len(DATA) - 1}/{len(DATA)}"
            request.reply("206 Partial Content", DATA[1000:], Content_Range=where)

        with Fake(give_and_cut(1000), other) as fake:
            with get(fake.url("/x.bin"), "-o", "-") as program:
                self.assert_ends(program, 1, err="has changed on the server in the middle")

    def test_a_stream_goes_on_where_the_server_knows_no_ranges(self):
        def whole(tag):
            return lambda request: request.reply("200 OK", DATA, ETag=tag)

        for tag, status in ((TAG, 0), ('"v2"', 1)):
            with self.subTest(tag), Fake(give_and_cut(1_000_000), whole(tag)) as fake:
                done = subprocess.run(
                    [SLUICE, "files", "get", fake.url("/x"), "-o", "-"],
                    capture_output=True,
                    timeout=TIMEOUT,
                    env=ENVIRONMENT,
                )
                self.assertEqual(done.returncode, status, done.stderr)
                if status == 0:
                    self.assertTrue(done.stdout == DATA)
                else:
                    self.assertTrue(done.stdout == DATA[:1_000_000])
                    self.assertIn(b"has changed on the server in the middle", done.stderr)

    @on_every_engine(how=one_by_one)
    def test_killed_it_goes_on_with_resume(self, engine):
        arrived = threading.Event()
        with Fake(give_and_cut(1_500_000, then=arrived.set), give()) as fake:
            with get(fake.url("/x.bin"), "-o", self.target, engine=engine) as program:
                self.assertTrue(arrived.wait(TIMEOUT))
                wait_until(
                    lambda: sum(path.stat().st_size for path in self.folder.iterdir()) > 0,
                    "something has been written",
                )
                self.assertFalse(self.target.exists(), "a half file has no name")
                program.signal(KILL)
                program.process.wait()
            (hidden,) = self.names()
            self.assertRegex(hidden, r"^\.x\.bin\.[0-9a-f]+\.%22v1%2Fa%20b%22\.part$")
            there = (self.folder / hidden).stat().st_size
            self.assertEqual((self.folder / hidden).read_bytes(), DATA[:there])
            with get(fake.url("/x.bin"), "-o", self.target, "--resume", "--progress", "json",
                     engine=engine) as program:  # fmt: skip
                status, out, err = program.end()
        self.assertEqual(status, 0, err)
        self.assert_got()
        self.assertEqual(fake.requests[-1]["range"], f"bytes={there}-")
        self.assertEqual(fake.requests[-1]["if-range"], TAG)
        done = json.loads(out)
        self.assertEqual((done["bytes"], done["resumed_from"]), (len(DATA), there))
        self.assertEqual((done["file"], done["to"]), (fake.url("/x.bin"), str(self.target)))
        last = json.loads(err.splitlines()[-1])
        self.assertEqual(last["event"], "progress")
        self.assertEqual((last["bytes"], last["moved"]), (len(DATA), len(DATA) - there))
        self.target.unlink()

    def leave_a_part(self, tag=TAG):
        """What an interrupted get leaves; how much of it."""
        arrived = threading.Event()
        with Fake(give_and_cut(1_500_000, tag, arrived.set)) as fake:
            with get(fake.url("/x.bin"), "-o", self.target) as program:
                self.assertTrue(arrived.wait(TIMEOUT))
                wait_until(
                    lambda: sum(path.stat().st_size for path in self.folder.iterdir()) > 0,
                    "something has been written",
                )
                program.signal(INTERRUPT)
                words = self.assert_ends(program, 130, out="")
        return words

    def test_interrupted_it_says_how_to_go_on(self):
        self.assertIn(
            "interrupted; what has come is kept, get it again with --resume", self.leave_a_part()
        )
        self.assertEqual(len(self.names()), 1)
        with Fake(give()) as fake, get(fake.url("/x.bin"), "-o", self.target, "--resume") as program:
            self.assert_ends(program, 0)
        self.assert_got()
        self.assertTrue(fake.requests[0]["range"])

    def test_without_resume_it_begins_anew(self):
        self.leave_a_part()
        with Fake(give()) as fake, get(fake.url("/x.bin"), "-o", self.target) as program:
            self.assert_ends(program, 0)
        self.assert_got()
        self.assertIsNone(fake.requests[0]["range"])

    def test_a_file_that_changed_meanwhile_comes_anew(self):
        self.leave_a_part(tag='"old"')
        with Fake(give()) as fake, get(fake.url("/x.bin"), "-o", self.target, "--resume") as program:
            self.assert_ends(program, 0)
        self.assert_got()
        self.assertEqual(fake.requests[0]["if-range"], '"old"')

    def test_a_weak_tag_is_nothing_to_go_on_from(self):
        self.assertIn("interrupted; nothing was kept", self.leave_a_part(tag='W/"x"'))
        self.assertEqual(self.names(), [])

    def test_all_that_was_missing_was_the_name(self):
        self.leave_a_part()
        (hidden,) = self.folder.iterdir()
        hidden.write_bytes(DATA)
        with Fake(give()) as fake, get(fake.url("/x.bin"), "-o", self.target, "--resume") as program:
            self.assert_ends(program, 0)
        self.assert_got()
        self.assertEqual(
            [request["range"] for request in fake.requests], ["bytes=3000001-", "bytes=3000000-"]
        )

    def test_a_part_that_was_damaged_ends_with_4_and_nothing(self):
        self.leave_a_part()
        (hidden,) = self.folder.iterdir()
        with hidden.open("r+b") as file:
            file.write(b"not what was sent")
        with Fake(give()) as fake, get(fake.url("/x.bin"), "-o", self.target, "--resume") as program:
            self.assert_ends(program, 4, out="", err="what arrived is not what was sent")
        self.assertEqual(self.names(), [])

    @on_every_engine(how=one_by_one)
    def test_a_wrong_digest_ends_with_4_and_nothing(self, engine):
        def lie(request):
            request.reply("200 OK", DATA, Repr_Digest=digest_of(b"other"), ETag=TAG)

        self.target.write_bytes(b"what was here before")
        with Fake(lie) as fake, get(fake.url("/x"), "-o", self.target, engine=engine) as program:
            self.assert_ends(program, 4, out="", err="what arrived is not what was sent.*; nothing")
        self.assertEqual(self.target.read_bytes(), b"what was here before")
        self.assertEqual(self.names(), ["x.bin"])
        with Fake(lie) as fake, get(fake.url("/x"), "-o", "-", stdout=subprocess.DEVNULL) as program:
            self.assert_ends(program, 4, err="do not use what was written")

    def test_without_a_digest_it_says_nothing_of_one(self):
        with Fake(give(digest=False)) as fake:
            with get(fake.url("/x"), "-o", self.target, "--progress", "json") as program:
                done = json.loads(program.end()[1])
        self.assertIsNone(done["sha256"])
        self.assertFalse(done["verified"])

    @on_every_engine(how=one_by_one)
    def test_chunks_and_a_digest_behind_them(self, engine):
        def chunks(digest):
            def answer(request):
                request.reply("200 OK", Content_Length=None, Transfer_Encoding="chunked",
                              Trailer="Repr-Digest")  # fmt: skip
                for at in range(0, len(DATA), 1_000_000):
                    piece = DATA[at : at + 1_000_000]
                    request.connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
                request.connection.sendall(b"0\r\nRepr-Digest: %b\r\n\r\n" % digest.encode())

            return answer

        with Fake(chunks(digest_of(DATA))) as fake:
            with get(fake.url("/x"), "-o", self.target, engine=engine) as program:
                self.assert_ends(program, 0)
        self.assert_got()
        with Fake(chunks(digest_of(b""))) as fake:
            with get(fake.url("/x"), "-o", self.target, engine=engine) as program:
                self.assert_ends(program, 4)

    def test_a_body_that_ends_with_the_connection(self):
        def old(request):
            request.connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + DATA)
            return "close"

        with Fake(old) as fake, get(fake.url("/x"), "-o", self.target) as program:
            self.assert_ends(program, 0)
        self.assert_got()

    def test_an_empty_file(self):
        with Fake(give(b"")) as fake, get(fake.url("/x"), "-o", self.target) as program:
            self.assert_ends(program, 0)
        self.assertEqual(self.target.read_bytes(), b"")

    def test_refusals_and_nonsense_are_reported_and_keep_nothing(self):
        def missing(request):
            request.reply("404 Not Found", b"there is no x\n", Content_Type="text/plain")

        def page(request):
            request.reply("500 Internal Server Error", b"<html>\x1b[2J", Content_Type="text/html")

        def nonsense(request):
            request.connection.sendall(b"\x7fELF" + bytes(1000))
            return "close"

        def other_part(request):
            request.reply("206 Partial Content", b"x", Content_Range="bytes 5-5/10")

        def contradiction(request):
            request.connection.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"
            )
            return "close"

        for answer, words in (
            (missing, "the server refused it: 404 Not Found: there is no x$"),
            (page, "the server refused it: 500 Internal Server Error$"),
            (nonsense, "makes no sense"),
            (contradiction, "makes no sense"),
            (other_part, "another part of the file than was asked for"),
        ):
            with self.subTest(words), Fake(answer) as fake:
                with get(fake.url("/x"), "-o", self.target) as program:
                    self.assert_ends(program, 1, out="", err=words)
                self.assertEqual(self.names(), [])

    def test_redirects_on_the_same_server_are_followed(self):
        def send_to(where):
            return lambda request: request.reply("302 Found", b"over there", Location=where)

        with Fake(send_to("/there/y"), give()) as fake:
            with get(fake.url("/x"), "-o", self.target) as program:
                self.assert_ends(program, 0)
            self.assert_got()
            self.assertEqual(fake.requests[1].target, "/there/y")
        for where, words in (
            ("http://other.example/y", "get it from http://other.example/y$"),
            ("//other.example/y", "get it from http://other.example/y$"),
            ("/x/", "it is a directory"),
            ("/x", "in a circle"),
        ):
            with self.subTest(where), Fake(send_to(where)) as fake:
                with get(fake.url("/x"), "-o", self.target) as program:
                    self.assert_ends(program, 1, err=words)

    def test_connection_refused_and_a_peer_that_goes_away(self):
        with get(f"http://127.0.0.1:{free_port()}/x", "-o", self.target) as program:
            self.assert_ends(program, 3, out="", err="cannot connect to .*; nothing was kept$")
        with Fake(give_and_cut(1000)) as fake:
            with get(fake.url("/x"), "-o", self.target, "--retry", 0) as program:
                self.assert_ends(program, 3, err="what has come is kept, get it again with --resume")
        with Fake(lambda request: request.cut()) as fake:
            with get(fake.url("/x"), "-o", self.target, "--retry", 1) as program:
                self.assert_ends(program, 3, err="trying again")
            self.assertEqual(len(fake.requests), 2)

    def test_a_disk_that_takes_no_more(self):
        def small_files():
            resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

        with Fake(give()) as fake:
            with get(fake.url("/x"), "-o", self.target, preexec_fn=small_files) as program:
                self.assert_ends(program, 1, err="writing the file: file too large")
        self.assertEqual(self.names(), [])

    def test_what_is_no_file_is_written_to_and_links_are_followed(self):
        os.mkfifo(self.target)
        with Fake(give()) as fake:
            with get(fake.url("/x"), "-o", self.target) as program:
                self.assertTrue(self.target.read_bytes() == DATA)
                self.assert_ends(program, 0)
        self.assertTrue(self.target.is_fifo())
        self.target.unlink()
        real = self.folder / "real"
        real.write_bytes(b"old")
        self.target.symlink_to("real")
        with Fake(give()) as fake, get(fake.url("/x"), "-o", self.target) as program:
            self.assert_ends(program, 0)
        self.assertTrue(self.target.is_symlink())
        self.assertTrue(real.read_bytes() == DATA)

    def test_two_at_once_are_each_whole(self):
        with Fake(give()) as fake:
            programs = [get(fake.url("/x"), "-o", self.target) for _ in range(3)]
            for program in programs:
                with program:
                    self.assert_ends(program, 0)
        self.assert_got()

    def test_what_makes_no_sense_is_refused(self):
        for words, why in (
            ((), "URL is required"),
            (("x",), "is no URL"),
            (("http://h:1/",), "the URL ends in no name"),
            (("http://h:1/..",), "the URL ends in no name"),
            (("tcp://h:1",), "say where it goes with -o FILE"),
            (("tcp://h:1", "-o", "x", "--resume"), "--resume goes with http://"),
            (("http://h:1/x", "-o", "-", "--resume"), "--resume goes with http://"),
        ):
            with self.subTest(words=words), get(*words) as program:
                self.assert_ends(program, 2, out="", err=why)
        with get("http://127.0.0.1:1/x", "-o", "/nonexistent/x") as program:
            self.assert_ends(program, 1, err="making '/nonexistent/x': no such file or directory")


class Stream(TalkTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.target = self.folder / "x.bin"

    @on_every_engine(how=one_by_one)
    def test_what_is_offered_comes_whole(self, engine):
        source = self.folder / "source"
        source.write_bytes(DATA)
        offer = (SLUICE, "files", "offer", source, "--listen", "127.0.0.1:0")
        with Program(*offer) as server:
            port = server.expect_stderr(r"^listening on 127\.0\.0\.1:(\d+)")[1]
            with get(f"tcp://127.0.0.1:{port}", "-o", self.target, engine=engine) as program:
                self.assert_ends(program, 0)
            self.assertTrue(self.target.read_bytes() == DATA)
            done = subprocess.run(
                [SLUICE, "files", "get", f"tcp://127.0.0.1:{port}", "-o", "-", "--engine", engine],
                capture_output=True,
                timeout=TIMEOUT,
                env=ENVIRONMENT,
            )
            self.assertTrue(done.stdout == DATA)

    @on_every_engine(how=one_by_one)
    def test_a_reset_keeps_nothing(self, engine):
        with listener() as (port, accept):
            with get(f"tcp://127.0.0.1:{port}", "-o", self.target, engine=engine) as program:
                peer = accept()
                peer.send(DATA)
                peer.reset()
                self.assert_ends(program, 3, err="connection reset by peer; nothing was kept")
        self.assertEqual(list(self.folder.iterdir()), [])
