"""Dependencies between the folders of sluice/ point down only."""

import os
import pathlib
import re
import unittest

SOURCE = pathlib.Path(os.environ["SLUICE_SOURCE"])

# What each folder may include besides itself. A folder with a line of its own below another is
# another folder: io/ops is not io.
MAY_INCLUDE = {
    "base": set(),
    "coro": {"base"},
    "os": {"base"},
    "wire": {"base"},
    "http": {"base", "os", "wire"},
    "io": {"base", "coro", "os", "io/ops", "io/engines"},
    "io/ops": {"base", "coro", "os", "io"},  # an op knows no engine
    "io/engines": {"base", "coro", "os", "io"},  # an engine knows no op kind
    "net": {"base", "coro", "os", "wire", "io", "io/ops"},
}
LOWER = set(MAY_INCLUDE) - {"io/engines", "http"}
MAY_INCLUDE["transfer"] = LOWER
MAY_INCLUDE["tls"] = LOWER
MAY_INCLUDE["auth"] = LOWER | {"http"}
MAY_INCLUDE["sandbox"] = {"base", "os"}
MAY_INCLUDE["term"] = LOWER
MAY_INCLUDE["model"] = LOWER | {"tls", "auth"}
# A product knows no other, and a server no client.
PRODUCTS = LOWER | {"transfer", "tls", "auth", "model", "term"}
MAY_INCLUDE["talk"] = PRODUCTS
MAY_INCLUDE["chat/server"] = PRODUCTS
MAY_INCLUDE["chat/client"] = PRODUCTS
MAY_INCLUDE["compute"] = PRODUCTS
MAY_INCLUDE["compute/server"] = PRODUCTS | {"compute"}
MAY_INCLUDE["compute/client"] = PRODUCTS | {"compute"}
MAY_INCLUDE["files"] = PRODUCTS | {"http"}
MAY_INCLUDE["metrics"] = PRODUCTS | {"http"}
MAY_INCLUDE["files/server"] = PRODUCTS | {"http", "files"}
MAY_INCLUDE["files/client"] = PRODUCTS | {"http", "files"}
MAY_INCLUDE["sim"] = {"base", "coro", "os", "io"}
MAY_INCLUDE["lab"] = set(MAY_INCLUDE) - {"io/engines", "sandbox", "sim"}
MAY_INCLUDE[""] = MAY_INCLUDE["lab"]  # the headers that include the others
MAY_INCLUDE["cli"] = set(MAY_INCLUDE) - {"sim"}

INCLUDE = re.compile(r'^\s*#\s*include\s*["<]sluice/([^">]+)[">]')


def folder_of(path):
    """The longest folder above `path`, given below sluice/, that the table knows."""
    parts = pathlib.PurePosixPath(path).parts[:-1]
    for length in range(len(parts), 0, -1):
        if "/".join(parts[:length]) in MAY_INCLUDE:
            return "/".join(parts[:length])
    return "/".join(parts)


def crossings(path, text):
    """What is wrong with the includes of one file; `path` is given below sluice/."""
    here = folder_of(path)
    if here not in MAY_INCLUDE:
        yield f"sluice/{path}: the folder '{here}' has no place in the order; give it one here"
        return
    for number, line in enumerate(text.splitlines(), 1):
        found = INCLUDE.match(line)
        there = folder_of(found[1]) if found else here
        if there != here and there not in MAY_INCLUDE[here]:
            yield (
                f"sluice/{path}:{number}: '{here}' may not include sluice/{found[1]}; it may include "
                f"{', '.join(sorted(MAY_INCLUDE[here])) or 'nothing but itself'}"
            )


class Borders(unittest.TestCase):
    def test_no_include_points_up(self):
        files = [path for path in SOURCE.glob("sluice/**/*") if path.suffix in (".hpp", ".cpp")]
        self.assertGreater(len(files), 5, "sluice/ is nearly empty; are we looking in the right place?")
        wrong = [
            problem
            for path in sorted(files)
            for problem in crossings(
                path.relative_to(SOURCE / "sluice").as_posix(), path.read_text(encoding="utf-8")
            )
        ]
        if wrong:
            self.fail("\n" + "\n".join(wrong))

    def test_the_table_has_no_circle_between_folders(self):
        done = set()
        while len(done) < len(MAY_INCLUDE):
            # The folders below one folder are one to all others.
            free = {
                folder
                for folder, lower in MAY_INCLUDE.items()
                if {name for name in lower if name.partition("/")[0] != folder.partition("/")[0]} <= done
            } - done
            self.assertTrue(free, f"these include each other: {set(MAY_INCLUDE) - done}")
            done |= free

    def test_every_wrong_way_is_seen(self):
        for path, included in (
            ("base/fd.hpp", "io/op.hpp"),
            ("wire/framing.hpp", "coro/task.hpp"),
            ("coro/task.hpp", "wire/text.hpp"),
            ("io/shard.cpp", "net/address.hpp"),
            ("io/ops/recv.hpp", "io/engines/epoll.hpp"),
            ("io/engines/epoll.cpp", "io/ops/recv.hpp"),
            ("net/listener.cpp", "io/engines/epoll.hpp"),
            ("model/fork.cpp", "transfer/copy.hpp"),
            ("auth/accounts.cpp", "tls/openssl.hpp"),
            ("chat/server/room.cpp", "cli/chat/join.hpp"),
            ("chat/server/room.cpp", "chat/client/desk.hpp"),
            ("files/client/upload.cpp", "files/server/store.hpp"),
            ("talk/talk.cpp", "chat/server/room.hpp"),
            ("lab/run.cpp", "cli/lab.hpp"),
            ("sandbox/landlock.cpp", "io/engine.hpp"),
            ("compute/server/process_pool.cpp", "sandbox/sandbox.hpp"),
            ("nowhere/new.hpp", "base/fd.hpp"),
        ):
            with self.subTest(path=path, included=included):
                text = f'// A file.\n#include <vector>\n#  include "sluice/{included}"\n'
                self.assertEqual(len(list(crossings(path, text))), 1)
                self.assertEqual(len(list(crossings(path, text.replace('"', "<", 1)))), 1)

    def test_a_right_way_is_let_through(self):
        for path, included in (
            ("base/result.cpp", "base/result.hpp"),
            ("io/ops/recv.cpp", "io/op.hpp"),
            ("io/auto_engine.cpp", "io/engines/uring.hpp"),
            ("net/framed.hpp", "wire/framing.hpp"),
            ("files/server/raw_service.cpp", "files/digest.hpp"),
            ("talk/talk.cpp", "net/framed.hpp"),
            ("cli/talk/talk.cpp", "talk/talk.hpp"),
        ):
            with self.subTest(path=path, included=included):
                self.assertEqual(list(crossings(path, f'#include "sluice/{included}"\n')), [])
