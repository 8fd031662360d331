"""Sealing every secret again with the newest key: asked for here, carried out by whoever writes each record."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from connectors.kafka.producer import Publisher
from connectors.kafka.table import TableReader
from pipeline.operations import OperationRefused
from pipeline.secrets import SecretBox, has_place
from schemas.configuration import SEALS, IntegrationPart, SealRequest
from schemas.seals import resealed, seals_of
from schemas.topics import INTEGRATIONS

LOOK_EVERY_S: Final = 0.1
DESIRED: Final = "/desired"

Parts = Mapping[str, IntegrationPart]


class NotRotated(OperationRefused):
    """Some secrets are not sealed with the newest key; the message says whose and what to do."""


@dataclass(frozen=True, slots=True)
class Seal:
    """One sealed secret, in one of the records that keep it."""

    record: str  # the record's key
    integration: str
    place: str  # `acme/hubspot/token`
    key: int | None  # which opens it, the newest is 1; None: none does
    newest: bool  # whether it is sealed as the newest key seals


@dataclass(frozen=True, slots=True)
class Seals:
    """How many secrets there are, and the keys of the records in which some are of a former key, with their number."""

    count: int
    old: Mapping[str, int]


def every_seal(parts: Parts, box: SecretBox) -> Iterator[Seal]:
    """Every secret there is, by the key that opens it."""
    for record, part in parts.items():
        for sealed, place in seals_of(record, part):
            key = box.key_of(sealed, place)
            yield Seal(record, part.integration, place, key, newest=key == 1 and has_place(sealed))


def seals(parts: Parts, box: SecretBox) -> Seals:
    """How many secrets there are. Raises NotRotated where one opens with no key: sealed again it would be lost."""
    found = list(every_seal(parts, box))
    old = Counter(one.record for one in found if not one.newest)
    shut = {one.integration for one in found if one.key is None}
    if shut:
        raise NotRotated(
            f"PAIRSTREAM_SECRET_KEY does not open the secrets of {', '.join(sorted(shut))}; nothing was changed. "
            "Fix: add the key they were sealed with behind the newest, or apply their files again"
        )
    return Seals(len(found), old)


async def rotate(
    publisher: Publisher, tables: TableReader, box: SecretBox, now_ms: Callable[[], int], within_s: float
) -> int:
    """How many secrets were sealed again. May be repeated, and goes on where one ended. Raises NotRotated."""
    before = seals(tables.table(INTEGRATIONS), box)
    if not before.old:
        return 0
    requests = _Requests(publisher, tables, box)
    await requests.seal_again()
    request = IntegrationPart("", seals=SealRequest(box.key_id, now_ms()))
    await publisher.send(INTEGRATIONS, SEALS, request)
    until = time.monotonic() + within_s
    while await requests.seal_again() or seals(tables.table(INTEGRATIONS), box).old:
        if time.monotonic() > until:
            left = seals(tables.table(INTEGRATIONS), box)
            raise NotRotated(_late(left, sum(before.old.values()), within_s))
        await asyncio.sleep(LOOK_EVERY_S)
    return sum(before.old.values())


def _late(left: Seals, were: int, within_s: float) -> str:
    keys = ", ".join(sorted(left.old))
    still = sum(left.old.values())
    return (
        f"{were - still} of {were} secrets are sealed again; after {within_s:.0f} s those of {keys} are not. Fix: see "
        "that scheduler and connectors run with the same PAIRSTREAM_SECRET_KEY, the newest key first; then run it again"
    )


class _Requests:
    """The requests of `apply`, `pause` and the like: whoever asks writes them, so this command seals them again."""

    def __init__(self, publisher: Publisher, tables: TableReader, box: SecretBox) -> None:
        self._publisher = publisher
        self._box = box
        self._tables = tables
        self._newest: dict[str, IntegrationPart] = {}  # by key: the newest that somebody else wrote
        self._own: list[IntegrationPart] = []
        tables.subscribe(self._seen)

    async def seal_again(self) -> bool:
        """Those of a former key; and one that came between our reading and our writing, which ours has undone.

        Whether something was to be done, or is not seen in the table yet.
        """
        busy = False
        for key, part in {**dict(self._there()), **self._newest}.items():
            renewed = resealed(key, part, self._box.renewed)
            present = self._tables.get(INTEGRATIONS, key)
            if renewed == part == present or present is None:
                continue
            busy = True
            self._own.append(renewed)
            self._newest[key] = renewed
            await self._publisher.send(INTEGRATIONS, key, renewed)
        return busy

    def _there(self) -> Iterator[tuple[str, IntegrationPart]]:
        for key, part in self._tables.table(INTEGRATIONS).items():
            if key.endswith(DESIRED) and any(not self._box.is_newest(*one) for one in seals_of(key, part)):
                yield key, part

    def _seen(self, topic: str, key: str, part: Any) -> None:
        """On the reader's thread."""
        if topic != INTEGRATIONS or not key.endswith(DESIRED):
            return
        if part is None:
            self._newest.pop(key, None)
        elif part not in self._own:
            self._newest[key] = part
