"""Accounts at the HTTP door: who may do what, by passwords and by tokens."""

import base64
import os
import subprocess
import unittest

from files_http_rig import HttpServer, HttpTest, ask, on_every_model
from talk_rig import ENVIRONMENT, SLUICE, TIMEOUT, wait_until
from tls_rig import Authority

PASSWORDS = {"ann": "a secret of Ann's: with ünicode", "bob": "b" * 200}


def run(*words, stdin=""):
    return subprocess.run(
        [SLUICE, *map(str, words)], input=stdin, text=True, capture_output=True, timeout=TIMEOUT,
        env=ENVIRONMENT,
    )


def basic(name, password):
    pair = f"{name}:{password}".encode()
    return {"Authorization": "Basic " + base64.b64encode(pair).decode()}


class AuthTest(HttpTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # With one file for all tests, scrypt is run once an account here.
        cls.authority = Authority(cls.addClassCleanup)
        cls.accounts = cls.authority.folder / "accounts"
        for name, rights in (("ann", "all"), ("bob", "read,upload:/inbox")):
            done = run("passwd", cls.accounts, name, "--allow", rights, stdin=PASSWORDS[name] + "\n")
            assert done.returncode == 0, done.stderr

    def token(self, name, *flags):
        done = run("token", name, "--auth", self.accounts, *flags)
        self.assertEqual(done.returncode, 0, done.stderr)
        return {"Authorization": "Bearer " + done.stdout.strip()}

    def statuses(self, server, *requests):
        got = []
        for method, path, headers in requests:
            body = b"x" if method == "PUT" else None
            status, fields, _ = server.ask(method, path, body, headers)
            got.append(status)
            self.assertEqual(status == 401, "WWW-Authenticate" in fields, (status, path, fields))
        return got


class Rights(AuthTest):
    @on_every_model
    def test_who_may_do_what(self, model, folder):
        ann, bob = (basic(name, PASSWORDS[name]) for name in ("ann", "bob"))
        (folder / "a").write_bytes(b"here")
        with HttpServer(folder, "--auth", self.accounts, *model) as server:
            self.assertEqual(
                self.statuses(
                    server,
                    ("GET", "/a", {}), ("GET", "/", {}), ("PUT", "/b", {}), ("DELETE", "/a", {}),
                    ("GET", "/none", {}), ("GET", "/?parts", {}),
                ),
                [401] * 6,
            )
            self.assertEqual(
                self.statuses(
                    server,
                    ("GET", "/a", bob), ("PUT", "/b", bob), ("PUT", "/inbox/b", bob),
                    ("PUT", "/inbox/b", bob), ("DELETE", "/a", bob), ("GET", "/inbox/b", bob),
                ),
                [200, 403, 201, 403, 403, 200],
            )
            self.assertEqual(
                self.statuses(
                    server, ("PUT", "/a", ann), ("GET", "/a", ann), ("DELETE", "/inbox/b", ann),
                ),
                [204, 200, 204],
            )
            _, fields, _ = server.ask("OPTIONS", "/inbox/c", None, bob)
            self.assertEqual(fields["Allow"], "GET, HEAD, PUT, OPTIONS")
            _, fields, _ = server.ask("OPTIONS", "/c", None, {})
            self.assertEqual(fields["Allow"], "GET, HEAD, OPTIONS")

    def test_a_visitor_without_a_name(self):
        accounts = self.folder / "accounts"
        accounts.write_text(self.accounts.read_text() + "* - - read:/public\n")
        accounts.chmod(0o600)
        for name in ("public", "private"):
            (self.folder / "files" / name).mkdir(parents=True)
            (self.folder / "files" / name / "a").write_bytes(b"x")
        with HttpServer(self.folder / "files", "--auth", accounts) as server:
            self.assertEqual(
                self.statuses(
                    server, ("GET", "/public/a", {}), ("GET", "/public/", {}), ("GET", "/", {}),
                    ("GET", "/private/a", {}), ("GET", "/public/../private/a", {}),
                    ("GET", "/publicly", {}), ("PUT", "/public/b", {}),
                ),
                [200, 200, 401, 401, 400, 401, 401],
            )

    @on_every_model
    def test_one_connection_for_several(self, model, folder):
        (folder / "a").write_bytes(b"here")
        bob = basic("bob", PASSWORDS["bob"])
        with HttpServer(folder, "--auth", self.accounts, *model) as server:
            with server.open() as connection:
                for headers, status in ((bob, 200), ({}, 401), (bob, 200), (basic("bob", "x"), 401)):
                    self.assertEqual(ask(connection, "GET", "/a", None, headers)[0], status)


class Tokens(AuthTest):
    @on_every_model
    def test_a_token_narrows_what_its_account_may(self, model, folder):
        (folder / "a").write_bytes(b"here")
        with HttpServer(folder, "--auth", self.accounts, *model) as server:
            reads = self.token("ann", "--allow", "read")
            drops = self.token("ann", "--allow", "upload:/drop")
            self.assertEqual(
                self.statuses(
                    server, ("GET", "/a", reads), ("PUT", "/b", reads), ("DELETE", "/a", reads),
                    ("PUT", "/drop/b", drops), ("PUT", "/drop/b", drops), ("GET", "/a", drops),
                ),
                [200, 403, 403, 201, 403, 403],
            )
            text = reads["Authorization"]
            for bad in (text[:-1], text + "x", text.replace("sluice1.", "sluice2."), "Bearer ", "Bearer x.y.z"):
                self.assertEqual(
                    self.statuses(server, ("GET", "/a", {"Authorization": bad})), [401], bad
                )

    def test_an_account_that_is_removed_is_gone_after_a_reload(self):
        accounts = self.folder / "accounts"
        accounts.write_bytes(self.accounts.read_bytes())
        accounts.chmod(0o600)
        (self.folder / "files").mkdir()
        (self.folder / "files" / "a").write_bytes(b"x")
        bob, token = basic("bob", PASSWORDS["bob"]), self.token("bob")
        with HttpServer(self.folder / "files", "--auth", accounts, start_new_session=True) as server:
            self.assertEqual(
                self.statuses(server, ("GET", "/a", bob), ("GET", "/a", token)), [200, 200]
            )
            accounts.write_text("nonsense\n")
            server.signal(1)
            server.expect_stderr("SIGHUP: .*accounts:1: .*; what was read before stays in force")
            self.assertEqual(self.statuses(server, ("GET", "/a", bob)), [200])
            accounts.write_bytes(self.accounts.read_bytes())
            self.assertEqual(run("passwd", accounts, "bob", "--remove").returncode, 0)
            server.signal(1)
            server.expect_stderr("SIGHUP: the configuration was read again")
            wait_until(
                lambda: self.statuses(server, ("GET", "/a", token)) == [401], "the token is of no use"
            )
            self.assertEqual(self.statuses(server, ("GET", "/a", bob)), [401])


class Guesses(AuthTest):
    @on_every_model(but=("fork",))  # whose children each have a memory of their own
    def test_an_address_that_guesses_is_slowed_down(self, model, folder):
        (folder / "a").write_bytes(b"here")
        with HttpServer(folder, "--auth", self.accounts, *model) as server:
            seen = self.statuses(
                server, *(("GET", "/a", basic("bob", f"guess {n}")) for n in range(8))
            )
            self.assertEqual(seen[:5], [401] * 5)
            self.assertIn(429, seen)
            # So is who knows it.
            self.assertEqual(self.statuses(server, ("GET", "/a", {})), [401])
            server.expect_stderr(r"1 login refused, the last of 'bob' from 127\.0\.0\.1:\d+")

    def test_names_and_fields_that_make_no_sense(self):
        (self.folder / "a").write_bytes(b"here")
        for field in ("Basic", "Basic !!!", "Basic YQ==", "Digest x", "Bearer", "Bearer " + "x" * 5000, "x"):
            with self.subTest(field), HttpServer(self.folder, "--auth", self.accounts) as server:
                got = self.statuses(server, ("GET", "/a", {"Authorization": field}))
                self.assertEqual(got, [401])


class Doors(AuthTest):
    def test_passwords_do_not_travel_in_the_clear(self):
        certificate, key = self.authority.sign("localhost")
        secure = ("--cert", certificate, "--key", key)
        for flags, starts in (
            (("--http", "0.0.0.0:0"), False),
            (("--http", "0.0.0.0:0", *secure), True),
            (("--http", "0.0.0.0:0", "--insecure-auth"), True),
            (("--http", "127.0.0.1:0", "--raw", "127.0.0.1:0"), True),
            (("--http", "127.0.0.1:0", "--raw", "0.0.0.0:0"), False),
            (("--http", "127.0.0.1:0", "--allow", "upload"), False),
            (("--http", "127.0.0.1:0", "--read-only"), False),
        ):
            with self.subTest(flags):
                done = subprocess.Popen(
                    [SLUICE, "files", "serve", self.folder, "--auth", self.accounts, *map(str, flags)],
                    stderr=subprocess.PIPE, text=True, env=ENVIRONMENT,
                )
                with done:
                    line = done.stderr.readline()
                    self.assertEqual(line.startswith("listening on "), starts, line)
                    if starts:
                        done.terminate()
                    self.assertEqual(done.wait(TIMEOUT), 0 if starts else 2)

    def test_bad_files_are_explained(self):
        for text, mode, words in (
            ("ann\n", 0o600, "bad:1: "), ("", 0o644, "chmod 600"), (None, 0, "bad: no such file"),
        ):
            bad = self.folder / "bad"
            if text is None:
                bad.unlink()
            else:
                bad.write_text(text)
                bad.chmod(mode)
            done = run("files", "serve", self.folder, "--http", "127.0.0.1:0", "--auth", bad)
            self.assertEqual(done.returncode, 2)
            self.assertIn(words, done.stderr)

    def test_curl(self):
        (self.folder / "a").write_bytes(b"here")
        with HttpServer(self.folder, "--auth", self.accounts) as server:
            for words, code in ((("-u", f"ann:{PASSWORDS['ann']}"), "200"), (("-u", "ann:no"), "401"), ((), "401")):
                done = subprocess.run(
                    ["curl", "-s", "-o", os.devnull, "-w", "%{http_code}", *words, f"http://127.0.0.1:{server.port}/a"],
                    capture_output=True, text=True, timeout=TIMEOUT,
                )
                self.assertEqual(done.stdout, code)


if __name__ == "__main__":
    unittest.main()
