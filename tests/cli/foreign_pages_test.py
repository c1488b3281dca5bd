"""A page of another origin, in a real browser, tries every door: it changes nothing anywhere."""

import contextlib
import http.server
import json
import os
import pathlib
import tempfile
import threading
import unittest

from browser_rig import CHROMIUM, Browser
from chat_rig import Member
from talk_rig import SLUICE, Program, loops

# Each way that a page has to send bytes of its choice, to each door, by address and by a name that
# the page's author has pointed here.
TRY_ALL = """(async () => {
    const text = "exit\\n/nick root\\nhello from a page\\n5\\n";
    const answers = {};
    const ask = async (url, options) => {
        const end = new AbortController();
        setTimeout(() => end.abort(), 3000);
        const name = options.method + " " + options.mode + " " + url;
        try {
            const answer = await fetch(url, {...options, signal: end.signal});
            answers[name] = answer.type + " " + answer.status;
        } catch (problem) {
            answers[name] = "failed";
        }
    };
    for (const host of ["127.0.0.1", "rebound.example"]) {
        for (const port of PORTS) {
            const url = "http://" + host + ":" + port + "/";
            await ask(url + "x", {method: "POST", mode: "no-cors", body: text});
            for (const name of ["mine", "evil"]) {
                await ask(url + name, {method: "PUT", mode: "cors", body: text});
                await ask(url + name, {method: "DELETE", mode: "cors"});
                await ask(url + name, {method: "GET", mode: "cors"});
            }
        }
    }
    return answers;
})()"""


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>a page</title>")

    def log_message(self, *words):
        pass


@unittest.skipUnless(CHROMIUM, "there is no Chromium here")
class Elsewhere(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.store = self.folder / "store"
        self.store.mkdir()
        (self.store / "mine").write_text("mine")

    def page(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        self.addCleanup(server.server_close)
        self.addCleanup(serving.join)
        self.addCleanup(server.shutdown)
        return server.server_port

    def test_nothing_is_changed(self):
        page = self.page()
        for engine in loops():
            with self.subTest(engine), contextlib.ExitStack() as kept:
                heard = self.folder / f"heard-{engine}"
                program = ("sh", "-c", f"while read -r line; do echo x >> '{heard}'; echo; done")
                here = "127.0.0.1:0"
                all_doors = kept.enter_context(Program(
                    SLUICE, "serve", "--files", self.store, "--engine", engine, "--allow", "all",
                    "--http", here, "--raw", here, "--compute", here, "--chat", here,
                ))  # fmt: skip
                programs = kept.enter_context(Program(
                    SLUICE, "compute", "serve", "--listen", here, "--engine", engine,
                    "--exec", *program,
                ))  # fmt: skip
                talk = kept.enter_context(
                    Program(SLUICE, "talk", "serve", "--listen", here, "--engine", engine)
                )
                listening = r"^listening on 127\.0\.0\.1:(\d+)"
                ports = [int(all_doors.expect_stderr(listening)[1]) for _ in range(4)]
                chat = ports[3]
                ports += [int(each.expect_stderr(listening)[1]) for each in (programs, talk)]
                witness = kept.enter_context(Member(chat)).greeted()
                browser = kept.enter_context(Browser(
                    self.folder / f"profile-{engine}",
                    "--host-resolver-rules=MAP *.example 127.0.0.1",
                    f"--explicitly-allowed-ports={','.join(map(str, ports))}",
                ))  # fmt: skip
                browser.go_to(f"http://rebound.example:{page}/")
                answers = browser.evaluate(TRY_ALL.replace("PORTS", json.dumps(ports)))
                # A page may ask, as an image asks; it reads no answer.
                read = {k: v for k, v in answers.items() if v not in ("failed", "opaque 0")}
                self.assertEqual((len(answers), read), (2 * len(ports) * 7, {}))
                self.assertEqual(os.listdir(self.store), ["mine"])
                self.assertEqual((self.store / "mine").read_text(), "mine")
                self.assertFalse(heard.exists())
                late = kept.enter_context(Member(chat)).greeted()
                late.say("good evening")
                lines = witness.until("good evening")
                for line in lines[:-1]:
                    self.assertRegex(line, r"^\* Client \d+ has (joined|left)$")
                talk.signal(15)
                status, out, err = talk.end()
                self.assertEqual(status, 0, err)
                self.assertNotIn("]: ", out)


if __name__ == "__main__":
    unittest.main()
