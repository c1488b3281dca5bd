"""Says where numbers were taken, so that they can be judged later."""

import datetime
import os
import platform
import subprocess

from .building import ROOT


def _first(path, default="unknown"):
    try:
        with open(path, encoding="utf-8") as file:
            return file.readline().strip()
    except OSError:
        return default


def _cpu():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.machine()


def _said(*command):
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def describe(packages):
    """A dict of strings: machine, kernel, versions of `packages` and of sluice itself."""
    versions = {}
    for package in packages:
        versions[package] = _said("dpkg-query", "-W", "-f=${Version}", package) or "not installed"
    return {
        "when": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "congestion_control": _first("/proc/sys/net/ipv4/tcp_congestion_control"),
        "load_average": _first("/proc/loadavg"),
        "commit": _said("git", "-c", f"safe.directory={ROOT}", "describe", "--always", "--dirty"),
        "packages": versions,
    }
