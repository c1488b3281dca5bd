"""--metrics of every server: what it shows, beside every model and whatever the server does."""

import base64
import contextlib
import http.client
import json
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import unittest

from metrics_rig import ALL, LOOPS, SOURCE, Malformed, Scrape, Server, commands
from talk_rig import (
    ENVIRONMENT,
    SLUICE,
    TIMEOUT,
    TalkTest,
    call,
    sanitized,
    side_by_side,
    wait_until,
)


class Reader(unittest.TestCase):
    """The strict reader itself."""

    GOOD = (
        "# HELP a_total x\n# TYPE a_total counter\na_total{b=\"c\"} 1\na_total 2\n"
        "# HELP h x\n# TYPE h histogram\n"
        'h_bucket{le="1"} 1\nh_bucket{le="+Inf"} 2\nh_sum 3.5\nh_count 2\n'
    )

    def test_takes_what_is_good(self):
        self.assertEqual(Scrape(self.GOOD)["a_total"], 3)

    def test_refuses_what_is_not(self):
        for old, new in (
            ("# HELP a_total x\n", ""),
            ("# TYPE a_total counter\n", ""),
            ("counter", "gauge"),
            ("a_total 2\n", 'a_total{b="c"} 2\n'),
            ('{b="c"}', '{b="c\\x"}'),
            ('{b="c"}', '{b="c",b="d"}'),
            ('{b="c"}', "{}"),
            ('h_bucket{le="1"} 1', 'h_bucket{le="1"} 3'),
            ('h_bucket{le="+Inf"} 2\n', ""),
            ("h_count 2", "h_count 1"),
            ("h_sum 3.5\n", ""),
            ("h_count 2\n", "h_count 2\na_total{c=\"d\"} 1\n"),
            ("a_total 2", "a_total x"),
            ("a_total 2", "a-total 2"),
        ):
            with self.subTest(old=old, new=new), self.assertRaises(Malformed):
                self.assertIn(old, self.GOOD)
                Scrape(self.GOOD.replace(old, new, 1))


class Metrics(TalkTest):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.file = self.folder / "file"
        self.file.write_bytes(b"hello")

    def cases(self, which=commands):
        for words, variants in which(self.folder, self.file):
            for variant in variants:
                yield {"command": words[:2], "variant": variant}, (*words, *variant)

    def on_every_model_of_files(self, check):
        def run(variant):
            folder = self.folder / variant[1]  # of its own, for what is put there
            folder.mkdir()
            shutil.copy(self.file, folder)
            check("files", "serve", folder, "--http", "127.0.0.1:0", *variant)

        side_by_side(self, [({"variant": v}, v) for v in ALL], run)

    def test_every_server_shows_metrics_that_are_valid_and_documented(self):
        page = (SOURCE / "docs" / "metrics.md").read_text(encoding="utf-8")
        documented = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
        promtool = shutil.which("promtool")
        seen = set()

        def check(words):
            with Server(*words) as server:
                scrape = server.scrape()
                seen.update(scrape.types)
                status, fields, text = server.ask(
                    Accept="application/openmetrics-text; version=1.0.0"
                )
                self.assertEqual(status, 200)
                self.assertIn("openmetrics-text; version=1.0.0", fields["Content-Type"])
                self.assertTrue(text.endswith("\n# EOF\n"))
                self.assertNotRegex(text, r"# TYPE \w+_total ")
                for path in ("/healthz", "/readyz"):
                    self.assertEqual(server.ask(path)[0], 200, path)
                if promtool:
                    done = subprocess.run(
                        [promtool, "check", "metrics"],
                        input=scrape.text.encode(),
                        capture_output=True,
                        timeout=TIMEOUT,
                    )
                    self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))
                server.signal(signal.SIGTERM)
                self.assert_ends(server, 0)

        side_by_side(self, list(self.cases()), check)
        # These are shown once there is something to show, or by a flag.
        rare = {
            "sluice_send_cpu_per_gibibyte_seconds",
            "sluice_tls_handshakes_total",
            "sluice_tls_slow_total",
            "sluice_tls_plain_total",
            *(name for name in documented if name.startswith(("sluice_logins", "sluice_programs"))),
        }
        self.assertEqual(seen - documented, set(), "not in docs/metrics.md")
        self.assertEqual(documented - rare - seen, set(), "documented, and shown by no server")

    def test_what_is_done_is_counted_in_every_model(self):
        def check(*words):
            with Server(*words) as server:
                for method, path, body, status in (
                    ("PUT", "/new", b"12345", 201),
                    ("GET", "/file", None, 200),
                    ("GET", "/file", None, 200),
                    ("HEAD", "/file", None, 200),
                    ("GET", "/nothing", None, 404),
                ):
                    connection = http.client.HTTPConnection(
                        "127.0.0.1", server.ports[0], timeout=TIMEOUT
                    )
                    with contextlib.closing(connection):
                        connection.request(method, path, body)
                        answer = connection.getresponse()
                        answer.read()
                        self.assertEqual(answer.status, status)
                wait_until(
                    lambda: server.scrape().sum("sluice_clients_connected") == 0, "they are gone"
                )
                seen = server.scrape()
                counted = "sluice_http_requests_total"
                self.assertEqual(seen.sum(counted, method="PUT", status="2xx"), 1)
                self.assertEqual(seen.sum(counted, method="GET", status="2xx"), 2)
                self.assertEqual(seen.sum(counted, method="HEAD", status="2xx"), 1)
                self.assertEqual(seen.sum(counted, method="GET", status="4xx"), 1)
                self.assertEqual(seen["sluice_http_request_seconds_count"], 5)
                self.assertGreater(seen["sluice_http_request_seconds_sum"], 0)
                self.assertEqual(seen["sluice_http_fetched_bytes_total"], 10)
                self.assertEqual(seen["sluice_http_stored_bytes_total"], 5)
                self.assertEqual(seen.sum("sluice_clients_accepted_total", door="http"), 5)
                if "fork" in words:
                    self.assertGreater(seen["process_children_cpu_seconds_total"], 0)
                if words[-2] == "--engine":
                    self.assertGreater(seen["sluice_loop_turns_total"], 0)
                    self.assertGreater(seen["sluice_loop_resumed_total"], 0)
                    self.assertEqual(
                        seen["sluice_loop_busy_seconds_count"], seen["sluice_loop_turns_total"]
                    )

        self.on_every_model_of_files(check)

    def test_questions_are_timed(self):
        def check(variant):
            with Server("compute", "serve", "--listen", "127.0.0.1:0", *variant) as server:
                with call(server.ports[0]) as peer:
                    for _ in range(3):
                        peer.send(b"25\n")
                        self.assertEqual(peer.receive(7), b"121393\n")
                wait_until(
                    lambda: server.scrape()["sluice_compute_work_seconds_count"] == 3, "3 jobs"
                )
                seen = server.scrape()
                self.assertEqual(seen["sluice_compute_worked_on_total"], 3)
                self.assertEqual(seen["sluice_compute_queue_seconds_count"], 3)
                self.assertGreater(seen["sluice_compute_work_seconds_sum"], 0)

        side_by_side(self, [({"variant": v}, v) for v in ALL], check)

    def test_messages_are_counted_by_shard(self):
        def check(variant):
            with Server("chat", "serve", "--listen", "127.0.0.1:0", *variant) as server:
                with call(server.ports[0]) as one, call(server.ports[0]) as two:
                    wait_until(lambda: server.scrape()["sluice_chat_members"] == 2, "2 members")
                    one.send(b"hello\n")
                    wait_until(
                        lambda: server.scrape()["sluice_chat_deliveries_total"] >= 1, "a line"
                    )
                    seen = server.scrape()
                    self.assertEqual(seen["sluice_chat_messages_total"], 1)
                    shards = {dict(l)["shard"] for n, l in seen.samples if n == "sluice_chat_members"}
                    self.assertEqual(
                        shards, {dict(l)["shard"] for n, l in seen.samples if "loop_turns" in n}
                    )
                    two.send(b"exit\n")

        side_by_side(self, [({"variant": v}, v) for v in LOOPS], check)

    def test_answers_while_the_server_takes_no_more_clients(self):
        def check(*words):
            with Server(*words, "--max-clients", "1") as server:
                # Two clients: the second waits for the first, who says nothing more.
                with contextlib.ExitStack() as stack:
                    first = stack.enter_context(call(server.ports[0]))
                    first.send(b"GET /file HTTP/1.1\r\nHost: x\r\n\r\n")
                    self.assertIn(b"200 OK", first.receive(15))
                    second = stack.enter_context(call(server.ports[0]))
                    second.send(b"GET /file HTTP/1.1\r\nHost: x\r\n\r\n")
                    seen = server.scrape()
                    self.assertEqual(seen["sluice_clients_connected"], 1)
                    self.assertEqual(seen["sluice_clients_limit"], 1)
                    self.assertEqual(server.ask("/readyz")[0], 200)
                    self.assertEqual(server.ask("/healthz")[0], 200)

        self.on_every_model_of_files(check)

    def test_says_that_it_drains_and_still_answers(self):
        def check(*words):
            with Server(*words, "--grace", "1h") as server:
                with call(server.ports[0]) as peer:
                    peer.send(b"PUT /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab")
                    wait_until(lambda: server.scrape()["sluice_http_transfers"] == 1, "it is sent")
                    self.assertEqual(server.scrape()["sluice_ready"], 1)
                    server.signal(signal.SIGTERM)
                    wait_until(lambda: server.ask("/readyz")[0] == 503, "it drains")
                    self.assertEqual(server.ask("/readyz")[2], "draining\n")
                    self.assertEqual(server.ask("/healthz")[0], 200)
                    self.assertEqual(server.scrape()["sluice_ready"], 0)
                    peer.send(b"cd")
                    self.assertIn(b"201 Created", peer.receive(20))
                    peer.finish()
                self.assert_ends(server, 0)

        self.on_every_model_of_files(check)

    def test_its_connections_are_none_of_the_servers(self):
        def check(*words):
            with Server(*words) as server:
                held = [socket.create_connection(("127.0.0.1", server.metrics)) for _ in range(5)]
                wait_until(
                    lambda: server.scrape()["sluice_metrics_connections"] == 6, "all are there"
                )
                self.assertEqual(server.scrape()["sluice_clients_connected"], 0)
                self.assertEqual(server.scrape()["sluice_clients_accepted_total"], 0)
                for each in held:
                    each.close()
                server.signal(signal.SIGTERM)
                self.assert_ends(server, 0)

        self.on_every_model_of_files(check)

    def test_too_many_connections_are_reset(self):
        def check(*words):
            with Server(*words) as server, contextlib.ExitStack() as held:
                for _ in range(32):
                    held.enter_context(call(server.metrics))
                with self.assertRaises(ConnectionResetError), call(server.metrics) as one_more:
                    one_more.receive(1)
                held.close()
                wait_until(lambda: self.refused(server) >= 1, "one was refused")

        self.on_every_model_of_files(check)

    def test_how_many_connections_there_may_be_is_a_flag(self):
        def check(*words):
            with Server(*words, "--metrics-max-clients", 2) as server, contextlib.ExitStack() as held:
                for _ in range(2):
                    held.enter_context(call(server.metrics))
                with self.assertRaises(ConnectionResetError), call(server.metrics) as one_more:
                    one_more.receive(1)
                held.close()
                wait_until(lambda: self.refused(server) >= 1, "one was refused")

        self.on_every_model_of_files(check)

    @staticmethod
    def refused(server):
        with contextlib.suppress(ConnectionError, http.client.HTTPException):
            return server.scrape()["sluice_metrics_connections_refused_total"]
        return 0  # the others have not left yet

    def test_requests_of_other_kinds(self):
        def check(*words):
            with Server(*words) as server:
                status, fields, text = server.ask(method="HEAD")
                self.assertEqual((status, text), (200, ""))
                self.assertGreater(int(fields["Content-Length"]), 1000)
                self.assertEqual(server.ask("/")[0], 404)
                status, fields, _ = server.ask(method="DELETE")
                self.assertEqual((status, fields["Allow"]), (405, "GET, HEAD"))
                self.assertEqual(server.ask(Host="evil.example")[0], 421)
                with call(server.metrics) as peer:
                    peer.send(b"nonsense\r\n\r\n")
                    self.assertIn(b" 400 ", peer.receive_to_end())

        self.on_every_model_of_files(check)

    def test_beyond_this_machine_it_asks(self):
        command = [SLUICE, "compute", "serve", "--listen", "127.0.0.1:0"]
        accounts = self.folder / "accounts"
        for name, rights in (("prometheus", "metrics"), ("other", "ask")):
            done = subprocess.run(
                [SLUICE, "passwd", accounts, name, "--allow", rights],
                input=b"password of it\n",
                capture_output=True,
                env=ENVIRONMENT,
                timeout=TIMEOUT,
            )
            self.assertEqual(done.returncode, 0, done.stderr)
        for more, words in (([], b"--open"), (["--auth", accounts], b"--tls")):
            done = subprocess.run(
                [*command, "--metrics", "0.0.0.0:0", *more],
                capture_output=True,
                env=ENVIRONMENT,
                timeout=TIMEOUT,
            )
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(words, done.stderr)

        def check(variant):
            words = (*command[1:], *variant)
            with Server(*words, "--open", metrics="0.0.0.0:0") as server:
                self.assertEqual(server.ask()[0], 200)
                self.assertEqual(server.ask(Host="a.name.of.it")[0], 200)
            with Server(
                *words, "--auth", accounts, "--insecure-auth", metrics="0.0.0.0:0"
            ) as server:
                status, fields, _ = server.ask()
                self.assertEqual(status, 401)
                self.assertIn("Basic ", fields["WWW-Authenticate"])
                self.assertEqual(server.ask("/healthz")[0], 200)
                for name, word, expected in (
                    ("prometheus", "password of it", 200),
                    ("prometheus", "another", 401),
                    ("other", "password of it", 403),
                ):
                    both = base64.b64encode(f"{name}:{word}".encode()).decode()
                    self.assertEqual(server.ask(Authorization=f"Basic {both}")[0], expected, name)
            # On this machine alone, all may ask.
            with Server(*words, "--auth", accounts) as server:
                self.assertEqual(server.ask()[0], 200)

        side_by_side(self, [({"variant": v}, v) for v in ALL], check)

    def test_speaks_tls_as_the_server_does(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE

        def check(*words):
            state = {"XDG_STATE_HOME": str(self.folder)}
            with Server(*words, "--tls", variables=state) as server:
                for path in ("/metrics", "/metrics"):
                    connection = http.client.HTTPSConnection(
                        "127.0.0.1", server.metrics, timeout=TIMEOUT, context=context
                    )
                    with contextlib.closing(connection):
                        connection.request("GET", path)
                        answer = connection.getresponse()
                        text = answer.read().decode()
                        self.assertEqual(answer.status, 200)
                self.assertGreaterEqual(
                    Scrape(text).sum("sluice_tls_handshakes_total", outcome="full"), 2
                )

        self.on_every_model_of_files(check)

    @unittest.skipIf(sanitized(), "a sanitizer makes calls of its own, so its builds have no sandbox")
    def test_the_sandbox_lets_it(self):
        def check(*words):
            with Server(*words, "--sandbox", "on") as server:
                seen = server.scrape()
                self.assertGreater(seen["process_resident_memory_bytes"], 0)
                self.assertGreater(seen["process_open_fds"], 3)

        doctor = subprocess.run(
            [SLUICE, "doctor", "--json"], stdout=subprocess.PIPE, env=ENVIRONMENT, timeout=TIMEOUT
        )
        if "landlock" not in doctor.stdout.decode().lower():
            self.skipTest("there is no sandbox here")
        if ENVIRONMENT.get("SLUICE_SANDBOX") == "off":
            self.skipTest("the sandbox is off")
        self.on_every_model_of_files(check)

    def test_an_address_in_use_is_said(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            done = subprocess.run(
                [SLUICE, "compute", "serve", "--listen", "0", "--metrics", str(port)],
                capture_output=True,
                env=ENVIRONMENT,
                timeout=TIMEOUT,
            )
            self.assertEqual(done.returncode, 1)
            self.assertIn(b"choose another port with --metrics", done.stderr)

    def test_the_dashboard_names_metrics_that_there_are(self):
        dashboard = json.loads(
            (SOURCE / "packaging" / "grafana" / "sluice.json").read_text(encoding="utf-8")
        )
        expressions = re.findall(r'"(?:expr|query)": "((?:[^"\\]|\\.)*)"', json.dumps(dashboard))
        expressions.remove("prometheus")  # the kind of the data source
        self.assertGreater(len(expressions), 20)
        doors = [w for d in ("--chat", "--http", "--raw", "--compute") for w in (d, "127.0.0.1:0")]
        accounts = self.folder / "accounts"
        subprocess.run(
            [SLUICE, "passwd", accounts, "a", "--allow", "all"],
            input=b"password of it\n",
            check=True,
            capture_output=True,
            env=ENVIRONMENT,
            timeout=TIMEOUT,
        )
        state = {"XDG_STATE_HOME": str(self.folder)}
        there = set()
        with Server("serve", "--files", self.folder, *doors, "--auth", accounts) as server:
            there |= server.scrape().names()
        with Server("talk", "serve", "--listen", "127.0.0.1:0") as server:
            there |= server.scrape().names()
        with Server(
            "compute", "serve", "--listen", "127.0.0.1:0", "--tls", "--clear-too", variables=state
        ) as server:
            there |= server.scrape().names()
        for expression in expressions:
            named = set(re.findall(r"\b(?:sluice|process)_\w+", expression))
            self.assertTrue(named, expression)
            self.assertEqual(named - there, set(), expression)


if __name__ == "__main__":
    unittest.main()
