"""`sluice lab` where no port is to be had: a clear word, status 1, and nothing left behind."""

import json
import shutil
import subprocess
import sys
import unittest

from lab_rig import LITTLE, LabTest
from talk_rig import ENVIRONMENT, SLUICE, TIMEOUT

# Brings the loopback up, leaves so many ports from 40000 on, takes the first of them or not, and
# becomes what it was told.
ENTRY = """
import os, pathlib, socket, subprocess, sys
ports, taken = int(sys.argv[1]), sys.argv[2] == "taken"
if ports:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    settings = pathlib.Path("/proc/sys/net/ipv4")
    (settings / "ip_local_port_range").write_text(f"40000 {40000 + ports - 1}")
if taken:
    listener = socket.create_server(("127.0.0.1", 40000))
    listener.set_inheritable(True)
os.execv(sys.argv[3], sys.argv[3:])
"""


def network(ports=0, taken=False):
    """The words that run a command in a network of its own."""
    return (*NAMESPACE, sys.executable, "-c", ENTRY, str(ports), "taken" if taken else "free")


NAMESPACE = ("unshare", "--user", "--map-root-user", "--net")


def why_no_network():
    for tool in ("unshare", "ip"):
        if shutil.which(tool, path=ENVIRONMENT.get("PATH")) is None:
            return f"there is no {tool}"
    tried = subprocess.run(
        [*network(2), SLUICE, "--version"], env=ENVIRONMENT, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, timeout=TIMEOUT, check=False,
    )
    said = tried.stderr.decode().splitlines()
    return f"no network of its own can be made: {said[-1] if said else '?'}" if tried.returncode else ""


WHY_NOT = why_no_network()


@unittest.skipIf(WHY_NOT, WHY_NOT)
class Ports(LabTest):
    def fails_in(self, where, words, *command):
        self.fails(1, words, *command, *LITTLE[:-1], "64", within=where)

    def test_there_is_no_loopback(self):
        for plan in ("same", "download", "models", "chat"):
            self.fails_in(network(), "network is unreachable; .*`ip link set lo up`", plan)

    def test_no_port_is_free_for_the_server(self):
        for plan, server in (("same", "compute"), ("chat", "chat")):
            self.fails_in(
                network(1, taken=True),
                rf"sluice: `sluice {server} serve` ended before it listened: .*cannot listen on 127\.0\.0\.1:0: "
                r"address already in use; no port is free: .*ip_local_port_range", plan)

    def test_no_port_is_free_for_the_load(self):
        for plan in ("echo", "upload", "chat"):
            self.fails_in(
                network(4),
                r"sluice: `sluice lab load` failed: .*cannot connect to 127\.0\.0\.1:\d+: .*no port is left to "
                r"come from: .*ip_local_port_range", plan)

    def test_what_needs_no_port_is_measured_all_the_same(self):
        status, _, err = self.lab("copy", *LITTLE, "--json", "r.json", within=network())
        self.assertEqual(status, 0, err)
        report = json.loads((self.work / "r.json").read_text(encoding="utf-8"))
        self.assertTrue(report["cases"])

    def test_enough_ports_are_enough(self):
        status, _, err = self.lab("echo", *LITTLE, within=network(8))
        self.assertEqual(status, 0, err)
