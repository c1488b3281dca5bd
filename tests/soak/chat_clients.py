"""Members of a chat: each checks that lines are whole, in their sender's order, and none missing."""

from connections import PATIENCE, Late, Wrong
from content import said

HALF = b"~ a line that is broken off in the middle"
SENDER_IS_FORGOTTEN = 60  # seconds after it left


class Room:
    """What was said in it, as far as someone must still hear it: by sender, the last number and
    when it was said."""

    def __init__(self):
        self.said = {}


class Member:
    def __init__(self, load, connection):
        self.load = load
        self.connection = connection
        self.rest = b""
        self.seen = {}
        self.missed = 0
        self.has_missed = False
        self.told = []  # by the server, in what was last received
        self.entered = None
        self.id = None
        self.number = 0
        self.room = None

    async def enter(self, room_name):
        """Joins as another sender than before, for a sender's lines are in one room."""
        self.leave()
        while True:
            await self.connection.send(b"/join %s\n" % room_name.encode())
            # In a room, or in one already; or there are as many as there may be until others end.
            answer = await self.hears(b"* you are in ", b"* no: ")
            if answer.startswith(b"* you are in "):
                break
            if not answer.startswith(b"* no: this server has as many rooms as it may"):
                raise Wrong(f"a room was refused: {answer!r}")
            self.load.counts["chat: rooms refused"] += 1
            await self.load.all.pause(1)
        self.id = self.load.new_id()
        self.number = 0
        self.entered = self.load.now()
        self.room = self.load.rooms.setdefault(room_name, Room())

    async def hears(self, *words):
        """The line that begins with one of `words`, which the server says next or later."""
        self.told = []
        while not (heard := [line for line in self.told if line.startswith(words)]):
            data = await self.connection.receive()
            if not data:
                raise Late(f"the chat ended before it said {words!r}; last: {self.told[-1:]}")
            self.take(data)
        return heard[0]

    async def say(self, count, until=None):
        first = self.number + 1
        self.number += count
        lines = b"".join(said(self.id, n) + b"\n" for n in range(first, self.number + 1))
        self.room.said[self.id] = (self.number, self.load.now())
        return await self.connection.send(lines, until)

    def leave(self, reset=False):
        """What it has said so far must reach the others, unless it is reset."""
        if self.room and self.id in self.room.said:
            if reset:
                del self.room.said[self.id]
            else:
                forget = self.room.said.pop
                self.load.loop.call_later(SENDER_IS_FORGOTTEN, forget, self.id, None)
        self.room = None

    def take(self, data):
        lines = (self.rest + data).split(b"\n")
        self.rest = lines.pop()
        self.told = []
        for line in lines:
            if line.startswith(b"["):
                self.take_line(line)
            elif line.startswith(b"* "):
                self.take_word_of_server(line)
            else:
                raise Wrong(f"no line of a chat: {line!r}")

    def take_word_of_server(self, line):
        self.told.append(line)
        if line.startswith(b"* you missed "):
            missed = int(line.split(b" ")[3])
            self.missed += missed
            self.has_missed = True
            self.load.counts["chat: lines told as missed"] += missed
        elif line.startswith(b"* you are in room "):
            self.seen.clear()
            self.missed = 0
            self.has_missed = False

    def take_line(self, line):
        text = line.partition(b"]: ")[2]
        if HALF.startswith(text):
            return
        sender, number, _ = text.split(b" ", 2)
        sender, number = int(sender), int(number)
        if text != said(sender, number):
            raise Wrong(f"a line is not as it was said: {line!r}")
        last = self.seen.get(sender)
        if last is not None and number != last + 1:
            if number <= last:
                raise Wrong(f"line {number} of {sender} came after {last}")
            self.missed -= number - last - 1
            if self.missed < 0:
                raise Wrong(f"{-self.missed} lines before {number} of {sender} are missing")
        self.seen[sender] = number
        self.load.counts["chat: lines heard"] += 1

    async def listen(self, until=None):
        """Hears what comes until then, or until finish(); False at the end of the stream, which
        without `until` has to come."""
        was_over = self.load.all.over
        while (data := await self.connection.receive(until=until)) is not None:
            if not data:
                if self.rest:
                    raise Wrong(f"half a line at the end: {self.rest!r}")
                return False
            self.take(data)
            if until is not None and self.load.all.over and not was_over:
                break
        return True

    def owed(self):
        """Senders of which it has not heard all, of those that spoke since it came."""
        return [
            sender
            for sender, (number, when) in self.room.said.items()
            if sender != self.id and when > self.entered and self.seen.get(sender) != number
        ]

    async def hear_all(self):
        """When members speak no more: the last lines of all are still to come."""
        until = self.load.now() + PATIENCE
        while not self.has_missed and (owed := self.owed()):
            if self.load.now() > until:
                raise Wrong(f"the last lines of {len(owed)} members never came")
            if not await self.listen(self.load.now() + 0.2):
                raise Late("the chat ended while lines were owed")


async def come(load, room, window=None):
    connection = await load.all.connect(load.ports["chat"], window)
    member = Member(load, connection)
    try:
        await member.hears(b"* welcome, you are ")
        if load.random.random() < 0.3:
            await connection.send(b"/nick u%d\n" % load.new_id())
            await member.hears(b"* you are now ")
        await member.enter(room)
    except BaseException:
        connection.close()
        raise
    return member


async def depart(load, member):
    """In one of the ways there are."""
    connection = member.connection
    way = load.random.choice(("exit", "end", "reset", "half line and reset", "close"))
    if way.endswith("reset"):
        member.leave(reset=True)
        if way != "reset":
            await connection.send(HALF)
        connection.reset()
        return
    if way == "close":
        # What has not been read turns this into a reset (tcp(7)).
        member.leave(reset=True)
        return
    await member.say(3)
    member.leave()
    if way == "exit":
        await connection.send(b"exit\n")
    else:
        connection.finish_sending()
    await member.listen()


async def talk(load, slot):
    """Speaks now and then, hears everything, stays a while, and may go to other rooms."""
    member = await come(load, load.room_of(slot))
    with member.connection:
        until = load.now() + load.random.expovariate(1 / 60)
        while load.now() < until and not load.all.over:
            if not await member.listen(min(until, load.now() + load.random.expovariate(1 / 60))):
                raise Late("the chat ended by itself")
            if load.all.over:
                break
            await member.say(load.random.randrange(1, 9))
            if load.random.random() < 0.05:
                await member.enter(load.room_of(load.random.randrange(1 << 20)))
        if load.all.over:
            await member.hear_all()
        await depart(load, member)


async def flood(load, slot):
    """Speaks a lot, in a room whose window passes those that are slow."""
    member = await come(load, load.busy_room_of(slot))
    with member.connection:
        until = load.now() + load.random.expovariate(1 / 30)
        while load.now() < until and not load.all.over:
            await member.say(20)
            if not await member.listen(load.now() + 0.5):
                raise Late("the chat ended by itself")
        if load.all.over:
            await member.hear_all()
        await depart(load, member)


async def read_slowly(load, slot):
    """Reads a byte a second, or a little more; the server may give it up at its write deadline."""
    size = load.random.choice((1, 1, 1000))
    member = await come(load, load.busy_room_of(slot), window=4096)
    with member.connection:
        until = load.now() + load.random.expovariate(1 / 90)
        try:
            while load.now() < until and not load.all.over:
                data = await member.connection.receive(size)
                if not data:
                    return
                member.take(data)
                await load.all.pause(1)
        except ConnectionError:
            load.counts["chat: slow members reset"] += 1
        member.leave(reset=True)


async def never_read(load, slot):
    """Speaks, and reads nothing; the server may give it up at its write deadline."""
    member = await come(load, load.busy_room_of(slot), window=4096)
    with member.connection:
        try:
            for _ in range(10):
                if not await member.say(5, until=load.now() + 10):
                    break
                await load.all.pause(load.random.expovariate(1 / 10))
        except ConnectionError:
            load.counts["chat: members reset that never read"] += 1
        member.leave(reset=True)


async def be_silent(load, slot):
    """A connection without a word, that hears the lobby."""
    with await load.all.connect(load.ports["chat"]) as connection:
        member = Member(load, connection)
        if not await member.listen(load.now() + load.random.expovariate(1 / 60)):
            raise Late("the chat ended by itself")
        if load.random.random() < 0.5:
            connection.reset()


KINDS = {talk: 815, flood: 5, read_slowly: 40, never_read: 40, be_silent: 100}
