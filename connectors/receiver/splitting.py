"""Splits a webhook too large for one record: its events into several records, or an object down to its name."""

import json
from collections.abc import Iterator

from connectors.http.lenient_json import JsonObject, object_at, parsed
from connectors.receiver.admission import NotAdmitted

READABLE = ("user", "group")


def parts(body: bytes, most: int) -> Iterator[bytes]:
    """The body if it has at most `most` bytes; else the events of a JSON array in smaller arrays, in order.

    HubSpot sends up to 100 events at once, each with a value of up to 65,536 characters. A large Userflow object is
    cut to its name, so that the source reads it. Raises NotAdmitted `too_large` if one event alone is too large.
    """
    if len(body) <= most:
        yield body
        return
    found = parsed(body)
    if isinstance(found, dict):
        yield _name_of(found)
        return
    if not isinstance(found, list):
        raise NotAdmitted("too_large")
    part: list[bytes] = []
    size = len(b"[]")
    for item in found:
        text = json.dumps(item, ensure_ascii=False, separators=(",", ":")).encode()
        if len(text) + len(b"[]") > most:
            raise NotAdmitted("too_large")
        if size + len(text) > most:
            yield _array(part)
            part, size = [], len(b"[]")
        part.append(text)
        size += len(text) + len(b",")
    yield _array(part)


def _array(items: list[bytes]) -> bytes:
    return b"[" + b",".join(items) + b"]"


def _name_of(notification: JsonObject) -> bytes:
    """The object's name without time and attributes: enough to have the user or group read."""
    subject = object_at(object_at(notification, "data"), "object")
    if subject.get("object") not in READABLE:
        raise NotAdmitted("too_large")
    name = {"object": subject["object"], "id": subject.get("id"), "attributes": {}}
    told = {key: notification.get(key) for key in ("id", "object", "topic")}
    return json.dumps({**told, "data": {"object": name}}).encode()
