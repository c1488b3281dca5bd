"""A browser at the endpoints that do not speak HTTP: it is no peer of theirs, and harms no other."""

import contextlib
import unittest

from fleet_rig import Fleet
from talk_rig import TIMEOUT

# As fetch() of a page elsewhere sends it, after the question of CORS that it need not ask here.
REQUEST = (
    b"POST / HTTP/1.1\r\nHost: 127.0.0.1:5000\r\nConnection: keep-alive\r\nContent-Length: 18\r\n"
    b"Content-Type: text/plain;charset=UTF-8\r\nOrigin: http://example.org\r\nAccept: */*\r\n"
    b"Sec-Fetch-Mode: no-cors\r\n\r\nexit\n/nick root\n1\n"
)


class Browser(unittest.TestCase):
    def test_its_request_ends_no_server(self):
        with Fleet(("talk", "chat", "compute", "files")) as fleet:
            fleet.begin()
            for client in fleet.clients:
                client.timeout = TIMEOUT
                with client.dial(-1) as peer, contextlib.suppress(ConnectionError):
                    client.connected.remove(peer)
                    peer.sendall(REQUEST)
                    peer.shutdown(1)
                    while peer.recv(65536):
                        pass
            for client in fleet.clients:
                if client.server.service == "files":
                    client.streamed.append(REQUEST)
            fleet.end()


if __name__ == "__main__":
    unittest.main()
