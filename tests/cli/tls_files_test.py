"""The doors of the file service over TLS: clients that others wrote, and what may be kept."""

import contextlib
import http.client
import pathlib
import re
import socket
import ssl
import subprocess
import unittest

from files_http_rig import DATA, HttpServer, HttpTest, ask, on_every_model, receive_to_end, statuses
from files_rig import get, put
from talk_rig import TERMINATE, TIMEOUT, Ended, engines, wait_until
from tls_rig import (
    Authority,
    client_context,
    dial_tls,
    fingerprint_of,
    fingerprint_said_by,
    openssl,
)

VERSIONS = {"TLS 1.2": ssl.TLSVersion.TLSv1_2, "TLS 1.3": ssl.TLSVersion.TLSv1_3}


class TlsTest(HttpTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.authority = Authority(cls.addClassCleanup)
        cls.certificate, cls.key = cls.authority.sign("localhost")

    def flags(self):
        return ("--cert", self.certificate, "--key", self.key)

    def open(self, server, **options):
        return contextlib.closing(
            http.client.HTTPSConnection(
                "localhost", server.port, timeout=TIMEOUT,
                context=client_context(self.authority, **options),
            )
        )


class Clients(TlsTest):
    @on_every_model
    def test_python_fetches_and_stores_in_both_versions(self, model, folder):
        (folder / "large").write_bytes(DATA)
        with HttpServer(folder, *self.flags(), *model) as server:
            for name, version in VERSIONS.items():
                with self.subTest(name), self.open(server, version=version) as connection:
                    status, _, body = ask(connection, "GET", "/large")
                    self.assertEqual((status, body == DATA), (200, True))
                    stored = f"stored-{version}"
                    status, _, _ = ask(connection, "PUT", f"/{stored}", DATA)
                    self.assertEqual((status, (folder / stored).read_bytes() == DATA), (201, True))
                    status, _, body = ask(connection, "GET", "/large", None, {"Range": "bytes=5-9"})
                    self.assertEqual((status, body), (206, DATA[5:10]))

    @on_every_model
    def test_our_own_clients_fetch_and_store(self, model, folder):
        (folder / "large").write_bytes(DATA)
        with HttpServer(folder, *self.flags(), *model, "--raw", "127.0.0.1:0") as server:
            raw = int(server.expect_stderr(r"^listening on 127\.0\.0\.1:(\d+) ")[1])
            trusting = ("--ca", self.authority.file)
            here = folder / "got"
            with get(f"https://localhost:{server.port}/large", "-o", here, *trusting) as client:
                self.assert_ends(client, 0)
            self.assertEqual(here.read_bytes(), DATA)
            with put(here, f"https://127.0.0.1:{server.port}/put", *trusting) as client:
                self.assert_ends(client, 0)
            self.assertEqual((folder / "put").read_bytes(), DATA)
            with put(here, f"tls://localhost:{raw}", *trusting) as client:
                self.assert_ends(client, 0)
            [stored] = folder.glob("upload-*")
            self.assertEqual(stored.read_bytes(), DATA)

    def test_curl_wget_and_openssl(self):
        (self.folder / "large").write_bytes(DATA)
        with HttpServer(self.folder, *self.flags()) as server:
            at = f"https://localhost:{server.port}"
            for command in (
                ("curl", "-sS", "--cacert", self.authority.file, "-o", self.folder / "by-curl", f"{at}/large"),
                ("curl", "-sS", "--tls-max", "1.2", "--cacert", self.authority.file, "-T", self.folder / "large", f"{at}/by-curl-put"),
                ("wget", "-q", "--no-proxy", f"--ca-certificate={self.authority.file}", "-O", self.folder / "by-wget", f"{at}/large"),
            ):
                done = subprocess.run(list(map(str, command)), capture_output=True, timeout=TIMEOUT)
                self.assertEqual((done.returncode, done.stderr), (0, b""), command)
            for name in ("by-curl", "by-curl-put", "by-wget"):
                self.assertTrue((self.folder / name).read_bytes() == DATA, name)
            done = openssl(
                "s_client", "-connect", f"127.0.0.1:{server.port}", "-CAfile", self.authority.file,
                "-verify_return_error", "-quiet", "-alpn", "h2,http/1.1",
                stdin=b"GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            )
            self.assertTrue(done.stdout.endswith(DATA), done.stderr)

    def test_a_session_is_resumed_by_another_shard_and_another_child(self):
        for model in (("--engine", engines()[-1], "--workers", "2"), ("--model", "fork")):
            if model[1] == "blocking":
                continue
            with self.subTest(model), HttpServer(self.folder, *self.flags(), *model) as server:
                for name, version in VERSIONS.items():
                    context = client_context(self.authority, version=version)
                    session = None
                    for number in range(6):
                        with dial_tls(server.port, context, session) as peer:
                            peer.sendall(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
                            self.assertEqual(peer.recv(12), b"HTTP/1.1 200")
                            self.assertEqual(peer.session_reused, number > 0, name)
                            if version == ssl.TLSVersion.TLSv1_3:
                                # Each is to be used once.
                                self.assertNotEqual(session and session.id, peer.session.id)
                            session = peer.session


class Strangers(TlsTest):
    @on_every_model
    def test_plain_http_is_led_to_https(self, model, folder):
        with HttpServer(folder, *self.flags(), *model) as server:
            answer = server.say(b"GET /a%20b?c HTTP/1.1\r\nHost: localhost:80\r\n\r\n")
            self.assertEqual(statuses(answer), [308])
            self.assertIn(b"\r\nLocation: https://localhost:80/a%20b?c\r\n", answer)
            for said in (
                b"PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx",
                b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
                b"GET / HTTP/1.1\r\n\r\n",
                # No field of an answer may hold it.
                b"GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n",
                b"GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n",
            ):
                self.assertEqual(statuses(server.say(said)), [426], said)
            for host in (b"a", b"a b"):
                # RFC 9110, section 9.3.2.
                answer = server.say(b"HEAD / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
                self.assertTrue(answer.endswith(b"\r\n\r\n"), answer)
            self.assertEqual(server.say(b"\x00\x01\x02 what is this\n"), b"")
            self.assertEqual(list(folder.iterdir()), [])
            with self.open(server) as connection:
                self.assertEqual(ask(connection, "HEAD", "/")[0], 200)

    def test_a_client_of_another_protocol_is_turned_away(self):
        with HttpServer(self.folder, *self.flags(), "--raw", "127.0.0.1:0") as server:
            raw = int(server.expect_stderr(r"^listening on 127\.0\.0\.1:(\d+) ")[1])
            # Browsers speak these alone, to whatever port a page leads them.
            for port, named in ((server.port, ["h2"]), (raw, ["http/1.1", "h2"])):
                context = client_context(self.authority)
                context.set_alpn_protocols(named)
                with self.assertRaisesRegex(ssl.SSLError, "no application protocol"):
                    dial_tls(port, context)
            context.set_alpn_protocols(["sluice"])
            with dial_tls(raw, context) as peer:
                self.assertEqual(peer.selected_alpn_protocol(), "sluice")

    def test_old_versions_and_weak_ciphers_are_refused(self):
        with HttpServer(self.folder, *self.flags()) as server:
            for words in (
                ("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"), ("-tls1", "-cipher", "ALL:@SECLEVEL=0"),
                ("-tls1_2", "-cipher", "AES128-SHA"), ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"),
            ):
                done = openssl("s_client", "-connect", f"127.0.0.1:{server.port}", *words)
                self.assertNotEqual(done.returncode, 0, words)
            done = openssl(
                "s_client", "-connect", f"127.0.0.1:{server.port}", "-tls1_2", stdin=b"R\n"
            )
            self.assertRegex(done.stderr + done.stdout, b"no renegotiation")


class Ends(TlsTest):
    """A stream over TLS is whole if its end was announced, and not if anybody cut it."""

    @on_every_model
    def test_a_cut_stream_is_never_a_whole_upload(self, model, folder):
        with HttpServer(folder, *self.flags(), *model, "--raw", "127.0.0.1:0") as server:
            raw = int(server.expect_stderr(r"^listening on 127\.0\.0\.1:(\d+) ")[1])
            with dial_tls(raw) as peer:
                peer.sendall(DATA)
                peer.shutdown(socket.SHUT_WR)  # of TCP, without a word of TLS
                # What is left unread would make the end a reset.
                with contextlib.suppress(OSError):
                    while peer.recv(65536):
                        pass
            self.assertRegex(
                server.read_line(), r"^Lost \[Client \d+\] after \d+ bytes: the TLS connection ended"
            )
            self.assertEqual(list(folder.iterdir()), [])
            with dial_tls(raw) as peer:
                peer.sendall(DATA)
                peer.unwrap().close()
            self.assertRegex(server.read_line(), r"^Received 3000001 bytes")
            [stored] = folder.iterdir()
            self.assertTrue(stored.read_bytes() == DATA)

    @on_every_model
    def test_the_end_of_the_server_is_announced(self, model, folder):
        (folder / "large").write_bytes(DATA)
        with HttpServer(folder, *self.flags(), *model) as server:
            with dial_tls(server.port) as peer:
                peer.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                answer = b""
                while more := peer.recv(65536):  # raises where the end is not announced
                    answer += more
                self.assertTrue(answer.endswith(DATA))

    @on_every_model
    def test_records_of_a_byte(self, model, folder):
        with HttpServer(folder, *self.flags(), *model) as server, dial_tls(server.port) as peer:
            body = DATA[:5000]
            said = b"PUT /small HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n" + body
            for byte in said:
                peer.send(bytes((byte,)))
            self.assertEqual(peer.recv(12), b"HTTP/1.1 201")
            self.assertEqual((folder / "small").read_bytes(), body)


class Trust(TlsTest):
    def test_a_certificate_is_made_once_and_kept_for_its_owner(self):
        state = {"STATE_DIRECTORY": str(self.folder / "state")}
        said = set()
        for _ in range(2):
            with HttpServer(self.folder / "files", "--tls", variables=state) as server:
                said.add(fingerprint_said_by(server))
                with dial_tls(server.port) as peer:
                    peer.sendall(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
                    self.assertEqual(peer.recv(12), b"HTTP/1.1 200")
        kept = self.folder / "state" / "certificate.pem"
        self.assertEqual(said, {fingerprint_of(kept)})
        self.assertEqual(kept.stat().st_mode & 0o777, 0o600)
        shown = openssl("x509", "-in", kept, "-noout", "-ext", "subjectAltName").stdout
        self.assertIn(b"DNS:localhost", shown)
        self.assertIn(b"IP Address:127.0.0.1", shown)

    def test_whom_a_client_trusts(self):
        (self.folder / "a").write_bytes(b"x")
        other = Authority(self.addCleanup)
        with HttpServer(self.folder, *self.flags()) as server:
            said = fingerprint_said_by(server)
            self.assertEqual(said, fingerprint_of(self.certificate))
            colons = ":".join(re.findall("..", said.upper()))
            for flags, host, status, words in (
                (("--fingerprint", said), "127.0.0.1", 0, "Received 1 bytes"),
                (("--fingerprint", colons), "127.0.0.1", 0, "Received 1 bytes"),
                (("--ca", self.authority.file), "localhost", 0, "Received 1 bytes"),
                ((), "localhost", 3, f"is not trusted .* --fingerprint {said}, or name its authority"),
                (("--ca", other.file), "localhost", 3, "is not trusted"),
                (("--fingerprint", "0" * 64), "localhost", 3, "it is another server, or has a new"),
                (("--fingerprint", "0" * 63), "localhost", 2, "is no SHA-256 fingerprint"),
                (("--ca", self.key), "localhost", 1, "a PEM file is expected"),
            ):
                with self.subTest(flags=flags), get(
                    f"https://{host}:{server.port}/a", "-o", "-", *flags,
                    variables={"HOME": str(self.folder / "home")}, start_new_session=True,
                ) as client:
                    self.assert_ends(client, status, err=words)

    def test_a_name_that_the_certificate_does_not_have(self):
        certificate, key = self.authority.sign("elsewhere", "DNS:elsewhere.example")
        with HttpServer(self.folder, "--cert", certificate, "--key", key) as server:
            with get(
                f"https://localhost:{server.port}/a", "-o", "-", "--ca", self.authority.file,
                variables={"HOME": str(self.folder / "home")}, start_new_session=True,
            ) as client:
                self.assert_ends(client, 3, err="hostname mismatch")

    def test_clients_must_show_a_certificate(self):
        (self.folder / "a").write_bytes(b"x")
        other = Authority(self.addCleanup)
        flags = (*self.flags(), "--client-ca", self.authority.file)
        with HttpServer(self.folder, *flags) as server:
            shown = self.authority.sign("visitor")
            at = f"https://localhost:{server.port}/a"
            trusting = ("-o", "-", "--ca", self.authority.file, "--retry", "0")
            with get(at, *trusting, "--cert", shown[0], "--key", shown[1]) as client:
                self.assert_ends(client, 0, "x")
            with get(at, *trusting) as client:
                self.assertEqual(client.end()[0], 3)
            with get(at, *trusting, "--cert", *other.sign("stranger")[:1], "--key", other.folder / "stranger.key") as client:
                self.assertEqual(client.end()[0], 3)

    def test_bad_files_are_explained(self):
        empty = self.folder / "empty"
        empty.write_bytes(b"")
        secret = self.folder / "secret.key"
        openssl("ec", "-in", self.key, "-aes256", "-passout", "pass:x", "-out", secret)
        other_key = self.authority.sign("other")[1]
        for flags, words in (
            (("--cert", "/does/not/exist"), "cannot read /does/not/exist: No such file"),
            (("--cert", empty), "holds no certificate: a PEM file is expected"),
            (("--cert", self.certificate, "--key", empty), "holds no key that can be read"),
            (("--cert", self.certificate, "--key", secret), "without a passphrase"),
            (("--cert", self.certificate, "--key", other_key), "does not belong to the certificate"),
            (("--tls", "--key", self.key), "add --cert FILE"),
            (("--tls", "--client-ca", empty), "cannot read certificates of authorities"),
        ):
            with self.subTest(flags=flags), self.assertRaises(Ended) as ended:
                HttpServer(self.folder, *flags, variables={"STATE_DIRECTORY": str(self.folder / "s")})
            del ended

    def test_sighup_takes_over_a_new_certificate_and_keeps_the_old_after_a_bad_one(self):
        certificate, key = self.folder / "now.pem", self.folder / "now.key"

        def show(pair):
            certificate.write_bytes(pathlib.Path(pair[0]).read_bytes())
            key.write_bytes(pathlib.Path(pair[1]).read_bytes())

        def shown(server):
            with dial_tls(server.port, client_context(self.authority)) as peer:
                return dict(each[0] for each in peer.getpeercert()["subject"])["commonName"]

        for model in (("--engine", "epoll"), ("--model", "fork"), ("--model", "thread")):
            show((self.certificate, self.key))
            with self.subTest(model), HttpServer(
                self.folder / "files", "--cert", certificate, "--key", key, *model,
                start_new_session=True,
            ) as server:
                server.signal(1)
                server.expect_stderr("SIGHUP: the configuration was read again")
                with self.open(server) as kept:
                    self.assertEqual(ask(kept, "HEAD", "/")[0], 200)
                    show(self.authority.sign("renewed"))
                    server.signal(1)
                    server.expect_stderr("SIGHUP: the configuration was read again")
                    wait_until(lambda: shown(server) == "renewed", "the new certificate is shown")
                    certificate.write_bytes(b"nonsense")
                    server.signal(1)
                    server.expect_stderr("SIGHUP: .* holds no certificate.*; what was read before stays")
                    self.assertEqual(shown(server), "renewed")
                    self.assertEqual(ask(kept, "HEAD", "/")[0], 200)


class Limits(TlsTest):
    @on_every_model(but=("sync",))
    def test_a_handshake_that_stands_still_holds_nobody_up_and_a_stop_ends_it(self, model, folder):
        with HttpServer(folder, *self.flags(), *model) as server:
            with server.dial() as silent, server.dial() as slow:
                slow.sendall(b"\x16\x03\x01\x02\x00\x01\x00")
                with self.open(server) as connection:
                    self.assertEqual(ask(connection, "HEAD", "/")[0], 200)
                server.signal(TERMINATE)
                self.assert_ends(server, 0)
                self.assertEqual(receive_to_end(silent), b"")

    @on_every_model
    def test_nonsense_within_tls_ends_the_connection_alone(self, model, folder):
        with HttpServer(folder, *self.flags(), *model) as server:
            for said in (
                b"\x16\x03\x01\x00\x05hello", b"\x16\x03\x01\xff\xff" + bytes(70_000),
                b"\x16\x03\x03\x00\x00" * 100, b"\x16" * 1000,
            ):
                answer = server.say(said)
                self.assertTrue(answer == b"" or answer[0] == 21, answer[:20])
            with self.open(server) as connection:
                self.assertEqual(ask(connection, "HEAD", "/")[0], 200)


if __name__ == "__main__":
    unittest.main()
