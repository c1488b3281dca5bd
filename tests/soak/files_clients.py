"""Clients of the files, by HTTP and raw: what they fetch and what was kept is as it was sent."""

import re

from connections import Late, Wrong
from content import content, digest_of

SMALL = {f"/small-{i}": content(i, 200 * (i + 1)) for i in range(16)}
LARGE = {f"/large-{i}": content(100 + i, (i + 1) << 20) for i in range(2)}
GIVES_UP = 100  # seconds in which the server is rid of a client that stalls


def head(method, path, *fields):
    return "\r\n".join((f"{method} {path} HTTP/1.1", "Host: soak", *fields, "", "")).encode()


class Answer:
    def __init__(self, text):
        first, *lines = text.decode().split("\r\n")
        self.status = int(first.split(" ")[1])
        self.fields = dict(line.lower().split(": ", 1) for line in lines if line)
        self.digest = re.search(r"repr-digest: (\S+)", text.decode(), re.IGNORECASE)

    def expect(self, *statuses):
        if self.status not in statuses:
            raise (Late if self.status == 408 else Wrong)(f"HTTP status {self.status}, not {statuses}")
        return self


async def answer_to(connection, method="GET"):
    """An answer, and its body."""
    answer = Answer(await connection.until(b"\r\n\r\n"))
    length = 0 if method == "HEAD" else int(answer.fields.get("content-length", 0))
    return answer, await connection.exactly(length)


async def ask(load, connection, method, path, *fields, body=b""):
    if body or method == "PUT":
        fields += (f"Content-Length: {len(body)}",)
    await connection.send(head(method, path, *fields) + body)
    load.counts["http: requests"] += 1
    return await answer_to(connection, method)


async def browse(load, slot):
    """Small files, parts of them, their heads, what is not there, over a connection that stays."""
    with await load.all.connect(load.ports["http"]) as connection:
        until = load.now() + load.random.expovariate(1 / 60)
        while load.now() < until and not load.all.over:
            path, data = load.random.choice(list(SMALL.items()))
            what = load.random.randrange(6)
            if what == 0:
                answer, body = await ask(load, connection, "GET", path, "Range: bytes=5-104")
                answer.expect(206)
                if body != data[5:105]:
                    raise Wrong(f"a part of {path} is not as it is")
            elif what == 1:
                answer, _ = await ask(load, connection, "HEAD", path)
                if int(answer.expect(200).fields["content-length"]) != len(data):
                    raise Wrong(f"{path} has another length")
            elif what == 2:
                (await ask(load, connection, "GET", "/none"))[0].expect(404)
            elif what == 3:
                # Several at once: answers come in order.
                await connection.send(b"".join(head("GET", each) for each in SMALL))
                for each, right in SMALL.items():
                    answer, body = await answer_to(connection)
                    answer.expect(200)
                    if body != right:
                        raise Wrong(f"not {each} in its turn")
            else:
                answer, body = await ask(load, connection, "GET", path)
                answer.expect(200)
                if body != data:
                    raise Wrong(f"{path} is not as it is")
            load.counts["http: answers checked"] += 1
            await load.all.pause(min(40, load.random.expovariate(1 / 15)))
        if load.random.random() < 0.3:
            connection.reset()


async def download(load, slot):
    path, data = load.random.choice(list(LARGE.items()))
    with await load.all.connect(load.ports["http"]) as connection:
        answer, body = await ask(load, connection, "GET", path, "Connection: close")
        answer.expect(200)
        if body != data or await connection.to_end():
            raise Wrong(f"{path} did not come as it is")
        load.counts["http: bytes downloaded"] += len(body)


async def break_off_a_download(load, slot):
    with await load.all.connect(load.ports["http"]) as connection:
        await connection.send(head("GET", load.random.choice(list(LARGE))))
        await connection.exactly(load.random.randrange(1, 300_000))
        if load.random.random() < 0.5:
            connection.reset()


async def read_slowly(load, slot):
    """A byte a second, or nothing: the server may give it up after its body time."""
    reads = load.random.random() < 0.5
    with await load.all.connect(load.ports["http"], window=4096) as connection:
        try:
            await connection.send(head("GET", load.random.choice(list(LARGE))))
            until = load.now() + load.random.expovariate(1 / 40)
            while load.now() < until and not load.all.over:
                if reads and not await connection.receive(1):
                    break
                await load.all.pause(1)
        except ConnectionError:
            load.counts["http: slow clients reset"] += 1


async def check_stored(load, connection, path, data):
    answer, body = await ask(load, connection, "GET", path)
    answer.expect(200)
    if body != data:
        raise Wrong(f"{path} is not what was stored")


async def upload(load, slot):
    path = f"/uploads/{load.process}-{slot}"
    size = load.random.choice((0, 100, 5_000, 5_000, 60_000, 60_000, 1_500_000))
    data = content(load.new_id(), size)
    digest = digest_of(data)
    with await load.all.connect(load.ports["http"]) as connection:
        fields = [f"Repr-Digest: {digest}"]
        if load.random.random() < 0.5:
            fields.append("Expect: 100-continue")
            await connection.send(head("PUT", path, *fields, f"Content-Length: {len(data)}"))
            if size:
                Answer(await connection.until(b"\r\n\r\n")).expect(100)
            await connection.send(data)
            answer, _ = await answer_to(connection)
        else:
            answer, _ = await ask(load, connection, "PUT", path, *fields, body=data)
        answer.expect(201, 204)
        if not answer.digest or answer.digest[1] != digest:
            raise Wrong(f"the digest of {path} is not the one that was sent")
        load.counts["http: bytes uploaded"] += len(data)
        await check_stored(load, connection, path, data)


async def upload_in_parts(load, slot):
    """Breaks off in the middle, once or twice, asks how far it came, and goes on."""
    path = f"/parts/{load.process}-{slot}"
    data = content(load.new_id(), load.random.randrange(100_000, 500_000))
    digest = digest_of(data)
    first = 0
    while True:
        with await load.all.connect(load.ports["http"]) as connection:
            described = (
                f"Repr-Digest: {digest}",
                f"Content-Range: bytes {first}-{len(data) - 1}/{len(data)}",
                f"Content-Length: {len(data) - first}",
            )
            await connection.send(head("PUT", path, *described))
            if load.random.random() < 0.6:
                await connection.send(data[first : load.random.randrange(first, len(data))])
                await load.all.pause(0.2)
                if load.random.random() < 0.5:
                    connection.reset()
                else:
                    connection.finish_sending()
                    await connection.to_end()
            else:
                await connection.send(data[first:])
                answer, _ = await answer_to(connection)
                answer.expect(201, 204)
                if not answer.digest or answer.digest[1] != digest:
                    raise Wrong(f"the digest of {path} is not the one that was sent")
                load.counts["http: uploads in parts"] += 1
                return await check_stored(load, connection, path, data)
        with await load.all.connect(load.ports["http"]) as connection:
            answer, _ = await ask(
                load, connection, "PUT", path,
                f"Repr-Digest: {digest}", f"Content-Range: bytes */{len(data)}",
            )
            held = answer.expect(308).fields.get("range")
            first = int(held.removeprefix("bytes=0-")) + 1 if held else 0
            load.counts["http: uploads broken off"] += 1


async def break_off_an_upload(load, slot):
    """One in a single piece, that leaves nothing."""
    with await load.all.connect(load.ports["http"]) as connection:
        await connection.send(head("PUT", f"/never-{load.process}-{slot}", "Content-Length: 100000"))
        await connection.send(content(slot, load.random.randrange(100_000)))
        await load.all.pause(load.random.choice((0, 0.1, 5)))
        connection.reset()


async def begin_a_head(load, slot):
    """A byte a second, or half a head: answered with 408, or with what was asked for, or left."""
    request = head("GET", "/small-0")
    with await load.all.connect(load.ports["http"]) as connection:
        if load.random.random() < 0.3:
            await connection.send(request[:20])
            connection.reset()
            return
        try:
            if not await connection.send_slowly(request, load.now() + GIVES_UP):
                return
        except ConnectionError:
            return  # it has been answered and closed
        answer, _ = await answer_to(connection)
        answer.expect(200, 408)


async def be_silent(load, slot):
    with await load.all.connect(load.ports["http"]) as connection:
        await load.all.pause(load.random.expovariate(1 / 40))
        if load.random.random() < 0.5:
            connection.reset()


async def list_files(load, slot):
    with await load.all.connect(load.ports["http"]) as connection:
        answer, body = await ask(load, connection, "GET", "/?format=json")
        answer.expect(200)
        if b'"small-0"' not in body:
            raise Wrong("a file is not listed")


HTTP_KINDS = {
    browse: 70, download: 2, break_off_a_download: 2, read_slowly: 2, upload: 4,
    upload_in_parts: 3, break_off_an_upload: 2, begin_a_head: 4, be_silent: 10, list_files: 1,
}


# ----- raw


def raw_content(number, size):
    """It says which one it is, for the one who finds the file."""
    return b"raw %d %d\n" % (number, size) + content(number, size)


def checked_raw(data):
    """The number of what was kept."""
    first = data.partition(b"\n")[0].split(b" ")
    if len(first) != 3 or data != raw_content(int(first[1]), int(first[2])):
        raise Wrong(f"a stream was kept that is none: {data[:60]!r}")
    return int(first[1])


async def stream(load, slot):
    number = load.new_id()
    data = raw_content(number, load.random.choice((100, 5_000, 60_000, 400_000)))
    with await load.all.connect(load.ports["raw"]) as connection:
        half = load.random.randrange(len(data))
        await connection.send(data[:half])
        # A longer one would be reset (--body-time).
        await load.all.pause(min(15, load.random.expovariate(1 / 5)))
        await connection.send(data[half:])
        connection.finish_sending()
        if await connection.to_end():
            raise Wrong("a raw listener answered with bytes")
        load.kept.append(number)


async def break_off_a_stream(load, slot):
    with await load.all.connect(load.ports["raw"]) as connection:
        data = raw_content(load.new_id(), 50_000)
        await connection.send(data[: load.random.randrange(len(data) - 1)])
        await load.all.pause(load.random.expovariate(1 / 20))
        connection.reset()


async def stall(load, slot):
    """Silent, or a byte a second: reset by the server, never closed in order."""
    with await load.all.connect(load.ports["raw"]) as connection:
        slow = load.random.random() < 0.5
        until = load.now() + load.random.expovariate(1 / 60)
        try:
            if slow:
                await connection.send_slowly(raw_content(0, 200), until)
            elif await connection.receive(1, until=until) == b"":
                raise Wrong("a stream that did not end was taken")
        except ConnectionError:
            load.counts["raw: streams reset that stalled"] += 1
            return
        connection.reset()


RAW_KINDS = {stream: 60, break_off_a_stream: 20, stall: 20}
