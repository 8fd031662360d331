"""Splits a webhook of several accounts, and one too large for a record: its events, or an object down to its name."""

import json
from collections.abc import Iterator, Mapping

from connectors.http.lenient_json import JsonObject, object_at, parsed, text_at
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


def shared_out(body: bytes, accounts: Mapping[str, str]) -> Mapping[str, bytes]:
    """Integration -> the events of its account: none is to keep, or to erase, what another's customers wrote.

    An event that names no account goes to all, for nobody can read it, and so does a body that is no list. `accounts`:
    integration -> account. An integration that the body names nowhere but within an event has no part in it.
    """
    found = parsed(body)
    if not isinstance(found, list):
        return dict.fromkeys(accounts, body)
    told = [(text_at(item, "portalId") if isinstance(item, dict) else None, item) for item in found]
    shares = {name: [item for named, item in told if named in (account, None)] for name, account in accounts.items()}
    named = {account for account, _ in told}
    return {
        name: json.dumps(items, ensure_ascii=False, separators=(",", ":")).encode()
        for name, items in shares.items()
        if accounts[name] in named
    } or dict.fromkeys(accounts, body)


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
