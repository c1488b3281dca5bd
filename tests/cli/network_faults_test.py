"""Every service on a bad network, for seconds each; script/faults does it for longer. Needs root."""

import contextlib
import unittest

import network_rig
from fleet_rig import Fleet
from network_rig import HERE, Network, Relay, pause
from talk_rig import sanitized

SECONDS = 3


@unittest.skipIf(sanitized(), "it is the network that is tried")
class BadNetwork(unittest.TestCase):
    def setUp(self):
        network_rig.need("ip")

    @contextlib.contextmanager
    def servers(self, network):
        """A fleet across a network that is good but for while this lasts."""
        with Fleet(host=HERE, within=network.servers.within, inside=network.clients.inside) as fleet:
            fleet.begin()
            with fleet.at_work():
                yield
            fleet.end()
            for client in fleet.clients:
                self.assertGreater(client.answered, 0, client.server)

    def test_packets_that_are_lost_cost_time_alone(self):
        with Network() as network, self.servers(network), network.losing(5):
            pause(SECONDS)

    def test_packets_that_are_late_and_come_twice_change_nothing(self):
        with Network(linked=False) as network, Relay(network, seed=7), self.servers(network):
            pause(SECONDS)

    def test_a_cable_that_was_out_is_made_good(self):
        with Network() as network, self.servers(network):
            pause(0.5)
            with network.down():
                pause(SECONDS)

    def test_so_is_a_direction_that_was_silent(self):
        with Network() as network, self.servers(network):
            for side in (network.servers, network.clients):
                pause(0.5)
                with network.silent(side):
                    pause(SECONDS / 2)

    def test_a_slow_link_is_slow(self):
        with Network() as network, self.servers(network), network.slow("2mbit"):
            pause(SECONDS)


if __name__ == "__main__":
    unittest.main()
