"""No match by guess: shared match values on each side, told in any order, live edits beside; none is ever written."""

import random
from collections import Counter
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core import pairing
from pipeline.core.mapping import MappingView
from schemas.values import System
from tests.examples import share
from tests.unit.pipeline.core.given import mapping
from tests.unit.pipeline.small_vendors import OWNED, REFUSED_BY_TARGET, WRITTEN, FullSync, SmallVendors

MANY: Final = [40, pytest.param(200, marks=pytest.mark.long)]
"""How many match values are shared; a full sync of the larger number takes as long as ten others."""
BY_EMAIL: Final = mapping()
BY_PROPERTY: Final = mapping(match_hubspot="ref", match_userflow="email")
BY_ID: Final = mapping(match_hubspot="ref", match_userflow="id")
"""Contacts by their email, of which HubSpot has each once; by a property that many may hold; deals and companies by
the Userflow id."""
SYSTEMS: Final[tuple[System, ...]] = ("hubspot", "userflow")
LISTED: Final[dict[str, tuple[System, ...]]] = {"both": SYSTEMS, "userflow": ("userflow",), "hubspot": ("hubspot",)}
seeds = st.integers(0, 2**32)


def filled(view: MappingView, shuffle: random.Random, shared: int) -> SmallVendors:
    """So many match values that several objects of a side hold, for each side that allows it; a third of it pairs."""
    world = SmallVendors(view, shuffle)
    several = [system for system in SYSTEMS if system == "userflow" or not view.record.match_hubspot_unique]
    for side in several if view.match_field("userflow") != "id" else ["hubspot"]:
        for number in range(shared):
            value = f"shared-{side}-{number}@x"
            for system in SYSTEMS:
                for copy in range(shuffle.randint(2, 3) if system == side else 1):
                    add(world, system, value, copy)
    for number in range(shared // 3):
        for system in SYSTEMS:
            add(world, system, f"alone-{number}@x", 0)
        add(world, SYSTEMS[number % 2], f"only-{number}@x", 0)
    return world


def add(world: SmallVendors, system: System, value: str, copy: int) -> None:
    by_id = system == "userflow" and world.view.match_field("userflow") == "id"
    object_id = value if by_id else f"{system[0]}-{value}-{copy}"
    random = world.shuffle.choice
    owned, written = random(["a", "b", "", REFUSED_BY_TARGET]), random(["a", "b", None])
    world.add(system, object_id, value, owned, written)


def live_edits(world: SmallVendors, count: int) -> None:
    """Edits of any objects; some of their webhooks are handled at once, with whatever waits."""
    for _ in range(count):
        system = world.shuffle.choice(SYSTEMS)
        world.edit(system, world.shuffle.choice(list(world.held[system])), world.shuffle.choice(["a", "b", "c", ""]))
        world.some(world.shuffle.randrange(40))


def guessed(world: SmallVendors) -> list[str]:
    """Match values of which a side has several objects, and to which something was written all the same."""
    written = {patch.match_value for patch in world.patches}
    return sorted(value for value in written if any(len(world.holders(system, value)) > 1 for system in SYSTEMS))


def out_of_step(world: SmallVendors) -> list[str]:
    """Pairs of one object on each side whose target does not hold what its owner holds."""
    found = []
    for object_id, contact in world.held["hubspot"].items():
        value = world.value_of("hubspot", object_id)
        users = world.holders("userflow", value)
        if len(users) != 1 or len(world.holders("hubspot", value)) != 1:
            continue
        user = world.held["userflow"][users[0]]
        wanted = {"userflow": contact.fields[OWNED["hubspot"]], "hubspot": user.fields[OWNED["userflow"]]}
        held = {"userflow": user.fields[WRITTEN["userflow"]], "hubspot": contact.fields[WRITTEN["hubspot"]]}
        if any(
            wanted[side] != REFUSED_BY_TARGET and (wanted[side] or None) != (held[side] or None) for side in SYSTEMS
        ):
            found.append(value)
    return found


def expected(world: SmallVendors) -> Counter[str]:
    """The oracle's own counts of who has a partner; which systems were asked alone are listed by nobody."""
    counts: Counter[str] = Counter()
    values = {world.value_of(system, object_id) for system in SYSTEMS for object_id in world.held[system]}
    for value in values:
        sides = {system: len(world.holders(system, value)) for system in SYSTEMS}
        if not all(sides.values()):
            counts.update({f"unmatched.{system}": number for system, number in sides.items() if number})
        else:
            counts["pairs" if set(sides.values()) == {1} else "ambiguous"] += 1
    return counts


@pytest.mark.parametrize("shared", MANY)
@pytest.mark.parametrize("listed", LISTED)
@pytest.mark.parametrize("view", [BY_EMAIL, BY_PROPERTY, BY_ID], ids=["email", "property", "id"])
@settings(max_examples=share(0.08))
@given(seed=seeds, edits=st.integers(10, 40))
def test_a_first_full_sync_with_live_edits_beside_writes_to_no_ambiguous_pair(
    view: MappingView, listed: str, shared: int, seed: int, edits: int
) -> None:
    world = filled(view, random.Random(seed), shared)
    live_edits(world, edits)
    run = FullSync(world, LISTED[listed], meanwhile=lambda: live_edits(world, edits // 2))
    run.begin()
    live_edits(world, edits)
    run.read()
    live_edits(world, edits)
    counts = run.complete()
    assert guessed(world) == []
    world.drain()
    assert out_of_step(world) == []
    assert counts["pairs"] == counts["written"] + counts["equal"] + counts["refused"]
    told = {name: counts[name] for name in ("pairs", "ambiguous")}
    assert told == {name: expected(world)[name] for name in told}
    if listed == "both":
        assert all(counts[f"unmatched.{system}"] == expected(world)[f"unmatched.{system}"] for system in SYSTEMS)


@pytest.mark.parametrize("shared", MANY)
@pytest.mark.parametrize("view", [BY_EMAIL, BY_PROPERTY, BY_ID], ids=["email", "property", "id"])
@settings(max_examples=share(0.08))
@given(seed=seeds)
def test_live_edits_alone_guess_nobody_and_still_bring_pairs_in_step(view: MappingView, shared: int, seed: int) -> None:
    """Of neither side anything was read: each pair asks before it is written."""
    shuffle = random.Random(seed)
    world = filled(view, shuffle, shared)
    everyone = [(system, object_id) for system in SYSTEMS for object_id in world.held[system]]
    shuffle.shuffle(everyone)
    for system, object_id in everyone:
        world.edit(system, object_id, shuffle.choice(["a", "b", "c"]))
        world.some(shuffle.randrange(20))
    world.drain()
    assert guessed(world) == []
    assert out_of_step(world) == []


def test_a_pair_that_was_asked_for_asks_no_more() -> None:
    world = SmallVendors(BY_PROPERTY, random.Random(1))
    for system in SYSTEMS:
        add(world, system, "ada@x", 0)
    for number in range(5):
        world.edit("hubspot", "h-ada@x-0", f"edit {number}")
        world.drain()
    assert world.held["userflow"]["u-ada@x-0"].fields[WRITTEN["userflow"]] == "edit 4"
    assert world.requests["lookup"] == 2


def test_the_guard_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without asking, and with patches derived from each read, shared values are written."""
    monkeypatch.setattr(pairing, "unknown_sides", lambda *_: ())
    monkeypatch.setattr(pairing, "read_by_run", lambda _: False)
    world = filled(BY_EMAIL, random.Random(1), 60)
    live_edits(world, 40)
    run = FullSync(world, SYSTEMS)
    run.begin()
    run.read()
    assert guessed(world)
