"""What was acknowledged outlives a loss of power, and nothing else is seen: on a disk of its own."""

import contextlib
import random
import unittest

from files_http_rig import HttpTest, on_every_model
from talk_rig import one_by_one
from files_power_rig import Disk, lose_power


class Power(HttpTest):
    def setUp(self):
        super().setUp()
        self.disk = self.enterContext(contextlib.closing(Disk(self.folder)))

    @on_every_model(how=one_by_one)
    def test_what_was_acknowledged_is_whole_after_a_loss_of_power(self, flags, _):
        self.assertGreater(lose_power(self.disk, flags, random.Random(str(flags))), 0)


if __name__ == "__main__":
    unittest.main()
