"""The page of a directory in a real browser, where there is one."""

import base64
import hashlib
import os
import pathlib
import tempfile
import unittest

from browser_rig import CHROMIUM, Browser
from talk_rig import SLUICE, Program, TalkTest, engines, wait_until
from tls_rig import Authority, openssl

DATA = os.urandom(300_000)


@unittest.skipUnless(CHROMIUM, "there is no Chromium here")
class Page(TalkTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        for name in ("profile", "here", "there", "fetched"):
            (self.folder / name).mkdir()
        self.there = self.folder / "there"

    def serve(self, *flags):
        server = Program(
            SLUICE, "files", "serve", self.there, "--create", "--http", "127.0.0.1:0", *flags
        )  # fmt: skip
        port = server.expect_stderr(r"^listening on 127\.0\.0\.1:(\d+)")[1]
        return server, f"http://127.0.0.1:{port}/"

    def test_over_tls_files_go_up_and_come_down(self):
        chain, key = Authority(self.addCleanup).sign("server")
        public = openssl("x509", "-in", chain, "-pubkey", "-noout").stdout
        spki = openssl("pkey", "-pubin", "-outform", "der", stdin=public).stdout
        known = base64.b64encode(hashlib.sha256(spki).digest()).decode()
        mine = self.folder / "here" / "mine.bin"
        mine.write_bytes(DATA)
        for engine in engines():
            server, url = self.serve("--engine", engine, "--tls", "--cert", chain, "--key", key)
            url = url.replace("http:", "https:")
            profile = self.folder / f"profile-{engine}"
            flag = f"--ignore-certificate-errors-spki-list={known}"
            with self.subTest(engine), server, Browser(profile, flag) as browser:
                browser.go_to(url)
                browser.choose_files(mine)
                browser.wait_for("document.querySelectorAll('tbody tr').length === 1")
                self.assertEqual(self.names(browser), [mine.name])
                self.assertTrue((self.there / mine.name).read_bytes() == DATA)
                size = "fetch('mine.bin').then(a => a.arrayBuffer()).then(b => b.byteLength)"
                self.assertEqual(browser.evaluate(size), len(DATA))
                self.assertEqual(browser.evaluate("window.isSecureContext"), True)
                self.assertEqual(browser.errors(), [])
            (self.there / mine.name).unlink()

    def names(self, browser):
        return browser.evaluate("[...document.querySelectorAll('tbody bdi')].map(e => e.innerText)")

    def test_files_go_up_are_listed_sorted_fetched_and_deleted(self):
        mine = self.folder / "here" / "naïve <b>name &amp; 100%.bin"
        mine.write_bytes(DATA)
        other = self.folder / "here" / "small.txt"
        other.write_bytes(b"small\n")
        (self.there / "folder").mkdir()
        (self.there / "folder" / "inside").write_bytes(b"x")
        (self.there / "medium").write_bytes(bytes(1000))
        server, url = self.serve("--allow-delete")
        with server, Browser(self.folder / "profile") as browser:
            browser.go_to(url)
            self.assertEqual(self.names(browser), ["folder", "medium"])

            browser.choose_files(mine, other)
            browser.wait_for("document.querySelectorAll('tbody tr').length === 4")
            self.assertEqual(self.names(browser), ["folder", "medium", mine.name, "small.txt"])
            self.assertTrue((self.there / mine.name).read_bytes() == DATA)
            self.assertEqual((self.there / other.name).read_bytes(), b"small\n")
            browser.wait_for("document.querySelectorAll('#uploads .good').length === 2")
            for width in (1000, 390):
                for dark in (False, True):
                    browser.take_picture(f"page-{width}-{'dark' if dark else 'light'}", width, dark)

            browser.evaluate("document.querySelector('[data-key=size] button').click()")
            self.assertEqual(self.names(browser), ["folder", mine.name, "medium", "small.txt"])
            browser.evaluate("document.querySelector('[data-key=size] button').click()")
            self.assertEqual(self.names(browser), ["folder", "small.txt", "medium", mine.name])
            self.assertEqual(
                browser.evaluate("document.querySelector('[data-key=size]').ariaSort"), "ascending"
            )

            browser.ask("Browser.setDownloadBehavior", behavior="allow",
                        downloadPath=str(self.folder / "fetched"), eventsEnabled=True)  # fmt: skip
            browser.evaluate("""(() => {
                const link = [...document.querySelectorAll('tbody a')].at(-1);
                link.download = 'got';
                link.click();
            })()""")
            got = self.folder / "fetched" / "got"
            wait_until(got.exists, "the browser has fetched it")
            wait_until(lambda: got.stat().st_size == len(DATA), "all of it is there")
            self.assertTrue(got.read_bytes() == DATA)

            browser.evaluate("window.confirm = () => true")
            browser.evaluate(
                "document.querySelector('tr[data-name=\"small.txt\"] .remove').click()"
            )
            browser.wait_for("document.querySelectorAll('tbody tr').length === 3")
            self.assertFalse((self.there / "small.txt").exists())
            self.assertEqual(browser.errors(), [])

            browser.go_to(url + "folder/")
            self.assertEqual(self.names(browser), ["inside"])
            self.assertEqual(
                browser.evaluate("[...document.querySelectorAll('.path li')].map(e => e.innerText)"),
                ["Files", "folder"],
            )
            browser.choose_files(other)
            browser.wait_for("document.querySelectorAll('tbody tr').length === 2")
            self.assertEqual((self.there / "folder" / "small.txt").read_bytes(), b"small\n")
            self.assertEqual(browser.errors(), [])

    def test_a_refusal_is_shown_and_an_upload_can_be_cancelled(self):
        large = self.folder / "here" / "large.bin"
        large.write_bytes(bytes(2 << 20))
        server, url = self.serve("--max-size", "1M")
        with server, Browser(self.folder / "profile") as browser:
            browser.go_to(url)
            self.assertIn("Nothing is here yet", browser.evaluate("document.body.innerText"))
            browser.choose_files(large)
            browser.wait_for("document.querySelector('#uploads .bad')")
            self.assertRegex(
                browser.evaluate("document.querySelector('#uploads .state').innerText"),
                "^(Refused .413.|Not uploaded)",
            )
            browser.take_picture("page-refused", 700, False)
            browser.evaluate("document.querySelector('#uploads button').click()")
            self.assertEqual(browser.evaluate("document.querySelector('#uploads').children.length"), 0)
            self.assertEqual(list(self.there.iterdir()), [])
            # The status of an answer that refuses is in the browser's log; nothing else is.
            self.assertEqual(
                [each for each in browser.errors() if each.get("entry", {}).get("source") != "network"],
                [],
            )
