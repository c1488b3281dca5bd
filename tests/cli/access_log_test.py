"""--access-log: a line for each request, transfer, session and question, at every door and model."""

import base64
import contextlib
import datetime
import json
import os
import pathlib
import re
import signal
import socket
import tempfile
import threading

from chat_rig import ChatServer, Member
from compute_rig import Server as ComputeServer
from compute_rig import on_every_model as on_every_compute_model
from files_http_rig import DATA, SMALL, HttpServer, ask, on_every_model
from files_raw_test import FileServer, download, upload
from login_test import PASSWORDS, LoginTest
from talk_rig import (
    SLUICE, TIMEOUT, Program, Server, call, on_every_engine, on_every_loop, one_by_one,
    wait_until,
)
from trusted_proxy_test import CLIENT, TRUSTED, text

ID = r"[0-9a-z]{5}-[0-9a-z]+"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d"


class Log:
    """The file of an access log."""

    def __init__(self, folder, how="json"):
        self.path = pathlib.Path(folder) / "access.log"
        self.how = how
        self.flags = ("--access-log", self.path, "--access-format", how)

    def text(self):
        return self.path.read_bytes().decode("utf-8", "surrogateescape")

    def wait(self, number):
        """So many lines, once they are there."""
        wait_until(lambda: self.text().count("\n") >= number, f"{self.path} has {number} lines")
        lines = self.text().splitlines()
        assert len(lines) == number, lines
        return [json.loads(line) for line in lines] if self.how == "json" else lines


class AccessLog(LoginTest):
    def assert_event(self, event, **fields):
        """Fields with underscores for the dots; those that are None must be missing."""
        for name, value in fields.items():
            name = name.replace("__", ".")
            self.assertEqual(event.get(name), value, (name, event))

    def assert_common(self, event, service, action):
        when = datetime.datetime.fromisoformat(event["@timestamp"])
        now = datetime.datetime.now(datetime.timezone.utc)
        self.assertLess(abs((now - when).total_seconds()), TIMEOUT)
        self.assertRegex(event["event.id"], rf"^{ID}$")
        self.assertGreaterEqual(event["event.duration"], 0)
        self.assertLess(event["event.duration"], TIMEOUT * 10**9)
        self.assert_event(event, service__name=service, event__action=action)
        self.assert_event(event, client__address="127.0.0.1")


class Requests(AccessLog):
    @on_every_model
    def test_each_request_is_a_line_with_all_of_it(self, flags, folder):
        log = Log(folder)
        with HttpServer(folder / "files", *log.flags, *flags) as server:
            server.put("/a", DATA)
            server.get("/a?download", User_Agent="an agent", Referer="https://example.org/")
            server.get("/a", Range="bytes=0-9")
            server.ask("HEAD", "/a")
            server.ask("DELETE", "/a")
            put, get, part, head, delete = log.wait(5)
        for event in (put, get, part, head, delete):
            self.assert_common(event, "http", "request")
            self.assert_event(event, url__path="/a", user__name=None, http__version="1.1")
        self.assert_event(
            put, http__request__method="PUT", http__response__status_code=201,
            http__request__body__bytes=len(DATA), event__outcome="success",
        )
        self.assert_event(
            get, http__request__method="GET", http__response__status_code=200,
            http__response__body__bytes=len(DATA), http__request__body__bytes=0,
            url__query="download", user_agent__original="an agent",
            http__request__referrer="https://example.org/",
        )
        self.assert_event(part, http__response__status_code=206, http__response__body__bytes=10)
        self.assert_event(
            head, http__request__method="HEAD", http__response__status_code=200,
            http__response__body__bytes=0,
        )
        self.assert_event(delete, http__response__status_code=405, event__outcome="failure")
        self.assertEqual(len({event["event.id"] for event in (put, get, part, head, delete)}), 5)

    @on_every_model
    def test_a_client_that_is_refused_knows_the_id(self, flags, folder):
        log = Log(folder, "text")
        with HttpServer(folder / "files", *log.flags, *flags) as server:
            status, fields, body = server.get("/missing")
            self.assertEqual(status, 404)
            named = fields["X-Request-Id"]
            self.assertEqual(body.decode(), f"there is no such file (request {named})\n")
            _, fields, body = server.ask("HEAD", "/missing")
            self.assertEqual(body, b"")
            of_head = fields["X-Request-Id"]
            lines = log.wait(2)
        for line, method, name in zip(lines, ("GET", "HEAD"), (named, of_head)):
            size = len(b"there is no such file (request )\n") + len(name) if method == "GET" else 0
            self.assertRegex(
                line,
                rf'^{TIME} {name} http 127\.0\.0\.1:\d+ - "{method} /missing" 404 in=0 '
                rf"out={size} \d\.\d{{6}}s$",
            )

    def test_without_a_log_nobody_is_told_an_id(self):
        with HttpServer(self.folder) as server:
            _, fields, body = server.get("/missing")
            self.assertNotIn("X-Request-Id", fields)
            self.assertEqual(body, b"there is no such file\n")

    @on_every_loop
    def test_requests_on_one_connection_are_told_apart(self, engine):
        with tempfile.TemporaryDirectory() as folder:
            log = Log(folder)
            with HttpServer(folder + "/files", "--engine", engine, *log.flags) as server:
                asked = b"".join(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % i for i in range(20))
                server.say(asked, end=True)
                events = log.wait(20)
        self.assertEqual([e["url.path"] for e in events], [f"/{i}" for i in range(20)])
        self.assertEqual(len({e["event.id"] for e in events}), 20)
        self.assertEqual(len({e["client.port"] for e in events}), 1)

    @on_every_loop
    def test_a_broken_transfer_says_so(self, engine):
        with tempfile.TemporaryDirectory() as folder:
            log = Log(folder)
            with HttpServer(folder + "/files", "--engine", engine, *log.flags) as server:
                with server.dial() as peer:
                    peer.sendall(b"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
                    peer.shutdown(socket.SHUT_WR)
                    peer.recv(1)
                (event,) = log.wait(1)
        self.assert_event(
            event, event__reason="broken off", event__outcome="failure",
            http__request__body__bytes=4, http__response__status_code=None,
        )

    def test_combined_is_what_apache_writes(self):
        log = Log(self.folder, "combined")
        with HttpServer(self.folder / "files", "--access-log", log.path, "--access-format", "combined") as server:
            server.put("/a", SMALL)
            server.get("/a", User_Agent='a "quoted" agent', Referer="https://example.org/?q")
            put, get = log.wait(2)
        apache = r"127\.0\.0\.1 - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]"
        self.assertRegex(put, rf'^{apache} "PUT /a HTTP/1\.1" 201 - "-" "-"$')
        self.assertRegex(
            get,
            rf'^{apache} "GET /a HTTP/1\.1" 200 {len(SMALL)} "https://example\.org/\?q" '
            r'"a \\"quoted\\" agent"$',
        )

    def test_nothing_that_a_client_sends_is_more_than_text(self):
        heads = [
            b'GET /"quote\\ HTTP/1.1\r\nHost: x\r\nUser-Agent: a\x1b[31m"\xff\xc2\x9b\r\n\r\n',
            b"GET /a\x1b]0;x\x07 HTTP/1.1\r\nHost: x\r\n\r\n",
            b"G\x1bT\x00 /\r\n\r\n",
            b"GET /" + b"a" * 3000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET /\xe2\x80\xae HTTP/1.1\r\nHost: x\r\n\r\n",
        ]
        for how in ("text", "json", "combined"):
            with self.subTest(how=how), tempfile.TemporaryDirectory() as folder:
                log = Log(folder, how)
                with HttpServer(folder + "/files", *log.flags) as server:
                    for number, head in enumerate(heads):
                        server.say(head, end=True)
                        log.wait(number + 1)
                    server.signal(signal.SIGUSR1)
                    self.assertEqual(server.expect_stderr(r"^  cut +(\d+)")[1], "1")
                data = log.path.read_bytes().replace("\ufffd".encode(), b"?")
                self.assertNotRegex(data, rb"[\x00-\x09\x0b-\x1f\x7f-\xff]")
                if how != "json":
                    self.assertIn(rb'GET /\"quote\\', data)
                    self.assertIn(rb"\x1b]0;x\x07", data)
                if how == "combined":
                    self.assertIn(rb'"a\x1b[31m\"\xff', data)

    @on_every_model(but=("event on epoll",))
    def test_an_account_has_its_name(self, flags, folder):
        log = Log(folder)
        with HttpServer(folder / "files", *log.flags, *self.flags, *flags) as server:
            said = base64.b64encode(f"ann:{PASSWORDS['ann']}".encode()).decode()
            server.put("/a", SMALL, Authorization=f"Basic {said}")
            server.get("/a")
            known, unknown = log.wait(2)
        self.assert_event(known, user__name="ann", http__response__status_code=201)
        self.assert_event(unknown, user__name=None, http__response__status_code=401)

    @on_every_loop
    def test_the_address_is_the_one_that_a_proxy_announces(self, engine):
        with tempfile.TemporaryDirectory() as folder:
            log = Log(folder)
            with HttpServer(folder + "/files", "--engine", engine, *log.flags, *TRUSTED) as server:
                server.say(text() + b"GET /one HTTP/1.0\r\n\r\n")
                server.get("/two", X_Forwarded_For="198.51.100.9")
                one, two = log.wait(2)
        self.assert_event(
            one, client__address=CLIENT[0], client__port=CLIENT[1], http__version="1.0"
        )
        self.assert_event(two, client__address="198.51.100.9")


class Others(AccessLog):
    @on_every_model
    def test_a_raw_upload_is_a_line(self, flags, folder):
        log = Log(folder)
        raw = ("serve", folder / "files", "--create", "--raw", "127.0.0.1:0", "--max-size", "4M")
        with FileServer(*raw, *log.flags, *flags) as server:
            upload(server.port, DATA)
            name = re.search(r" as (\S+) ", server.read_line())[1]
            (whole,) = log.wait(1)
            with contextlib.suppress(OSError):
                upload(server.port, b"GET / HTTP/1.1\r\n\r\n")
            _, stranger = log.wait(2)
        self.assert_common(whole, "raw", "upload")
        self.assert_event(
            whole, file__name=name, client__bytes=len(DATA), server__bytes=0,
            event__outcome="success", event__reason=None,
        )
        self.assert_event(stranger, event__outcome="failure", event__reason="another protocol")

    @on_every_model
    def test_an_offer_is_a_line(self, flags, folder):
        log = Log(folder)
        file = folder / "data"
        file.write_bytes(DATA)
        with FileServer("offer", file, "--listen", "127.0.0.1:0", *log.flags, *flags) as server:
            self.assertEqual(download(server.port), DATA)
            (event,) = log.wait(1)
        self.assert_common(event, "offer", "download")
        self.assert_event(
            event, file__name=str(file), server__bytes=len(DATA), event__outcome="success"
        )

    @on_every_compute_model
    def test_what_a_full_disk_did_not_take_is_said_at_the_end(self, start):
        with start("--access-log", "/dev/full") as server:
            with call(server.port) as client:
                client.send(b"10\n")
                self.assertEqual(client.receive(3), b"89\n")
            server.signal(signal.SIGTERM)
            status, _, err = server.end()
            self.assertEqual(status, 0)
            self.assertIn("and 1 were not taken by their file or reader", err)

    @on_every_compute_model
    def test_a_question_is_a_line(self, start):
        with tempfile.TemporaryDirectory() as folder:
            log = Log(folder)
            with start(*log.flags) as server:
                with call(server.port) as peer:
                    for question, answer in ((b"10", b"89"), (b"22", b"28657"), (b"x", b"not a number")):
                        peer.send(question + b"\n")
                        self.assertEqual(peer.receive(len(answer) + 1), answer + b"\n")
                    peer.send(b'\x1b"\xff\n')
                    self.assertEqual(peer.receive(13), b"not a number\n")
                small, job, wrong, strange = log.wait(4)
        for event in (small, job, wrong, strange):
            self.assert_common(event, "compute", "question")
        self.assert_event(
            small, sluice__question="10", client__bytes=2, server__bytes=2, event__outcome="success"
        )
        self.assert_event(
            job, sluice__question="22", client__bytes=2, server__bytes=5, event__outcome="success"
        )
        self.assert_event(wrong, event__outcome="failure", event__reason="not a number")
        self.assert_event(strange, sluice__question='\x1b"\ufffd')

    def test_a_question_that_is_not_computed_says_why(self):
        with tempfile.TemporaryDirectory() as folder:
            log = Log(folder)
            flags = ("--workers", 1, "--queue", 0, "--work", "fib")
            with ComputeServer("event", *flags, *log.flags) as server:
                with call(server.port) as one, call(server.port) as other:
                    one.send(b"34\n")
                    # Until the only worker is busy, the other may get it first.
                    answers = set()
                    while b"busy\n" not in answers:
                        other.send(b"33\n")
                        answers.add(line_of(other))
                    wait_until(lambda: '"event.reason":"busy"' in log.text(), "it is told")

    @on_every_loop
    def test_a_chat_session_is_a_line(self, engine):
        with tempfile.TemporaryDirectory() as folder:
            log = Log(folder)
            with ChatServer(engine, *log.flags) as server:
                with Member(server.port).greeted() as member:
                    member.say("/join kitchen")
                    member.say("hello")
                    member.say("/quit")
                    said = member.receive_to_end()
                (event,) = log.wait(1)
        self.assert_common(event, "chat", "session")
        self.assert_event(
            event, sluice__room="kitchen", event__outcome="success", user__name=None,
            client__bytes=len("/join kitchen\nhello\n/quit\n"),
        )
        self.assertGreaterEqual(event["server.bytes"], len(said))

    @on_every_loop
    def test_a_full_chat_names_the_session(self, engine):
        with tempfile.TemporaryDirectory() as folder:
            log = Log(folder)
            with ChatServer(engine, "--max-clients", 1, *log.flags) as server:
                with Member(server.port).greeted(), call(server.port) as second:
                    found = re.fullmatch(
                        rf"\* this server is full; try again later \(session ({ID})\)\n",
                        second.receive_to_end().decode(),
                    )
                    (event,) = log.wait(1)
        self.assert_event(event, event__id=found[1], event__reason="refused")

    @on_every_loop
    def test_the_account_of_each_door_that_takes_lines_is_told(self, engine):
        with tempfile.TemporaryDirectory() as folder:
            log = Log(folder)
            flags = (*log.flags, *self.flags)
            said = f"login ann {PASSWORDS['ann']}\n".encode()
            with ComputeServer("event", *flags, engine=engine) as server, self.asked(server) as peer:
                peer.send(said + b"1\n")
                self.assertIn(b"1\n", peer.receive(len(b"* welcome, ann\n1\n")))
                log.wait(1)
            with ChatServer(engine, *flags) as server, self.asked(server) as peer:
                peer.send(said + b"/quit\n")
                peer.receive_to_end()
                log.wait(2)
            with Server(engine, "--echo", *flags) as server, self.asked(server) as peer:
                peer.send(said + b"exit\n")
                peer.receive_to_end()
                log.wait(3)
            raw = ("serve", folder + "/files", "--create", "--raw", "127.0.0.1:0")
            with FileServer(*raw, "--engine", engine, *flags) as server, self.asked(server) as peer:
                peer.send(said + b"data")
                peer.socket.shutdown(socket.SHUT_WR)
                peer.receive_to_end()
                events = log.wait(4)
        self.assertEqual([e.get("user.name") for e in events], ["ann"] * 4)
        self.assertEqual(
            [e["service.name"] for e in events], ["compute", "chat", "talk", "raw"]
        )

    @on_every_engine
    def test_a_conversation_is_a_line(self, engine):
        with tempfile.TemporaryDirectory() as folder:
            log = Log(folder)
            with Server(engine, "--echo", *log.flags) as server:
                with call(server.port) as peer:
                    peer.send(b"hello\n")
                    self.assertEqual(peer.receive(6), b"hello\n")
                    peer.send(b"exit\n")
                    peer.receive_to_end()
                (event,) = log.wait(1)
        self.assert_common(event, "talk", "conversation")
        self.assert_event(
            event, event__outcome="success", client__bytes=len("helloexit"), server__bytes=6
        )

    def test_conversations_of_many_processes_are_lines(self):
        with tempfile.TemporaryDirectory() as folder:
            log = Log(folder)
            with Server("blocking", "--echo", "--keep", "--model", "fork", *log.flags) as server:
                with contextlib.ExitStack() as stack:
                    peers = [stack.enter_context(call(server.port)) for _ in range(8)]
                    for peer in peers:
                        peer.send(b"exit\n")
                    for peer in peers:
                        peer.receive_to_end()
                events = log.wait(8)
        self.assertEqual(len({e["event.id"] for e in events}), 8)


def line_of(peer):
    line = b""
    while not line.endswith(b"\n"):
        line += peer.receive(1)
    return line


class Writing(AccessLog):
    @on_every_model(how=one_by_one)
    def test_a_renamed_file_loses_no_line(self, flags, folder):
        log = Log(folder, "text")
        old = folder / "access.log.1"
        rotated = threading.Event()
        asked = [[], [], []]
        with HttpServer(folder / "files", *log.flags, *flags) as server:

            def ask_often(number):
                while not rotated.is_set():
                    asked[number].append(f"{number}x{len(asked[number])}")
                    server.get("/" + asked[number][-1])

            threads = [threading.Thread(target=ask_often, args=(n,)) for n in range(len(asked))]
            for each in threads:
                each.start()
            kept = []
            try:
                for turn in range(4):
                    wait_until(lambda: log.path.exists() and log.text(), "a line is written")
                    kept.append(old.with_suffix(f".{turn}"))
                    log.path.rename(kept[-1])
                    server.signal(signal.SIGHUP)
                    server.expect_stderr("SIGHUP: the configuration was read again")
            finally:
                rotated.set()
                for each in threads:
                    each.join()
            server.get("/last")
            wait_until(lambda: '/last" 404' in log.text(), "the new file is written")
            texts = [path.read_text(encoding="utf-8") for path in [*kept, log.path]]
        for text_of_one in texts:
            self.assertTrue(text_of_one.endswith("\n"))
        told = re.findall(r'"GET /(\w+)" 404 in=0 out=\d+ [\d.]+s$', "".join(texts), re.MULTILINE)
        self.assertEqual(sorted(told), sorted([*sum(asked, []), "last"]))

    @on_every_model
    def test_a_client_that_was_there_before_a_rotation_is_told_of_in_the_new_file(
        self, flags, folder
    ):
        log = Log(folder, "text")

        def said_of(path):
            wait_until(lambda: path in log.text(), f"{path} is in {log.path}")

        with HttpServer(folder / "files", *log.flags, *flags) as server, server.open() as kept:
            ask(kept, "GET", "/before")
            said_of("/before")
            for turn in range(3):
                old = folder / f"access.log.{turn}"
                log.path.rename(old)
                # A process that looks between the two steps of a rotation makes no file.
                ask(kept, "GET", f"/between-{turn}")
                if "fork" in flags:
                    wait_until(lambda: f"/between-{turn}" in old.read_text(), "it is written")
                    self.assertFalse(log.path.exists())
                server.signal(signal.SIGHUP)
                server.expect_stderr("SIGHUP: the configuration was read again")
                ask(kept, "GET", f"/after-{turn}")
                said_of(f"/after-{turn}")
                self.assertNotIn(f"/after-{turn}", old.read_text())

    def test_a_file_that_cannot_be_opened_again_stays(self):
        log = Log(self.folder, "text")
        with HttpServer(self.folder / "files", *log.flags) as server:
            moved = self.folder / "moved"
            log.path.rename(moved)
            log.path.mkdir()
            server.signal(signal.SIGHUP)
            server.expect_stderr("error: SIGHUP: cannot write the access log .*: is a directory; ")
            server.get("/a")
            wait_until(lambda: "/a" in moved.read_text(encoding="utf-8"), "the old file is written")

    def test_a_file_that_cannot_be_made_is_an_error(self):
        with Program(
            SLUICE, "files", "serve", self.folder, "--http", 0, "--access-log", self.folder / "no" / "log"
        ) as server:
            self.assert_ends(server, 1, "", "cannot write the access log .*/no/log': no such file")

    @on_every_compute_model
    def test_a_fifo_without_a_reader_costs_lines_alone(self, start):
        with tempfile.TemporaryDirectory() as folder:
            log = Log(folder, "text")
            os.mkfifo(log.path)
            number = 4000
            with start(
                "--work", "echo", *log.flags, "--access-rate", 0
            ) as server:
                for _ in range(6):
                    with call(server.port) as peer:
                        question = b"q" * 100 + b"\n"
                        sender = threading.Thread(target=peer.send, args=(question * number,))
                        sender.start()
                        self.assertEqual(peer.receive(number * len(question)), question * number)
                        sender.join()
                server.signal(signal.SIGUSR1)
                written = int(server.expect_stderr(r"^  written +(\d+)")[1])
                self.assertEqual(written, 6 * number)
                with open(log.path, "rb", buffering=0) as reader:
                    seen = reader.read(65536)
                lines = seen.split(b"\n")[:-1]
                self.assertGreater(len(lines), 100)
                for line in lines:
                    self.assertRegex(line, rb'^\S+ \S+ compute \S+ - "question q{100}" ok in=100 out=100 \S+s$')
                status, errors = server.stop()
                self.assertEqual(status, 0)
                self.assertRegex(errors, r"access log: [\d,]+ more lines are missing")

    @on_every_compute_model
    def test_lines_beyond_the_rate_are_counted(self, start):
        with tempfile.TemporaryDirectory() as folder:
            log = Log(folder, "text")
            number = 2000
            with start(
                "--work", "echo", *log.flags, "--access-rate", 3
            ) as server, call(server.port) as peer:
                peer.send(b"q\n" * number)
                peer.receive(2 * number)
                server.signal(signal.SIGUSR1)
                written = int(server.expect_stderr(r"^  written +(\d+)")[1])
                limited = int(server.expect_stderr(r"^  limited +(\d+)")[1])
                self.assertEqual(written + limited, number)
                self.assertGreater(limited, number // 2)
                wait_until(lambda: log.text().count("\n") == written, "as many are written")

                def say_more():
                    peer.send(b"q\n")
                    peer.receive(2)
                    return log.text().count("\n") > written

                wait_until(say_more, "another second begins")

    def test_what_is_missing_is_said(self):
        log = Log(self.folder, "text")
        with ComputeServer("event", "--work", "echo", *log.flags, "--access-rate", 1) as server:
            with call(server.port) as peer:

                def lines():
                    peer.send(b"q\n" * 10)
                    peer.receive(20)
                    return log.path.exists() and log.text().count("\n")

                wait_until(lambda: lines() >= 3, "a few seconds begin")
            server.expect_stderr(
                r"warning: access log: [\d,]+ more lines are missing: of all, [\d,]+ were beyond "
                r"--access-rate, and 0 were not taken"
            )

    def test_stderr_takes_lines_among_those_of_the_log(self):
        with HttpServer(self.folder, "--access-log", "-") as server:
            server.get("/a")
            server.expect_stderr(rf'^{TIME} {ID} http 127\.0\.0\.1:\d+ - "GET /a" 404 ')

    @on_every_model(how=one_by_one)
    def test_the_journal_gets_fields(self, flags, folder):
        path = folder / "socket"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
            journal.bind(str(path))
            journal.settimeout(TIMEOUT)
            with HttpServer(folder / "files", "--access-log", f"journal:{path}", *flags) as server:
                server.get("/a", User_Agent="agent")
                server.put("/b", SMALL)
                entries = [fields_of(journal.recv(65536)) for _ in range(2)]
        get, put = sorted(entries, key=lambda fields: fields["SLUICE_METHOD"])
        self.assertRegex(get["MESSAGE"], r'^http 127\.0\.0\.1:\d+ - "GET /a" 404 in=0 ')
        self.assertEqual(get["PRIORITY"], "6")
        self.assertEqual(get["SYSLOG_IDENTIFIER"], "sluice")
        self.assertEqual(get["SLUICE_TARGET"], "/a")
        self.assertEqual(get["SLUICE_STATUS"], "404")
        self.assertEqual(get["SLUICE_USER_AGENT"], "agent")
        self.assertRegex(get["SLUICE_ID"], f"^{ID}$")
        self.assertEqual(put["SLUICE_BYTES_IN"], str(len(SMALL)))

    def test_a_journal_that_reads_nothing_holds_up_nobody(self):
        path = self.folder / "socket"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
            journal.bind(str(path))
            flags = ("--work", "echo", "--access-log", f"journal:{path}", "--access-rate", 0)
            with ComputeServer("event", *flags) as server, call(server.port) as peer:
                number = 10_000
                sender = threading.Thread(target=peer.send, args=(b"q\n" * number,))
                sender.start()
                self.assertEqual(peer.receive(2 * number), b"q\n" * number)
                sender.join()

    def test_without_a_journal_lines_go_to_stderr(self):
        path = self.folder / "missing"
        with Program(
            SLUICE, "files", "serve", self.folder, "--http", "127.0.0.1:0", "--access-log", f"journal:{path}",
            "--log-level", "warn",
        ) as server:
            server.expect_stderr("warning: there is no journal at .*/missing .*goes to standard error")
            found = server.expect_stderr(r"^listening on 127\.0\.0\.1:(\d+)")
            with call(int(found[1])) as peer:
                peer.send(b"GET /a HTTP/1.0\r\n\r\n")
                peer.receive_to_end()
            server.expect_stderr(rf'^{TIME} {ID} http .* "GET /a" 404 ')


def fields_of(entry):
    """Of an entry in the journal's native protocol, without fields in binary."""
    return dict(line.split("=", 1) for line in entry.decode().rstrip("\n").split("\n"))


class Levels(AccessLog):
    @on_every_compute_model
    def test_debug_shows_connections(self, start):
        with start("--log-level", "debug") as server:
            with call(server.port) as peer:
                peer.send(b"1\n")
                peer.receive(2)
                name = re.escape(peer.name)
                server.expect_stderr(rf" debug: {name} has connected$")
            server.expect_stderr(rf" debug: the connection of ({name}|a client that is gone) is closed$")

    @on_every_loop
    def test_debug_shows_members_of_a_chat_and_trace_the_shard(self, engine):
        with ChatServer(engine, "--log-level", "trace") as server, Member(server.port) as member:
            name = re.escape(member.name)
            server.expect_stderr(rf" trace: {name} is served by shard \d+, as one of 1$")
            server.expect_stderr(rf" debug: {name} has connected$")

    @on_every_loop
    def test_debug_shows_why_a_handshake_failed(self, engine):
        with HttpServer(self.folder, "--engine", engine, "--tls", "--log-level", "debug",
                        variables={"STATE_DIRECTORY": str(self.folder)}) as server:
            server.say(b"\x16\x03\x01\x00\x05hello")
            server.expect_stderr(r" debug: the TLS handshake of 127\.0\.0\.1:\d+ failed: ")

    def test_debug_shows_what_is_refused(self):
        with ComputeServer(
            "event", "--trusted-proxy", "127.0.0.1", "--open", "--max-per-address", 1, "--log-level", "debug"
        ) as server:
            with call(server.port) as first:
                first.send(text() + b"1\n")
                first.receive(2)
                for level in ("warning", "debug"):
                    with call(server.port) as other:
                        other.send(text(port=7))
                        with contextlib.suppress(ConnectionResetError):
                            other.receive_to_end()
                    server.expect_stderr(rf" {level}: a client was turned away, .*192\.0\.2\.1:7$")

    def test_debug_shows_a_resumed_upload(self):
        with HttpServer(self.folder, "--log-level", "debug") as server:
            server.say(
                b"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Range: bytes 0-9/10\r\n"
                b"Content-Length: 10\r\n\r\nhalf!", end=True,
            )
            server.ask("PUT", "/a", b"other", {"Content-Range": "bytes 5-9/10"})
            server.expect_stderr(r" debug: \[Client 2\] resumed a at 5 of 10 bytes$")

    def test_info_shows_none_of_it(self):
        with ComputeServer("event") as server:
            with call(server.port) as peer:
                peer.send(b"1\n")
                peer.receive(2)
            _, errors = server.stop()
        self.assertNotRegex(errors, "debug|trace")
