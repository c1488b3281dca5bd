"""Clients of compute: each knows its answers, which come in the order of its questions."""

from connections import Wrong
from content import FIB

CHEAP = 18  # answered where it is read
DEAR = 23  # a millisecond on a worker
OTHERS = {b"99": b"out of range", b"-1": b"out of range", b"x": b"not a number"}


def questions(load, count):
    """Bytes to send, and the answers; None where `busy` will do, too."""
    asked, answers = [], []
    for _ in range(count):
        draw = load.random.random()
        if draw < 0.1:
            number, answer = load.random.choice(list(OTHERS.items()))
        else:
            n = load.random.randrange(CHEAP + 1, DEAR) if draw < 0.3 else load.random.randrange(CHEAP)
            number, answer = b"%d" % n, b"%d" % FIB[n]
        asked.append(number)
        answers.append(answer)
    return b"\n".join(asked) + b"\n", answers


async def check(load, connection, answers):
    for answer in answers:
        line = (await connection.until(b"\n"))[:-1]
        if line == b"busy":
            load.counts["compute: busy"] += 1
        elif line != answer:
            raise Wrong(f"{line!r} for {answer!r}")
        load.counts["compute: answers checked"] += 1


async def ask(load, slot):
    """Some questions at once, a pause, some more, for a while."""
    with await load.all.connect(load.ports["compute"]) as connection:
        until = load.now() + load.random.expovariate(1 / 60)
        while load.now() < until and not load.all.over:
            data, answers = questions(load, load.random.randrange(1, 9))
            await connection.send(data)
            await check(load, connection, answers)
            await load.all.pause(load.random.expovariate(1 / 15))
        if load.random.random() < 0.3:
            connection.reset()


async def end_after_asking(load, slot):
    """The answers still come whole, and then the end."""
    with await load.all.connect(load.ports["compute"]) as connection:
        data, answers = questions(load, 40)
        await connection.send(data)
        connection.finish_sending()
        await check(load, connection, answers)
        if rest := await connection.to_end():
            raise Wrong(f"after the last answer came {rest!r}")


async def reset_in_the_middle(load, slot):
    with await load.all.connect(load.ports["compute"]) as connection:
        data, _ = questions(load, 20)
        await connection.send(data[: load.random.randrange(1, len(data))])
        await load.all.pause(load.random.choice((0, 0, 0.1, 10)))
        connection.reset()


async def read_slowly(load, slot):
    """A byte a second: the answers are right, as far as they come."""
    with await load.all.connect(load.ports["compute"], window=4096) as connection:
        data, answers = questions(load, 30)
        await connection.send(data)
        right = b"\n".join(answers) + b"\n"
        read = 0
        while read < 60 and not load.all.over:
            byte = await connection.receive(1)
            if byte == b"b":
                return  # busy: this client checks no further
            if byte != right[read : read + 1]:
                raise Wrong(f"{byte!r} at {read} of {right!r}")
            read += 1
            await load.all.pause(1)


async def never_read(load, slot):
    """Asks more than is taken; the server may close it at its stall time."""
    with await load.all.connect(load.ports["compute"], window=4096) as connection:
        try:
            await connection.send(b"-1\n" * 100_000, until=load.now() + 2)
            await load.all.pause(load.random.expovariate(1 / 40))
        except ConnectionError:
            load.counts["compute: clients reset that never read"] += 1


async def be_silent(load, slot):
    with await load.all.connect(load.ports["compute"]) as connection:
        if load.random.random() < 0.5:
            await connection.send(b"1")
        await load.all.pause(load.random.expovariate(1 / 40))
        if load.random.random() < 0.5:
            connection.reset()


KINDS = {
    ask: 75, end_after_asking: 2, reset_in_the_middle: 5, read_slowly: 5, never_read: 1, be_silent: 12
}
