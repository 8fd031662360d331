"""A patrol reads a whole type at a bounded rate, again and again, and begins anew where it cannot go on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from connectors.contract.errors import CURSOR_GONE, Refused
from connectors.contract.feed import Kept, Pulled
from connectors.contract.source import ObjectPage, Seen
from connectors.inbound.patrol import AT_LEAST_S, Patrol


@dataclass
class Listed:
    """A source that lists pages; `turn` answers for a cursor."""

    turn: Callable[[str | None], ObjectPage]
    asked: list[str | None] = field(default_factory=list)

    async def page(self, object_type: str, cursor: str | None) -> ObjectPage:
        self.asked.append(cursor)
        return self.turn(cursor)


def two_pages(cursor: str | None) -> ObjectPage:
    ids: Sequence[str] = ("u-0", "u-1") if cursor is None else ("u-2",)
    return ObjectPage([Seen(id, {}, 1, 0) for id in ids], "u-1" if cursor is None else None)


async def walked(source: Listed, pulls: int, per_s: float = 10.0) -> list[Pulled]:
    patrol, kept, found = Patrol(cast(Any, source), "users", per_s), None, []
    for _ in range(pulls):
        pulled = await patrol.pull(kept, 0)
        kept = Kept(pulled.position, 0)
        found.append(pulled)
    return found


async def test_it_goes_round_and_round_at_the_rate_that_is_set() -> None:
    source = Listed(two_pages)
    found = await walked(source, 4)
    assert source.asked == [None, "u-1", None, "u-1"]
    assert [one.wait_s for one in found] == [0.2, AT_LEAST_S, 0.2, AT_LEAST_S]
    assert [[one.object_id for one in pulled.objects] for pulled in found[:2]] == [["u-0", "u-1"], ["u-2"]]


async def test_an_empty_type_is_no_tight_loop() -> None:
    found = await walked(Listed(lambda _: ObjectPage([], None)), 2)
    assert [one.wait_s for one in found] == [AT_LEAST_S] * 2


async def test_a_cursor_whose_object_is_gone_begins_it_anew() -> None:
    def turn(cursor: str | None) -> ObjectPage:
        if cursor is not None:
            raise Refused(CURSOR_GONE)
        return two_pages(None)

    source = Listed(turn)
    await walked(source, 3)
    assert source.asked == [None, "u-1", None]


async def test_a_list_that_goes_in_a_circle_begins_anew_after_a_while() -> None:
    source = Listed(lambda _: ObjectPage([Seen("u-0", {}, 1, 0)], "again"))
    found = await walked(source, 3)
    assert source.asked == [None, "again", None]
    assert (found[1].position, found[1].wait_s) == ("", AT_LEAST_S)
