"""The faults that script/faults makes itself, by number: each returns what was seen."""

import concurrent.futures
import contextlib
import http.client
import multiprocessing
import os
import pathlib
import random
import signal
import socket
import subprocess
import tempfile
import time

import files_power_rig
from fleet_rig import MODELS, WHICH, Fleet, Server, Wrong
from network_rig import HERE, Namespace, Network, NotTried, Relay, pause
from talk_rig import ENVIRONMENT, SLUICE, Ended

TRIALS = {}


def trial(number):
    def enter(function):
        TRIALS[number] = function
        return function

    return enter


@contextlib.contextmanager
def fleet_across(network, **options):
    with Fleet(
        host=HERE, within=network.servers.within, inside=network.clients.inside, patience=3, **options
    ) as fleet:
        fleet.begin()
        yield fleet


@trial(6)
def loss():
    seen = []
    with Network() as network, fleet_across(network) as fleet:
        for percent in (1, 5, 10):
            before = sum(client.answered for client in fleet.clients)
            with network.losing(percent), fleet.at_work():
                pause(20)
            after = sum(client.answered for client in fleet.clients)
            seen.append(f"{percent} %: {after - before}")
        return f"{fleet.end()}; exchanges at {', '.join(seen)}"


@trial(7)
def delay_reordering_duplicates():
    with Network(linked=False) as network, Relay(network, seed=7) as relay:
        with fleet_across(network) as fleet:
            with fleet.at_work():
                pause(30)
            return f"{fleet.end()}; {relay.passed.value} packets late by up to 30 ms, 2 % of them twice"


@trial(8)
def partition():
    with Network() as network, fleet_across(network) as fleet:
        with fleet.at_work():
            pause(2)
            with network.down():
                pause(60)
            pause(5)
        return fleet.end()


@trial(9)
def one_way_partition():
    with Network() as network, fleet_across(network) as fleet:
        with fleet.at_work():
            for side in (network.servers, network.clients):
                with network.silent(side):
                    pause(30)
                pause(2)
        return f"{fleet.end()}; 30 s each way"


@trial(10)
def slow_link():
    with Network() as network, fleet_across(network) as fleet:
        with network.slow("1mbit"), fleet.at_work():
            pause(30)
        return f"{fleet.end()}; 1 Mbit/s for all of them"


def connect_for(seconds, rate, server, places):
    """Connects and closes at a rate, from the addresses `places`, and counts."""
    made = failed = 0
    begun = time.monotonic()
    while (now := time.monotonic()) < begun + seconds:
        if made + failed > (now - begun) * rate:
            time.sleep(0.0005)
            continue
        with socket.socket() as peer:
            peer.settimeout(1)
            try:
                peer.bind((places[made % len(places)], 0))
                peer.connect((server.host, server.ports[0]))
                made += 1
            except OSError:
                failed += 1
    return made, failed


def in_processes(count, call, *arguments):
    """Runs it in so many processes at once, and gives what each returned."""
    with concurrent.futures.ProcessPoolExecutor(
        count, mp_context=multiprocessing.get_context("fork")
    ) as pool:
        running = [pool.submit(call, *arguments, number) for number in range(count)]
        return [each.result() for each in running]


@trial(11)
def five_thousand_connects_a_second():
    """On each server in turn, while its client asks."""
    seconds, seen = 3, []
    with Fleet(("compute", "chat", "files")) as fleet:
        fleet.begin()
        for server, client in zip(fleet.servers, fleet.clients):
            before = client.answered

            def connect(number, server=server):
                return connect_for(seconds, 2500, server, [f"127.0.{1 + number}.{n}" for n in range(1, 200)])

            with fleet.at_work(client):
                made = in_threads(2, connect)
            rate = sum(m for m, _ in made) // seconds
            seen.append(rate)
            if client.answered == before:
                raise Wrong(f"{server} answered nothing at {rate} connects a second")
        return f"{fleet.end()}; {min(seen)} to {max(seen)} connects a second"


def in_threads(count, call):
    with concurrent.futures.ThreadPoolExecutor(count) as threads:
        return list(threads.map(call, range(count)))


CYCLES = int(os.environ.get("SLUICE_CHURN", "1000000"))


@trial(12)
def churn():
    """A question and its answer a connection, so often in all; ended by either side."""
    with Fleet(("compute",)) as fleet:
        fleet.begin()
        # Most of them on the event model; a process a connection takes its time.
        shares = [0.02, 0.02, 0.06, 0.1, 0.4, 0.4]
        memory = {}
        for server, share in zip(fleet.servers, shares):
            memory[server] = resident(server)
            cycles = int(CYCLES * share)
            done = sum(in_processes(2, churn_one, server.ports[0], cycles // 2))
            if done < cycles // 2 * 2:
                raise Wrong(f"{server}: {done} of {cycles} connections were answered")
        grown = max(resident(server) - memory[server] for server in fleet.servers)
        if grown > 4096:
            raise Wrong(f"a server has grown by {grown} KiB")
        fleet.end()
        return f"{len(shares)} servers, {CYCLES} connections, {grown} KiB more at most"


def churn_one(port, cycles, number):
    places = [f"127.0.{10 + number}.{n}" for n in range(1, 255)]
    done = 0
    for cycle in range(cycles):
        with socket.socket() as peer:
            peer.settimeout(30)
            peer.bind((places[cycle % len(places)], 0))
            peer.connect(("127.0.0.1", port))
            peer.sendall(b"10\n")
            done += peer.recv(10) == b"89\n"
    return done


def resident(server):
    """KiB of memory of its own."""
    for line in pathlib.Path(f"/proc/{server.process.pid}/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1])
    return 0


@trial(13)
def no_ports_left():
    """Clients that find none say so, and are served when there are some again."""
    space = Namespace()
    try:
        ports = "/proc/sys/net/ipv4/ip_local_port_range"
        with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as kept:
            servers = [
                kept.enter_context(Server(service, variants[-1], folder, "127.0.0.1", space.within))
                for service, variants in WHICH.items()
            ]
            space.run("sh", "-c", f"echo '61000 61003' >{ports}")
            said = []
            for server in servers:
                port = server.ports[0]
                words = {
                    "compute": ("compute", "ask", f"127.0.0.1:{port}", "1"),
                    "talk": ("talk", "join", port),
                    "chat": ("chat", "join", port),
                    "files": ("files", "get", f"http://127.0.0.1:{port}/none", "-o", "/dev/null"),
                }[server.service]
                with space.inside(), contextlib.ExitStack() as taken:
                    for _ in range(4):
                        taken.enter_context(socket.create_connection(("127.0.0.1", port), 5))
                    done = subprocess.run(
                        [SLUICE, *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True,
                        text=True, timeout=60, env=ENVIRONMENT,
                    )
                    if done.returncode not in (1, 3) or "assign requested address" not in done.stderr:
                        raise Wrong(f"{words} ended with {done.returncode}: {done.stderr!r}")
                    said.append(done.returncode)
                if server.process.poll() is not None:
                    raise Wrong(f"{server} has ended")
            return f"{len(said)} clients said so and ended with {sorted(set(said))}; the servers went on"
    finally:
        space.close()


@trial(20)
def out_of_memory():
    """Servers in a control group of 96 MiB, files of 400 MiB; then one that is too small."""
    group = pathlib.Path("/sys/fs/cgroup/memory", f"sluice-{os.getpid()}")
    limit = group / "memory.limit_in_bytes"
    if not group.parent.joinpath("memory.limit_in_bytes").exists():
        group = pathlib.Path("/sys/fs/cgroup", f"sluice-{os.getpid()}")
        limit = group / "memory.max"
    try:
        group.mkdir()
        limit.write_text(str(96 << 20))
    except OSError as problem:
        with contextlib.suppress(OSError):
            group.rmdir()
        raise NotTried(f"no control group for memory can be made: {problem}") from problem
    join = ("sh", "-c", f'echo $$ >{group}/cgroup.procs; exec "$0" "$@"')
    killed = 0
    try:
        with tempfile.TemporaryDirectory() as folder:
            for variant in MODELS:
                with Server("files", variant, folder, "127.0.0.1", join) as server:
                    send_and_fetch(server, 400)
            limit.write_text(str(3 << 20))
            for variant in MODELS:
                try:
                    server = Server("files", variant, folder, "127.0.0.1", join)
                except Ended:
                    killed += 1
                    continue
                with server:
                    client = WholeFiles(server)
                    client.send_until_killed()
                    killed += server.process.poll() is not None
                    server.process.kill()
                    server.process.wait()
                    client.look()
    finally:
        deadline = time.monotonic() + 10
        while (group / "cgroup.procs").read_text() and time.monotonic() < deadline:
            time.sleep(0.05)
        group.rmdir()
    return f"{len(MODELS)} servers passed 400 MiB each in 96 MiB; in 3 MiB the kernel killed {killed}, and what had been acknowledged was whole"


def send_and_fetch(server, mebibytes):
    piece = os.urandom(1 << 20)
    web = http.client.HTTPConnection("127.0.0.1", server.ports[0], timeout=120)
    with contextlib.closing(web):
        web.request(
            "PUT", "/large", (piece for _ in range(mebibytes)),
            {"Content-Length": str(mebibytes << 20)},
        )
        answer = web.getresponse()
        answer.read()
        if answer.status != 201:
            raise Wrong(f"{server}: PUT of {mebibytes} MiB was answered {answer.status}")
        web.request("GET", "/large")
        answer = web.getresponse()
        for _ in range(mebibytes):
            if answer.read(1 << 20) != piece:
                raise Wrong(f"{server}: another file came back")
        answer.read()


class WholeFiles:
    """Sends files until the server is gone, and looks at those that it acknowledged."""

    def __init__(self, server):
        self.server, self.stored = server, {}

    def send_until_killed(self):
        for number in range(40):
            data = random.Random(number).randbytes(2_000_000)
            web = http.client.HTTPConnection("127.0.0.1", self.server.ports[0], timeout=60)
            with contextlib.closing(web), contextlib.suppress(OSError, http.client.HTTPException):
                web.request("PUT", f"/{number}", data)
                answer = web.getresponse()
                answer.read()
                if answer.status == 201:
                    self.stored[number] = data
            if self.server.process.poll() is not None:
                return

    def look(self):
        for number, data in self.stored.items():
            if (self.server.folder / str(number)).read_bytes() != data:
                raise Wrong(f"{self.server}: {number} was acknowledged and is another file")


POWER_LOSSES = int(os.environ.get("SLUICE_POWER_LOSSES", "200"))


@trial(25)
def power_loss():
    with tempfile.TemporaryDirectory() as folder:
        acknowledged = 0
        with contextlib.closing(files_power_rig.Disk(pathlib.Path(folder))) as disk:
            for number in range(POWER_LOSSES):
                flags = MODELS[number % len(MODELS)]
                acknowledged += files_power_rig.lose_power(disk, flags, random.Random(number))
    return f"{POWER_LOSSES} losses of power, {acknowledged} files had been acknowledged and were whole"


@trial(27)
def stopped_for_thirty_seconds():
    with Fleet() as fleet:
        fleet.begin()
        with fleet.at_work():
            pause(1)
            for server in fleet.servers:
                server.process.send_signal(signal.SIGSTOP)
            pause(30)
            for server in fleet.servers:
                server.process.send_signal(signal.SIGCONT)
            pause(3)
        return fleet.end()
