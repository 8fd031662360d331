"""The table of hostile answers: each kind makes one answer out of a random generator and the simulator's own answer.

Points are those of the hardening review: 1 what stops others, 2 what waits or repeats for ever, 6 unbounded work.
"""

import gzip
import json
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, Final

from tests.faults.hostile.wire import Asked, Reply, changed, honest, reply

Kind = Callable[[Random, Asked], Reply]

DIGITS: Final = "9" * 400
YEAR_S: Final = "31536000"
HTML: Final = b"<!doctype html><title>Not here</title><h1>We will be back</h1>"
HTML_TYPE: Final = ("Content-Type", "text/html")
BOMB: Final = gzip.compress(bytes(40 * 1024 * 1024), 1)
DEEP: Final = b'{"results":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
SURROGATE: Final = (
    b'{"results":[{"id":"1\\ud800","properties":{},"updatedAt":"2026-01-01T00:00:00Z"}],"has_more":false}'
)
RAW_SURROGATE: Final = b'{"results":[{"id":"1\xed\xa0\x80"}],"data":[{"id":"1\xed\xa0\x80"}]}'
HUGE_NUMBER: Final = b'{"results":[{"id":' + b"9" * 5_000 + b',"updatedAt":' + b"9" * 5_000 + b"}]}"
RATES: Final = ("Max", "Remaining", "Interval-Milliseconds", "Daily", "Daily-Remaining", "Secondly")


def walked(value: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """JSON content with every object in it changed, the inner ones first."""
    if isinstance(value, dict):
        return change({name: walked(inner, change) for name, inner in value.items()})
    return [walked(inner, change) for inner in value] if isinstance(value, list) else value


def _header(name: str, *values: str | bytes) -> Kind:
    return lambda rng, asked: honest(asked, (name, rng.choice(values)))


def _status(status: int, *headers: tuple[str, str]) -> Kind:
    return lambda rng, asked: reply(status, json.dumps({"message": "no", "category": "NO"}).encode(), *headers)


def _html(status: int) -> Kind:
    return lambda rng, asked: reply(status, HTML, HTML_TYPE)


def _body(*bodies: bytes) -> Kind:
    return lambda rng, asked: reply(200, rng.choice(bodies))


def _raw(*raws: bytes) -> Kind:
    return lambda rng, asked: Reply(rng.choice(raws), reset=True)


def _rates(value: str) -> Kind:
    return lambda rng, asked: honest(asked, *((f"X-HubSpot-RateLimit-{name}", value) for name in RATES))


def _long_interval(rng: Random, asked: Asked) -> Reply:
    left = {"Max": "100", "Remaining": "0", "Interval-Milliseconds": "99999999999"}
    return honest(asked, *((f"X-HubSpot-RateLimit-{name}", value) for name, value in left.items()))


def _one_type_forbidden(rng: Random, asked: Asked) -> Reply:
    if "companies" not in asked.target and "groups" not in asked.target:
        return honest(asked)
    refusal = {"status": "error", "category": "MISSING_SCOPES", "message": "This app lacks scopes: companies.read"}
    return reply(403, json.dumps(refusal).encode())


def _packed(coding: str, pack: Callable[[bytes], bytes]) -> Kind:
    return lambda rng, asked: reply(200, pack(asked.body or b"{}"), ("Content-Encoding", coding))


def _bomb(rng: Random, asked: Asked) -> Reply:
    """Now and then: each one costs whoever inflates it up to the limit a tenth of a second."""
    return reply(200, BOMB, ("Content-Encoding", "gzip")) if rng.random() < 0.15 else honest(asked)


def _absent_keys(rng: Random, asked: Asked) -> Reply:
    def fewer(row: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in row.items() if rng.random() < 0.7}

    return changed(asked, walked(asked.content, fewer))


def _wrong_kinds(rng: Random, asked: Asked) -> Reply:
    odd: tuple[Any, ...] = (None, 0, -1, 1e300, "", "x", [], {}, [[]], True, 10**30, "\ud800")

    def other(row: dict[str, Any]) -> dict[str, Any]:
        return {name: rng.choice(odd) if rng.random() < 0.2 else value for name, value in row.items()}

    return changed(asked, walked(asked.content, other))


def _other_ids(rng: Random, asked: Asked) -> Reply:
    def other(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "id": str(rng.randrange(10**6))} if "id" in row else row

    return changed(asked, walked(asked.content, other))


def _twice(rng: Random, asked: Asked) -> Reply:
    return changed(
        asked, walked(asked.content, lambda row: {n: v * 2 if isinstance(v, list) else v for n, v in row.items()})
    )


def _paged(after: Callable[[Random], str], *, empty: bool) -> Kind:
    """A page that another follows, whatever was asked; a single object's answer stays as it is."""

    def page(rng: Random, asked: Asked) -> Reply:
        content, cursor = asked.content, after(rng)
        if not isinstance(content, dict):
            return honest(asked)
        rows = {name: [] if empty and isinstance(value, list) else value for name, value in content.items()}
        more = {"paging": {"next": {"after": cursor, "link": cursor}}, "has_more": True, "next_page_url": cursor}
        return changed(asked, {**rows, **more})

    return page


def _cut(rng: Random, asked: Asked) -> Reply:
    whole = honest(asked).raw
    return Reply(whole[: rng.randrange(len(whole))], reset=True)


def _drip(rng: Random, asked: Asked) -> Reply:
    return Reply(honest(asked).raw, drip_s=rng.choice([0.05, 0.5]))


def _silence(rng: Random, asked: Asked) -> Reply:
    return Reply(b"\0", drip_s=3_600.0)


KINDS: Final[Mapping[str, Kind]] = {
    # 1: what one answer does stops there
    "cookie-not-ascii": _header("Set-Cookie", "a=ä", b"a=\xff\xfe", "a=b; Max-Age=" + DIGITS, "=;=;\t"),
    "date-10000": _header("Date", "Thu, 26 Nov 10000 00:00:00 GMT", "Thu, 26 Nov 0000 00:00:00 GMT", DIGITS),
    "date-9998": _header("Date", "Thu, 26 Nov 9998 00:00:00 GMT", "Thu, 26 Nov 1970 00:00:00 GMT"),
    "retry-after-digits": _status(429, ("Retry-After", DIGITS)),
    "rates-of-digits": _rates(DIGITS),
    "rates-absurd": _rates("-1"),
    "one-type-forbidden": _one_type_forbidden,
    "forbidden-html": _html(403),
    "missing-html": _html(404),
    "unauthorized": _status(401),
    "redirect": _status(302, ("Location", "http://[x")),
    "odd-status": lambda rng, asked: reply(rng.choice([204, 207, 299, 418, 423, 477, 599]), asked.body),
    "surrogates": _body(SURROGATE, RAW_SURROGATE, SURROGATE.decode().encode("utf-16")),
    "huge-numbers": _body(HUGE_NUMBER),
    "wrong-kinds": _wrong_kinds,
    "absent-keys": _absent_keys,
    # 2: nothing waits for ever, nothing repeats for ever
    "unavailable": _status(503),
    "broken": _html(500),
    "too-many": _status(429),
    "retry-after-year": _status(429, ("Retry-After", YEAR_S)),
    "unavailable-year": _status(503, ("Retry-After", YEAR_S)),
    "rates-for-years": _long_interval,
    "too-long": _html(414),
    "same-cursor": _paged(lambda rng: "1", empty=False),
    "cycle": _paged(lambda rng: rng.choice("12"), empty=False),
    "empty-pages": _paged(lambda rng: str(rng.random()), empty=True),
    "next-page-no-address": _paged(lambda rng: "http://[x", empty=False),
    "other-ids": _other_ids,
    "twice": _twice,
    "cut": _cut,
    "drip": _drip,
    "silence": _silence,
    # 6: bounded work
    "bomb": _bomb,
    "two-codings": _packed("gzip, gzip", lambda body: gzip.compress(gzip.compress(body))),
    "unknown-coding": _packed("br", bytes),
    "packing-cut": _packed("gzip", lambda body: gzip.compress(body)[:-9]),
    "not-packed": _packed("gzip", bytes),
    "deep": _body(DEEP),
    "not-json": _body(b"", b"null", b"[]", b'"x"', b"\xff\xfe\x00", b'{"results":', HTML, b"NaN", b'{"results":{}}'),
    "long-name": lambda rng, asked: reply(
        400,
        json.dumps(
            {
                "category": "VALIDATION_ERROR",
                "message": f'Property "{"x" * 99_999}" does not exist',
                "error": {"message": "\x1b[2J" * 999},
            }
        ).encode(),
    ),
    "length-lies": lambda rng, asked: reply(200, asked.body, length=10**12, reset=True),
    "no-http": _raw(
        b"SSH-2.0-OpenSSH_9.9\r\n", b"\x16\x03\x01", b"HTTP/1.1 999999 x\r\n\r\n", b"HTTP/1.1 200\r\nA\r\n\r\n"
    ),
    "long-header": lambda rng, asked: honest(asked, ("X-Long", "x" * 300_000)),
    "chunks-broken": _raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{"),
}
"""By name; a seed plays the kind with its number modulo their count, and up to two more."""
