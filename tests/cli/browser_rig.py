"""A headless Chromium, for tests of what a real browser does."""

import fcntl
import json
import os
import pathlib
import shutil
import subprocess

from talk_rig import TIMEOUT

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
SCREENSHOTS = os.environ.get("SLUICE_SCREENSHOTS")


class Browser:
    """It is driven over two pipes (--remote-debugging-pipe). `more` are flags of it."""

    def __init__(self, profile, *more):
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
            ["bash", "-c", f'exec "$0" {flags} "--user-data-dir=$1" "${{@:2}}" about:blank '
             f"3<&{to_it} 4>&{from_it}", CHROMIUM, profile, *more],
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
