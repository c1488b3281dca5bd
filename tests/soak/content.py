"""What is said and stored, made from a number, so that each reader knows what has to come."""

import base64
import hashlib
import random

LENGTH = 1 << 20
TEXT = random.Random(1).randbytes(LENGTH // 2).hex().encode()
FIB = [1, 1]
while len(FIB) < 40:
    FIB.append(FIB[-1] + FIB[-2])


def content(number, size):
    """`size` bytes of text."""
    start = number * 7919 % LENGTH
    whole = TEXT[start : start + size]
    while len(whole) < size:
        whole += TEXT[: size - len(whole)]
    return whole


def said(sender, number):
    """Line `number` of a sender, both ints, without the newline: it says whose it is."""
    mixed = sender * 31 + number * 977
    return b"%d %d %s" % (sender, number, content(mixed, 16 + mixed % 200))


def digest_of(data):
    """The value of Repr-Digest (RFC 9530)."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"
