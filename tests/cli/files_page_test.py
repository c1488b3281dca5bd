"""The page of a directory in a real browser, where there is one."""

import fcntl
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from talk_rig import SLUICE, TIMEOUT, Program, TalkTest, wait_until

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
DATA = os.urandom(300_000)
SCREENSHOTS = os.environ.get("SLUICE_SCREENSHOTS")


class Browser:
    """A headless Chromium that is driven over two pipes (--remote-debugging-pipe)."""

    def __init__(self, profile):
        read_end, self.commands = os.pipe()
        self.events, write_end = os.pipe()
        # It reads descriptor 3 and writes descriptor 4; a shell puts them there, one that knows
        # numbers of two digits, from where neither is in the other's way.
        to_it, from_it = (fcntl.fcntl(end, fcntl.F_DUPFD, 20) for end in (read_end, write_end))
        os.close(read_end)
        os.close(write_end)
        flags = (
            "--headless=new --no-sandbox --disable-gpu --no-first-run --disable-dev-shm-usage "
            "--disable-background-networking --hide-scrollbars --remote-debugging-pipe"
        )
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec "$0" {flags} "--user-data-dir=$1" about:blank '
             f"3<&{to_it} 4>&{from_it}", CHROMIUM, profile],
            pass_fds=(to_it, from_it),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"TZ": "UTC", "LANG": "C.UTF-8", "HOME": profile},
        )  # fmt: skip
        os.close(to_it)
        os.close(from_it)
        self.buffer = b""
        self.last = 0
        self.session = None
        self.seen = []

    def __enter__(self):
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "DOM", "Log", "Network"):
            self.ask(domain + ".enable")
        return self

    def __exit__(self, *problem):
        os.close(self.commands)
        os.close(self.events)
        try:
            self.process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def next(self):
        while b"\0" not in self.buffer:
            more = os.read(self.events, 1 << 20)
            if not more:
                raise EOFError("the browser ended")
            self.buffer += more
        message, self.buffer = self.buffer.split(b"\0", 1)
        message = json.loads(message)
        self.seen.append(message)
        return message

    def ask(self, method, **parameters):
        self.last += 1
        message = {"id": self.last, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.commands, json.dumps(message).encode() + b"\0")
        while (answer := self.next()).get("id") != self.last:
            pass
        if "error" in answer:
            raise AssertionError(f"{method}: {answer['error']}")
        return answer["result"]

    def evaluate(self, script):
        """What a script, or its promise, gives."""
        answer = self.ask(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in answer:
            raise AssertionError(answer["exceptionDetails"])
        return answer["result"].get("value")

    def wait_for(self, condition):
        """Until a script's expression is true, looked at after each change of the page."""
        self.evaluate(
            "new Promise((resolve, reject) => {"
            f"const look = () => {{ if ({condition}) {{ seer.disconnect(); resolve(true); }} }};"
            "const seer = new MutationObserver(look);"
            "seer.observe(document,"
            " {subtree: true, childList: true, characterData: true, attributes: true});"
            f"setTimeout(() => reject('never'), {TIMEOUT * 1000}); look(); }})"
        )

    def go_to(self, url):
        self.ask("Page.navigate", url=url)
        while not any(each.get("method") == "Page.loadEventFired" for each in self.seen):
            self.next()
        self.seen.clear()

    def choose_files(self, *paths):
        root = self.ask("DOM.getDocument")["root"]["nodeId"]
        box = self.ask("DOM.querySelector", nodeId=root, selector="#files")["nodeId"]
        self.ask("DOM.setFileInputFiles", nodeId=box, files=[str(path) for path in paths])

    def errors(self):
        """What the browser found wrong: scripts that failed, things that its policy forbade."""
        return [
            each["params"]
            for each in self.seen
            if each.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded")
        ]

    def take_picture(self, name, width, dark):
        if not SCREENSHOTS:
            return
        import base64

        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=640,
                 deviceScaleFactor=1, mobile=width < 500)  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        picture = base64.b64decode(self.ask("Page.captureScreenshot")["data"])
        pathlib.Path(SCREENSHOTS, name + ".png").write_bytes(picture)


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
