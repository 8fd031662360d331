"""Bytes bent as somebody would who wants to harm the reader: cut, flipped, lengths and counts that no record has."""

import random
from collections.abc import Sequence

from tests.contract.sample_records import SAMPLES


def number(value: int) -> bytes:
    """A long on the wire."""
    rest, written = (value << 1) ^ (value >> 63), bytearray()
    while rest > 127:
        written.append(rest & 127 | 128)
        rest >>= 7
    return bytes([*written, rest])


NUMBERS: Sequence[bytes] = (
    *map(number, (0, 1, 2, 3, 7, 8, 9, -1, -2, 2**20, 2**31, 2**62, -(2**31), -(2**62), 2**63 - 1, -(2**63))),
    b"\xff" * 9 + b"\x01",  # the lowest long
    b"\xff" * 9 + b"\x7f",  # more than 64 bits
    b"\xff" * 10 + b"\x01",  # eleven bytes
    b"\x80" * 40,
    b"\x80\x00",  # zero in two bytes
    b"\xc3\x28",  # no UTF-8
    b"\xed\xa0\x80",  # half of a surrogate pair
)


def bent(good: bytes, start: int, chance: random.Random) -> bytes:
    """The bytes with one to three places changed, all of them behind the header."""
    body = bytearray(good[start:])
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(body) + 1)
        kind = chance.randrange(5)
        if kind == 0:
            del body[at:]
        elif kind == 1:
            body[at : at + chance.randint(0, 2)] = chance.choice(NUMBERS)
        elif kind == 2:
            body[at : at + 1] = bytes([chance.randrange(256)])
        elif kind == 3:
            del body[at : at + chance.randint(1, 8)]
        else:
            body[at:at] = chance.randbytes(chance.randint(1, 6))
    return good[:start] + bytes(body)


def samples() -> Sequence[tuple[str, object]]:
    """One full record of every kind, by its schema's name."""
    return sorted(SAMPLES.items())
