"""When topics are looked through for what was erased, and when that is over: pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from schemas.erasures import Erasure, ErasurePart, Looked, Rewriting
from schemas.topics import object_key

LOOKS_S: Final = (2.0, 60.0, 600.0, 90_000.0)
"""After an erasure: soon; when webhooks that were answered late have come again; when what was under way has ended,
reads that are repeated for minutes say; and when HubSpot has given up sending a webhook again, after 24 hours."""
LOOKED: Final = "looked/"
REWRITING: Final = "rewriting/"

Parts = Mapping[str, ErasurePart]


@dataclass(frozen=True, slots=True)
class Due:
    """An erasure for which topics are to be looked through, and how many looks it has had."""

    key: str
    erasure: Erasure
    looks: int


def open_erasures(parts: Parts) -> list[Due]:
    """Those whose last look is still to come."""
    found = []
    for key, part in parts.items():
        if part.erasure is not None:
            looked = looked_at(parts, key, part.erasure)
            found.append(Due(key, part.erasure, looked.looks if looked is not None else 0))
    return found


def due(parts: Parts, now_ms: int) -> list[Due]:
    """Those for which it is time to look."""
    return [one for one in open_erasures(parts) if now_ms >= one.erasure.erased_ms + LOOKS_S[one.looks] * 1000]


def looked_at(parts: Parts, key: str, erasure: Erasure) -> Looked | None:
    """The looks for this very erasure: a later one of the same object begins anew."""
    part = parts.get(f"{LOOKED}{key}")
    looked = part.looked if part is not None else None
    return looked if looked is not None and looked.erased_ms == erasure.erased_ms else None


def after_look(one: Due, now_ms: int) -> dict[str, ErasurePart | None]:
    """What is written once topics were looked through: after the last look nothing is left of the erasure."""
    if one.looks + 1 < len(LOOKS_S):
        return {f"{LOOKED}{one.key}": ErasurePart(looked=Looked(one.erasure.erased_ms, one.looks + 1, now_ms))}
    return {one.key: None, f"{LOOKED}{one.key}": None}


def rewriting(parts: Parts) -> dict[tuple[str, int], Rewriting]:
    """Partitions whose rewriting was begun and not ended, by topic and partition."""
    found = {}
    for key, part in parts.items():
        if part.rewriting is not None and key.startswith(REWRITING):
            topic, _, number = key.removeprefix(REWRITING).rpartition("/")
            found[topic, int(number)] = part.rewriting
    return found


def key_of(erasure: Erasure) -> str:
    """The object's key."""
    return object_key(erasure.integration, erasure.connection, erasure.system, erasure.object_type, erasure.object_id)
