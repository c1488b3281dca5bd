"""What a member makes the chat hold, measured against what it has sent, and what is given back."""

import contextlib
import pathlib
import re
import unittest

from chat_rig import ChatServer, Member
from compute_rig import memory_of
from talk_rig import on_every_loop, one_by_one, sanitized, wait_until

MANY = 600
MOST = 2048  # bytes a room of one's own


@unittest.skipIf(sanitized(), "its memory is not the program's alone")
class Memory(unittest.TestCase):
    @on_every_loop(how=one_by_one)
    def test_a_room_of_ones_own_costs_little(self, engine):
        for workers in (1, 2):
            with ChatServer(
                engine, "--quiet", "--workers", workers, "--max-rooms", 2 * MANY
            ) as server, contextlib.ExitStack() as all_of_them:

                def come(many):
                    return [all_of_them.enter_context(Member(server.port)) for _ in range(many)]

                def settle(members, prefix):
                    for number, member in enumerate(members):
                        member.say(f"/join {prefix}{number}")
                    for member in members:
                        member.until(r"^\* you are in room")

                # What the first ones cost is the server's.
                settle(come(100), "first")
                others = [member.greeted() for member in come(MANY)]
                before = memory_of(server.pid)
                settle(others, "next")
                # Buffers that a burst needed are given back after two seconds.
                wait_until(
                    lambda: 1024 * (memory_of(server.pid) - before) / MANY < MOST,
                    f"rooms cost little on {workers} shards",
                )

    @on_every_loop(how=one_by_one)
    def test_what_a_burst_of_members_cost_is_given_back(self, engine):
        with ChatServer(engine, "--quiet", "--workers", "2") as server:
            status = pathlib.Path(f"/proc/{server.pid}/status")
            memory = lambda: int(re.search(r"^RssAnon:\s+(\d+)", status.read_text(), re.M)[1])

            # Of names of their own: those of members that have left are free once their shard has
            # heard of it.
            def come(many, clients, prefix):
                for number in range(many):
                    member = clients.enter_context(Member(server.port)).greeted()
                    member.say(f"/nick {prefix}{number}")
                    member.until(r"^\* you are now")

            with Member(server.port).greeted():
                # What the first ones cost is the server's.
                with contextlib.ExitStack() as first:
                    come(100, first, "first")
                before = memory()
                with contextlib.ExitStack() as burst:
                    come(2 * MANY, burst, "next")
                    most = memory()
                    self.assertGreater(most - before, 700)
                allowed = max(512, (most - before) // 4)
                wait_until(lambda: memory() - before < allowed, "their memory is given back")


if __name__ == "__main__":
    unittest.main()
