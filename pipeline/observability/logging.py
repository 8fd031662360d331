"""How log lines are written: text or JSON, secrets masked, libraries kept quiet."""

import datetime as dt
import json
import logging
import re
import sys
from collections.abc import Iterable
from typing import Final, Literal, TextIO

from pipeline.observability.events import event_name
from pipeline.observability.printable import printable
from pipeline.observability.repeats import Repeats

MASK: Final = "***"

QUIET: Final = (
    "aiokafka",
    "asyncio",
    "authlib",
    "confluent_kafka",
    "faust",
    "hpack",
    "httpcore",
    "httpx",
    "kafka",
    "librdkafka",
    "mode",
    "urllib3",
    "uvicorn",
)
"""Libraries that write warnings only: their debugging lines hold headers, URLs and bodies."""

_SHORTEST_SECRET: Final = 6
"""Masking a shorter text would mask words that merely contain it."""

_LONGEST: Final = 100_000
_LONGEST_SHOWN: Final = 20_000
"""Characters of a message that are looked at, and that are written: a vendor's answer may be in it."""

# Each pattern begins with a text of its own, and repeats nothing that could begin again within: 10,000 characters made
# a pattern that begins with "any letters" look at 10,000 times as many.
_PATTERNS: Final = (
    # an Authorization value
    (re.compile(r"\b([Bb]earer|Basic)\s{1,10}[\w.~+/=-]{8,}"), rf"\1 {MASK}"),
    # name=value, "name": "value" where the name says it is a secret
    (
        re.compile(
            r"""((?:token|secret|password|passwd|api[_-]?key|hapikey|signature|authorization)\b["']?\s{0,10}[=:]\s{0,10})"""
            r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|(?!Bearer\b|Basic\b)[^\s,;&)}\]]+)""",
            re.IGNORECASE,
        ),
        rf"\1{MASK}",
    ),
    # the user and password in a URL
    (re.compile(r"(://)[^\s/@]{1,500}@"), rf"\1{MASK}@"),
    # HubSpot's and Userflow's own tokens
    (re.compile(r"\b(?:pat-\w{2,4}-[\w-]{8,}|ak_[\w-]{6,})"), MASK),
)


def set_up(
    form: Literal["text", "json"], level: str, *, hide: Iterable[str] = (), stream: TextIO | None = None
) -> None:
    """Send every log line of at least `level` to `stream` (standard error), with the texts in `hide` masked.

    The newest call replaces the earlier ones.
    """
    masked = Masking(hide)
    written = logging.StreamHandler(stream or sys.stderr)
    written.addFilter(Repeats(QUIET))
    written.setFormatter(JsonLines(masked) if form == "json" else TextLines(masked))
    logging.basicConfig(level=level, handlers=[written], force=True)
    logging.captureWarnings(True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


class Masking:
    """Masks known secrets and texts that look like one. The last guard: callers log no secrets in the first place.

    Control characters are written in readable form, and a very long line is cut.
    """

    def __init__(self, hide: Iterable[str] = ()) -> None:
        # the longest first: one secret may be part of another
        known = sorted({text for text in hide if len(text) >= _SHORTEST_SECRET}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, text: str) -> str:
        length = len(text)
        text = printable(text[:_LONGEST])
        if self._known is not None:
            text = self._known.sub(MASK, text)
        for pattern, masked in _PATTERNS:
            text = pattern.sub(masked, text)
        return text if length <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}... ({length:,} characters)"


class TextLines(logging.Formatter):
    """`2026-01-31T12:00:00.000Z INFO pipeline.app: message`; further lines are indented."""

    def __init__(self, masked: Masking) -> None:
        super().__init__()
        self._masked = masked

    def format(self, record: logging.LogRecord) -> str:
        message = "\n".join(filter(None, (record.getMessage(), _trace(self, record))))
        line = f"{_at(record)} {record.levelname} {record.name}: {message}"
        return self._masked(line).replace("\n", "\n  ")


class JsonLines(logging.Formatter):
    """One JSON object a line: at, level, logger, event, message, and trace where there is an exception."""

    def __init__(self, masked: Masking) -> None:
        super().__init__()
        self._masked = masked

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": _at(record),
            "level": record.levelname,
            "logger": record.name,
            "event": event_name(record.name, record.msg if isinstance(record.msg, str) else ""),
            "message": self._masked(record.getMessage()),
        }
        if trace := _trace(self, record):
            line["trace"] = self._masked(trace)
        return json.dumps(line, ensure_ascii=False)


def _trace(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    parts = (
        formatter.formatException(record.exc_info) if record.exc_info else "",
        formatter.formatStack(record.stack_info) if record.stack_info else "",
    )
    return "\n".join(filter(None, parts))


def _at(record: logging.LogRecord) -> str:
    moment = dt.datetime.fromtimestamp(record.created, dt.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
