"""sluice doctor: complete, honest about what it cannot know, and right about why io_uring is off."""

import ctypes
import errno
import json
import os
import pathlib
import platform
import pty
import re
import resource
import subprocess
import unittest

SLUICE = os.environ["SLUICE"]
DENY = os.path.join(os.environ["SLUICE_BUILD"], "tests", "tools", "deny_io_uring")
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("SLUICE")}
ENVIRONMENT["SLUICE_CONFIG"] = "none"

CHECKS = {
    "kernel": {"release", "clock", "huge_pages", "page_reporting"},
    "io_uring": {"usable"},
    "sandbox": {"landlock", "seccomp"},
    "limits": {
        "open_files",
        "locked_memory",
        "processes",
        "memory",
        "pipe_size",
        "backlog",
        "syn_backlog",
        "ephemeral_ports",
    },
    "network": {"congestion_control", "kernel_tls", "receive_buffer", "send_buffer"},
    "processors": {"cores"},
}
FEATURES = {
    "ext_arg",
    "no_drop",
    "single_issuer",
    "defer_taskrun",
    "async_cancel",
    "cancel_fd",
    "multishot_accept",
    "provided_buffer_ring",
    "multishot_recv",
    "multishot_poll",
    "register_ring_fd",
    "msg_ring",
    "splice",
    "send_zc",
    "sendmsg_zc",
}


def doctor(*words, through=(), **options):
    done = subprocess.run(
        [*through, SLUICE, "doctor", *words],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=60,
        check=False,
        env=ENVIRONMENT,
        **options,
    )
    if done.returncode != 0 or done.stderr:
        raise AssertionError(f"status {done.returncode}: {done.stderr}")
    return done.stdout


def diagnosis(**options):
    return json.loads(doctor("--json", **options))


def setting(path):
    return pathlib.Path("/proc/sys", path).read_text(encoding="ascii").split()


def on_a_terminal(environment):
    """What the doctor writes when its output is a terminal."""
    master, slave = pty.openpty()
    with subprocess.Popen(
        [SLUICE, "doctor"], stdin=subprocess.DEVNULL, stdout=slave, env=environment
    ) as program:
        os.close(slave)
        text = b""
        while True:
            try:
                piece = os.read(master, 65536)
            except OSError as end:  # Linux ends a terminal without writers so
                if end.errno != errno.EIO:
                    raise
                break
            if not piece:
                break
            text += piece
        os.close(master)
        if program.wait(60) != 0:
            raise AssertionError(text)
    return text


class Json(unittest.TestCase):
    def test_has_every_check_with_the_same_keys(self):
        found = diagnosis()
        for section, checks in CHECKS.items():
            judged = {name for name, check in found[section].items() if "mark" in (check or ())}
            self.assertEqual(judged, checks)
            for name in checks:
                with self.subTest(f"{section}.{name}"):
                    check = found[section][name]
                    self.assertLessEqual({"value", "mark", "meaning", "change"}, check.keys())
                    self.assertIn(check["mark"], ("ok", "warn", "bad", "?"))
                    self.assertEqual(check["value"] is None, check["mark"] == "?")
                    self.assertTrue(check["meaning"])
                    self.assertTrue(check["change"])
        self.assertIn(found["mark"], ("ok", "warn", "bad", "?"))
        self.assertIsInstance(found["unreadable"], list)

    def test_reads_the_kernel(self):
        kernel = diagnosis()["kernel"]["release"]
        self.assertEqual(kernel["value"], platform.release())
        self.assertEqual(kernel["architecture"], platform.machine())

    def test_reads_the_limits_of_the_process(self):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]

        def lower():
            resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
            resource.setrlimit(resource.RLIMIT_MEMLOCK, (65536, 65536))

        limits = diagnosis(preexec_fn=lower)["limits"]
        self.assertEqual(limits["open_files"]["value"]["soft"], 200)
        self.assertEqual(limits["open_files"]["mark"], "bad")
        self.assertEqual(limits["locked_memory"]["value"], {"soft": 65536, "hard": 65536})
        self.assertEqual(limits["locked_memory"]["mark"], "warn")

    def test_reads_the_settings_of_the_network(self):
        found = diagnosis()
        limits, network = found["limits"], found["network"]
        self.assertEqual(limits["backlog"]["value"], int(setting("net/core/somaxconn")[0]))
        self.assertEqual(
            limits["syn_backlog"]["value"], int(setting("net/ipv4/tcp_max_syn_backlog")[0])
        )
        first, last = map(int, setting("net/ipv4/ip_local_port_range"))
        ports = limits["ephemeral_ports"]["value"]
        self.assertEqual((ports["first"], ports["last"]), (first, last))
        self.assertEqual(ports["count"], last - first + 1)
        self.assertEqual(ports["connects_per_second"], (last - first + 1) // 60)
        control = network["congestion_control"]["value"]
        self.assertEqual([control["current"]], setting("net/ipv4/tcp_congestion_control"))
        self.assertEqual(
            control["available"], setting("net/ipv4/tcp_available_congestion_control")
        )
        self.assertEqual(
            network["receive_buffer"]["value"], int(setting("net/ipv4/tcp_rmem")[2])
        )
        self.assertEqual(network["send_buffer"]["value"], int(setting("net/ipv4/tcp_wmem")[2]))

    def test_counts_the_cores_it_may_use(self):
        core = min(os.sched_getaffinity(0))
        cores = diagnosis(preexec_fn=lambda: os.sched_setaffinity(0, {core}))["processors"]["cores"]
        self.assertEqual(cores["value"]["usable"], 1)
        self.assertEqual(cores["value"]["online"], os.cpu_count())

    def test_reports_every_feature_of_io_uring(self):
        uring = diagnosis()["io_uring"]
        self.assertEqual(uring["features"].keys(), FEATURES)
        for name, feature in uring["features"].items():
            with self.subTest(name):
                self.assertEqual(
                    feature.keys(), {"found", "mark", "needed", "since", "gives"}
                )
                if uring["usable"]["value"] and feature["needed"]:
                    self.assertIs(feature["found"], True)

    def test_the_engine_follows_io_uring(self):
        found = diagnosis()
        usable = found["io_uring"]["usable"]
        self.assertEqual(found["engine"], "uring" if usable["value"] else "epoll")
        self.assertEqual(usable["why_not"] is None, usable["value"])


class IoUringDenied(unittest.TestCase):
    def check(self, name, code, verb):
        found = diagnosis(through=(DENY, name, "--"))
        self.assertEqual(found["engine"], "epoll")
        uring = found["io_uring"]
        self.assertIs(uring["usable"]["value"], False)
        self.assertEqual(uring["usable"]["mark"], "warn")
        self.assertEqual(uring["usable"]["errno"], code)
        self.assertIn(f"seccomp filter on this process {verb} io_uring", uring["usable"]["why_not"])
        self.assertIn("io_uring_setup", uring["usable"]["change"])
        self.assertEqual(uring["seccomp"], 2)
        for feature in uring["features"].values():
            self.assertIsNone(feature["found"])
            self.assertEqual(feature["mark"], "?")
        text = doctor(through=(DENY, name, "--"))
        self.assertIn("--engine auto takes epoll", text)
        self.assertRegex(text, r"(?m)^  warn  usable +no$")
        self.assertIn(f"seccomp filter on this process {verb}", " ".join(text.split()))

    # With the sysctl at 2 that is the cause, and comes first: its own test says so.
    def setUp(self):
        try:
            disabled = setting("kernel/io_uring_disabled") == ["2"]
        except FileNotFoundError:  # before Linux 6.6
            disabled = False
        if disabled:
            self.skipTest("kernel.io_uring_disabled is 2 on this machine")

    def test_by_a_filter_with_eperm(self):
        self.check("EPERM", errno.EPERM, "forbids")

    def test_by_a_filter_with_enosys(self):
        self.check("ENOSYS", errno.ENOSYS, "hides")


class Text(unittest.TestCase):
    def test_shows_every_check_with_mark_and_meaning(self):
        text = doctor()
        self.assertRegex(text, r"\Asluice \S+ on Linux \S+ \S+: --engine auto takes (uring|epoll)\n")
        for checks in CHECKS.values():
            for name in checks:
                label = name.replace("_", " ")
                self.assertRegex(
                    text,
                    rf"(?m)^  (ok|warn|bad|\?) +{label} +\S.*\n(        \S.*\n)+",
                    name,
                )

    def test_shows_problems_first_and_what_to_change_of_them_alone(self):
        lines = doctor().splitlines()
        marks = [line.split()[0] for line in lines if re.match(r"  (ok|warn|bad|\?) ", line)]
        features = marks.index("ok") if "ok" in marks else len(marks)
        order = ["bad", "warn", "?"]
        self.assertEqual(marks[:features], sorted(marks[:features], key=order.index))
        changes = sum(line.startswith("        Change: ") for line in lines)
        self.assertEqual(changes, features)

    def test_fits_80_columns(self):
        for line in doctor().splitlines():
            # What cannot be broken is one word.
            if len(line.split()) > 1:
                self.assertLessEqual(len(line), 80, line)

    def test_has_no_colour_off_a_terminal(self):
        self.assertNotIn("\x1b", doctor())

    def test_has_colour_on_a_terminal_unless_told_otherwise(self):
        plain = {k: v for k, v in ENVIRONMENT.items() if k != "NO_COLOR"} | {"TERM": "xterm"}
        self.assertIn(b"\x1b[32mok  \x1b[0m", on_a_terminal(plain))
        self.assertNotIn(b"\x1b", on_a_terminal(plain | {"NO_COLOR": "1"}))
        self.assertNotIn(b"\x1b", on_a_terminal(plain | {"TERM": "dumb"}))
        self.assertIn(b"\x1b", on_a_terminal(plain | {"NO_COLOR": ""}))

    def test_text_and_json_agree(self):
        marks = re.findall(r"(?m)^  (ok|warn|bad|\?) +(\S.*?)  +", doctor())
        shown = {label.replace(" ", "_"): mark for mark, label in marks}
        found = diagnosis()
        for section, checks in CHECKS.items():
            for name in checks:
                self.assertEqual(shown[name], found[section][name]["mark"], name)


class Without(unittest.TestCase):
    def test_privileges(self):
        if os.geteuid() != 0:
            self.skipTest("not root, so the other tests show this already")
        libc = ctypes.CDLL(None, use_errno=True)

        def become_nobody():
            pr_set_no_new_privs = 38
            libc.prctl(pr_set_no_new_privs, 1, 0, 0, 0)
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)

        # The file itself, for the folders around it may be closed to others.
        program = os.open(SLUICE, os.O_RDONLY)
        try:
            done = subprocess.run(
                [f"/proc/self/fd/{program}", "doctor", "--json"],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
                env=ENVIRONMENT,
                cwd="/",
                pass_fds=[program],
                preexec_fn=become_nobody,
            )
        finally:
            os.close(program)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(json.loads(done.stdout)["unreadable"], [])


if __name__ == "__main__":
    unittest.main()
