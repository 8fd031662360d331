"""Every object type, several mappings, thousands of random edits: an independent oracle finds both systems in step.

`make test` has a short story, `make test-long` two of three times its length, one of them with webhooks late, twice and
in disorder, reads that lag and clocks that are wrong. Others: PAIRSTREAM_E2E_OBJECTS=5000, PAIRSTREAM_E2E_EDITS=3000,
PAIRSTREAM_E2E_SEED=7, PAIRSTREAM_E2E_DISORDER=1 are of the short one.
"""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.edits import People, strangers
from tests.e2e.everything import ATTRIBUTES, CUSTOM, FILE, KINDS
from tests.e2e.oracle import Oracle
from tests.e2e.stores import Dump, calm, dump, places_of
from tests.e2e.world import World, eventually, measured, world
from tests.kafka import Kafka

OBJECTS = int(os.environ.get("PAIRSTREAM_E2E_OBJECTS", "100"))
EDITS = int(os.environ.get("PAIRSTREAM_E2E_EDITS", "100"))
SEED = int(os.environ.get("PAIRSTREAM_E2E_SEED", "1"))
DISORDER = bool(os.environ.get("PAIRSTREAM_E2E_DISORDER"))
STORIES = [
    (SEED, DISORDER, OBJECTS, EDITS),
    pytest.param(SEED + 1, True, 300, 300, marks=pytest.mark.long),
    pytest.param(SEED + 2, False, 300, 300, marks=pytest.mark.long),
]
WEBHOOKS: dict[str, Any] = {
    "webhook_duplicate_probability": 0.2,
    "webhook_reorder_probability": 0.5,
    "webhook_reorder_ms": 800,
    "webhook_delay_probability": 0.1,
    "webhook_delay_ms": 2_500,
}
SHOWN = 20
UNDONE = "userflow_object_recreated"  # somebody deleted the object between our read and our write: it was taken back
REASONS = {"not_an_option", UNDONE}


class Story:
    """A world, its people, and the oracle that judges it."""

    def __init__(self, it: World, seed: int, objects: int, edits: int) -> None:
        self.it = it
        self.objects = objects
        self.within_s = 120 + objects * 0.2 + edits * 0.2
        self.look_every_s = 0.5 + objects / 500  # a look at everything keeps the simulators busy
        self.people = People(it, seed)
        self.oracle = Oracle(FILE, KINDS)
        self._places = places_of(self.oracle.mappings)
        self._last: Dump | None = None

    async def begin(self) -> None:
        await self.it.hubspot.define(CUSTOM)
        await self.it.userflow.define(
            {
                "attribute_definitions": [
                    {"scope": scope, "name": name, "data_type": data_type}
                    for scope, names in ATTRIBUTES.items()
                    for name, data_type in names.items()
                ]
            }
        )
        await self.people.populate(self.objects)
        await self.it.apply(FILE)

    async def edits(self, number: int, *, silent: bool = False) -> None:
        for _ in range(number):
            await self.people.edit(silent=silent)

    async def in_step(self, what: str) -> None:
        """Wait until the oracle finds nothing, then until nothing moves, and look again."""
        started = time.monotonic()
        left: list[str] = []

        async def nothing_left() -> bool:
            left[:] = await self._problems()
            return not left

        assert await eventually(nothing_left, bool, self.within_s, self.look_every_s), self._told(what, left)
        took_s = time.monotonic() - started
        await calm(self.it, self.within_s)
        left = await self._problems()
        assert not left, self._told(what, left)
        await self._nobody_else_wrote()
        measured(f"{what}: in step after {took_s:.0f} s, quiet after {time.monotonic() - started:.0f} s")

    async def _problems(self) -> list[str]:
        self._last = await dump(self.it, self._places)
        stores, people = self._last.stores, self.people
        return [
            *self.oracle.out_of_step(stores, self._last.letters),
            *self.oracle.timelines(stores, people.tracked, self._last.shown, people.moved),
        ]

    async def _nobody_else_wrote(self) -> None:
        assert self._last is not None
        found = strangers(self.people, self._last, self.oracle.targets)
        odd = [letter for letter in self._last.letters if letter.reason not in REASONS]
        found += [f"dead letter {letter.reason}: {letter.field} of {letter.key}" for letter in odd]
        assert not found, self._told("what nobody should have done", found)
        assert await self.it.created_by_api() == sum(letter.reason == UNDONE for letter in self._last.letters)

    def _told(self, what: str, problems: list[str]) -> str:
        shown = "\n".join(problems[:SHOWN])
        return f"{what}, seed {self.people.seed}, after {self.people.done}: {len(problems)} problems\n{shown}"

    def summary(self) -> str:
        assert self._last is not None
        stores = self._last.stores
        pairings = {mapping.name: self.oracle.pairing(mapping, stores) for mapping in self.oracle.mappings}
        counts = {name: (len(found.pairs), len(found.ambiguous)) for name, found in pairings.items()}
        events = f"{len(self._last.shown)} events on timelines"
        return f"pairs and ambiguous values by mapping: {counts}; {events}; edits: {self.people.done}"


@pytest.mark.parametrize(("seed", "disorder", "objects", "edits"), STORIES)
async def test_all_types_stay_in_step_whatever_people_do(
    kafka: Kafka, tmp_path: Path, seed: int, disorder: bool, objects: int, edits: int
) -> None:
    async with world(tmp_path, kafka) as it:
        await it.hubspot.set(webhook_backoff_ms=500)
        await it.userflow.set(webhook_backoff_ms=500)
        if disorder:
            await it.hubspot.set(**WEBHOOKS, read_lag_ms=1_000, clock_offset_ms=45_000)
            await it.userflow.set(**WEBHOOKS, clock_offset_ms=-30_000)
        story = Story(it, seed, objects, edits)
        await story.begin()
        await it.full_sync()
        await story.in_step("first full sync")

        await story.edits(edits * 2 // 3)
        await story.in_step("edits that webhooks tell of")

        await story.edits(edits // 3, silent=True)
        await calm(it, story.within_s)
        await it.full_sync()
        await story.in_step("silent deletions and a full sync")

        before = await it.writes()
        await it.full_sync()
        await calm(it, story.within_s)
        assert await it.writes() == before
        measured(story.summary())
