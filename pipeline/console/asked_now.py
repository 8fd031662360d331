"""Systems that are asked for somebody now: whoever asks the same meanwhile gets the same answer, and few go at once."""

import asyncio
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Final

from pipeline.console.condition import NAMES, Kind
from pipeline.console.objects import SINGULAR
from pipeline.console.waiting import heard
from pipeline.explain.look_now import LOOK_WORDS, Looked, LookWord
from pipeline.operations import OperationRefused
from schemas.values import System

AT_ONCE: Final = 2
"""Each holds a thread for seconds, of the few that all pages share."""
KINDS: Final[dict[LookWord, Kind]] = {
    "there": "ok",
    "not_there": "idle",
    "refused": "bad",
    "away": "warn",
    "silent": "warn",
    "not_taken": "warn",
    "erased": "idle",
    "impossible": "idle",
}


class Busy(OperationRefused):
    """Others ask now; the message says what to do."""


@dataclass(slots=True)
class AskedNow:
    """Those under way, by what is asked."""

    _under_way: "dict[Hashable, asyncio.Future[Sequence[Looked]]]" = field(default_factory=dict)

    async def answer(self, what: Hashable, look: Callable[[], Sequence[Looked]]) -> Sequence[Looked]:
        """What `look` gives, which blocks; it goes on where whoever asked leaves. Raises Busy, and what it raises."""
        asked = self._under_way.get(what)
        if asked is None:
            if len(self._under_way) >= AT_ONCE:
                raise Busy("Others have systems asked just now. Wait some seconds, and look again.")
            asked = self._under_way[what] = asyncio.ensure_future(asyncio.to_thread(look))
            asked.add_done_callback(heard)
            asked.add_done_callback(lambda _: self._under_way.pop(what, None))
        await asyncio.wait({asked})
        return asked.result()


@dataclass(frozen=True, slots=True)
class LookedRow:
    """What one system told."""

    system: System
    what: str
    kind: Kind
    said: str
    reason: str


def looked_row(one: Looked) -> LookedRow:
    """As the page tells it."""
    kind = SINGULAR.get(one.object_type, one.object_type)
    said = LOOK_WORDS[one.word]
    return LookedRow(
        one.system,
        f"{kind} by {one.by}",
        KINDS[one.word],
        f"{said[:1].upper()}{said[1:]}",
        one.reason or "",
    )


def types_in(types: Sequence[tuple[System, str]]) -> list[tuple[str, str]]:
    """What a form offers: where to look, and how it is called."""
    return [(f"{system}.{kind}", f"{NAMES[system]} {kind}") for system, kind in dict.fromkeys(types)]
