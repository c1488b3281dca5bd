"""A short soak: both engines beside each other, under clients that come, go, stall and break off."""

import collections
import types
import unittest

from chat_clients import Member
from connections import Wrong
from content import said
from files_clients import checked_raw, raw_content
from soak import Soak, slope_of
from talk_rig import loops, sanitized, side_by_side


class ShortSoak(unittest.TestCase):
    maxDiff = None

    def test_nothing_is_lost_or_left(self):
        connections, seconds = (200, 10) if sanitized() else (1000, 30)

        def soak(engine):
            self.assertEqual(Soak(engine, connections, seconds, say=lambda line: None).run(), [])

        side_by_side(self, [({"engine": engine}, engine) for engine in loops()], soak)


class Judged(unittest.TestCase):
    """What is wrong is seen."""

    def hear(self, *lines):
        member = Member(types.SimpleNamespace(counts=collections.Counter()), None)
        member.take(b"".join(line + b"\n" for line in lines))
        return member

    def line(self, sender, number):
        return b"[Client 1]: " + said(sender, number)

    def test_lines_that_are_torn_lost_or_out_of_order(self):
        good = [self.line(7, 3), self.line(8, 1), self.line(7, 4)]
        self.assertEqual(self.hear(*good).seen, {7: 4, 8: 1})
        for bad in (
            [good[0][:-1]],
            [good[0], good[0]],
            [good[2], good[0]],
            [good[0], self.line(7, 5)],
            [good[0], b"* you missed 1 message", self.line(7, 6)],
            [b"half a line"],
        ):
            with self.subTest(bad=bad), self.assertRaises(Wrong):
                self.hear(*bad)
        self.hear(good[0], b"* you missed 2 messages", self.line(7, 6))
        self.hear(good[0], b"* you are in room b (1 here)", self.line(7, 6))

    def test_lines_that_are_split_anywhere(self):
        text = self.line(7, 1) + b"\n" + self.line(7, 2) + b"\n"
        for at in range(len(text)):
            member = self.hear()
            member.take(text[:at])
            member.take(text[at:])
            self.assertEqual((member.seen, member.rest), ({7: 2}, b""))

    def test_streams_that_are_not_whole(self):
        data = raw_content(7, 1000)
        self.assertEqual(checked_raw(data), 7)
        for bad in (b"", data[:-1], data + b"x", b"x" + data[1:]):
            with self.subTest(size=len(bad)), self.assertRaises(Wrong):
                checked_raw(bad)

    def test_a_slope(self):
        self.assertAlmostEqual(slope_of([(x, 5000 + x * 1024 / 600) for x in range(100)]), 1)
        self.assertAlmostEqual(slope_of([(x, 5000) for x in range(100)]), 0)


if __name__ == "__main__":
    unittest.main()
