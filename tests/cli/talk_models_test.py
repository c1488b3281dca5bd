"""`talk serve --echo --keep` under the models that serve many at once."""

import unittest

from talk_rig import Server, TalkTest, call


class Models(TalkTest):
    def test_two_clients_are_echoed_to_at_a_time(self):
        for model in ("fork", "thread", "pool"):
            flags = ("--echo", "--keep", "--model", model, "--workers", "2", "--grace", "1h")
            with self.subTest(model=model), Server("blocking", *flags) as server:
                with call(server.port) as one, call(server.port) as two:
                    for client, word in ((one, b"first\n"), (two, b"second\n"), (one, b"third\n")):
                        client.send(word)
                        self.assertEqual(client.receive(len(word)), word)
                    one.send(b"exit\n")
                    self.assertEqual(one.receive_to_end(), b"")
                    two.send(b"still here\n")
                    self.assertEqual(two.receive(11), b"still here\n")
                    names = (one.name, two.name)
                    server.signal(15)
                    self.assertEqual(two.receive_to_end(), b"exit\n")
                status, out, _ = server.end()
                self.assertEqual(status, 0)
                for name, said in zip(names, (["first", "third"], ["second", "still here"])):
                    theirs = [line for line in out.splitlines() if f"[Client {name}]" in line]
                    expected = [f"[Client {name}] connected", *(f"[Client {name}]: {t}" for t in said)]
                    self.assertEqual(theirs, expected)


if __name__ == "__main__":
    unittest.main()
