"""One process of the load: python3 load.py JSON. It says each second, in JSON, how it goes; `stop` on
its stdin has all clients come to their end and check what they are owed, `abandon` says that the
server is going down, and the end of stdin ends it."""

import asyncio
import collections
import json
import os
import random
import sys
import traceback

import chat_clients
import compute_clients
import files_clients
from connections import PATIENCE, Connections, Late, raise_open_files

SHARES = (
    (chat_clients.KINDS, 45),
    (files_clients.HTTP_KINDS, 27),
    (compute_clients.KINDS, 25),
    (files_clients.RAW_KINDS, 3),
)
ROOM = 40  # members
STANDS_STILL = 3  # seconds without a turn, for want of a processor: a server may then lose patience
CONNECTS = 500  # a second, at first


class Load:
    def __init__(self, ports, connections, process, seed):
        self.all = Connections()
        self.loop = self.all.loop
        self.now = self.loop.time
        self.ports = ports
        self.connections = connections
        self.process = process
        self.random = random.Random(seed * 1000 + process)
        self.counts = collections.Counter()
        self.kept = []  # numbers of raw streams
        self.rooms = {}
        self.ids = process * 10_000_000
        self.wrong = []
        self.abandoned = False
        self.stood_still = float("-inf")  # until when
        self.clients = set()

    def new_id(self):
        self.ids += 1
        return self.ids

    def room_of(self, number):
        """Rooms are new every two minutes: those of before end with their last members, within some
        four, and a server has a thousand at most."""
        age = int(self.now() // 120)
        return f"room{self.process}-{age}-{number % max(1, self.connections * 45 // 100 // ROOM)}"

    def busy_room_of(self, number):
        return f"busy{self.process}-{number % max(1, self.connections // 5000)}"

    def start(self):
        for slot in range(self.connections):
            share = slot % 100
            for kinds, size in SHARES:
                if share < size:
                    break
                share -= size
            self.clients.add(self.loop.create_task(self.run(slot, kinds)))

    async def run(self, slot, kinds):
        """One client after another."""
        await self.all.pause(slot / CONNECTS)
        while not self.all.over:
            kind = self.random.choices(list(kinds), kinds.values())[0]
            name = f"{kind.__module__.removesuffix('_clients')}: {kind.__name__}"
            began = self.now()
            try:
                await kind(self, slot)
                self.counts[name] += 1
            except Exception as problem:  # whatever a client did not expect
                if self.abandoned:
                    return
                if self.stood_still > began and isinstance(problem, (Late, OSError)):
                    self.counts["clients that the load kept from their turns"] += 1
                    continue
                # Innermost last, those of the connection left out.
                lines = [
                    frame.lineno for frame in traceback.extract_tb(problem.__traceback__)
                    if frame.filename.endswith("_clients.py")
                ]
                self.wrong.append(f"{name}, lines {lines}: {problem!r}")
            await self.all.pause(self.random.expovariate(2))

    async def watch_turns(self):
        while True:
            before = self.now()
            await asyncio.sleep(0.5)
            if self.now() - before > STANDS_STILL:
                self.stood_still = self.now()
                self.counts["times that the load stood still"] += 1

    async def stop(self):
        self.all.finish()
        _, late = await asyncio.wait(self.clients, timeout=2 * PATIENCE)
        for each in late:
            stack = [str(frame.f_code.co_qualname) for frame in each.get_stack()]
            self.wrong.append(f"a client did not come to its end: {stack}")

    def report(self, done=False):
        said = {
            "open": len(self.all.open), "counts": self.counts, "kept": self.kept,
            "wrong": self.wrong, "done": done,
        }
        print(json.dumps(said), flush=True)
        self.kept, self.wrong = [], []


async def main(options):
    raise_open_files()
    load = Load(**options)
    stopped = asyncio.Event()

    def on_word():
        word = sys.stdin.buffer.raw.readline().strip()
        if word == b"stop":
            stopped.set()
        elif word == b"abandon":
            load.abandoned = True
        else:
            os._exit(0)

    load.loop.add_reader(sys.stdin.fileno(), on_word)
    load.start()
    watching = load.loop.create_task(load.watch_turns())
    while not stopped.is_set():
        load.report()
        try:
            await asyncio.wait_for(stopped.wait(), 1)
        except asyncio.TimeoutError:
            pass
    await load.stop()
    watching.cancel()
    load.report(done=True)


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
