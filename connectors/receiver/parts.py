"""A webhook whose body is more than a record holds: its events in several records."""

import json
from collections.abc import Iterator

from connectors.loose import parsed
from connectors.receiver.room import NoRoom


def parts(body: bytes, most: int) -> Iterator[bytes]:
    """The body where it has at most `most` bytes, else its events as JSON arrays that have, in order.

    HubSpot sends up to 100 events at once, each with a value of up to 65,536 characters. Raises NoRoom `too_large`
    where the body is no list, or one event alone is too large.
    """
    if len(body) <= most:
        yield body
        return
    items = parsed(body)
    part: list[bytes] = []
    for item in items if isinstance(items, list) else [items]:
        text = json.dumps(item, separators=(",", ":")).encode()
        if len(text) + len(b"[]") > most:
            raise NoRoom("too_large")
        if len(_array([*part, text])) > most:
            yield _array(part)
            part = []
        part.append(text)
    yield _array(part)


def _array(items: list[bytes]) -> bytes:
    return b"[" + b",".join(items) + b"]"
