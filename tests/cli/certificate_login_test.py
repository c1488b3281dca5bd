"""Clients that are an account by the certificate which they show, at every kind of door."""

import json
import unittest

import compute_rig
import files_http_rig
from chat_rig import ChatServer
from files_raw_test import FileServer
from login_test import QUESTION, LoginTest, login
from talk_rig import Socket, on_every_loop
from tls_rig import Authority, client_context, dial_tls


class Certificates(LoginTest):
    """ann and eve have accounts, and stranger has a certificate only."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.authority = Authority(cls.addClassCleanup)
        certificate, key = cls.authority.sign("localhost")
        cls.flags = (
            *cls.flags, "--cert", certificate, "--key", key, "--client-ca", cls.authority.file,
        )
        cls.contexts = {
            name: client_context(cls.authority, cls.authority.sign(name))
            for name in ("ann", "eve", "stranger")
        }

    def dial(self, server, name):
        peer = Socket(dial_tls(server.port, self.contexts[name]))
        self.addCleanup(peer.socket.close)
        return peer

    @compute_rig.on_every_model
    def test_a_line_door_asks_only_those_whose_name_is_not_enough(self, start):
        with start(*self.flags) as server:
            with self.dial(server, "ann") as ann:
                ann.send(b"10\n")
                self.assertEqual(ann.receive(3), b"89\n")
            for name in ("eve", "stranger"):
                with self.dial(server, name) as peer:
                    self.assertEqual(peer.receive(len(QUESTION)), QUESTION)
                    peer.send(login("ann") + b"\n10\n")
                    answer = b"* welcome, ann\n89\n"
                    self.assertEqual(peer.receive(len(answer)), answer)

    @files_http_rig.on_every_model
    def test_a_stream_is_kept(self, model, folder):
        with FileServer("serve", folder, "--raw", "127.0.0.1:0", *self.flags, *model) as server:
            peer = dial_tls(server.port, self.contexts["ann"])
            with peer:
                peer.sendall(b"ann's")
                peer.unwrap().close()
            self.assertIn("Received 5 bytes", server.read_line())
            self.assertEqual([path.read_bytes() for path in folder.iterdir()], [b"ann's"])

    def ask(self, server, name, request):
        """The status of an answer over HTTP, and its body."""
        with self.dial(server, name) as peer:
            peer.send(request)
            head, _, body = peer.receive_to_end().partition(b"\r\n\r\n")
            return int(head.split()[1]), body

    @files_http_rig.on_every_model
    def test_a_request_is_of_the_account(self, model, folder):
        last = b"Host: localhost\r\nConnection: close\r\n"
        put = b"PUT /%b HTTP/1.1\r\n" + last + b"Content-Length: 1\r\n\r\nx"
        get = b"GET / HTTP/1.1\r\nAccept: application/json\r\n" + last + b"\r\n"
        with FileServer("serve", folder, "--http", "127.0.0.1:0", *self.flags, *model) as server:
            for name, status in (("ann", 201), ("eve", 403), ("stranger", 401)):
                with self.subTest(name):
                    self.assertEqual(self.ask(server, name, put % name.encode())[0], status)
            status, body = self.ask(server, "eve", get)
            self.assertEqual(status, 200)
            self.assertEqual([each["name"] for each in json.loads(body)["entries"]], ["ann"])
            self.assertEqual(self.ask(server, "stranger", get)[0], 401)
            # What a request says goes before what its connection shows.
            wrong = get.replace(b"Accept", b"Authorization: Bearer sluice1.x.y\r\nAccept")
            self.assertEqual(self.ask(server, "ann", wrong)[0], 401)

    @on_every_loop
    def test_a_member_has_the_name_of_the_account(self, engine):
        with ChatServer(engine, *self.flags) as server:
            member = self.dial(server, "ann")
            welcome = b"* welcome, you are ann in lobby "
            self.assertEqual(member.receive(len(welcome)), welcome)

    def test_two_names_are_none(self):
        two = self.authority.sign("two", subject="/CN=ann/CN=eve")
        with compute_rig.Server("event", *self.flags) as server:
            peer = Socket(dial_tls(server.port, client_context(self.authority, two)))
            self.addCleanup(peer.socket.close)
            self.assertEqual(peer.receive(len(QUESTION)), QUESTION)


if __name__ == "__main__":
    unittest.main()
