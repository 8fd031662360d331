"""What the end-to-end tests share: people of their own for every test, and waiting for what must become true."""

import itertools
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import Any, Final

from schemas.configuration import IntegrationPart
from schemas.records import Receipt
from tests.e2e.world import PLAN, TITLE, World, eventually, is_write

ARRIVED_S: Final = 30.0
CLEARED = ("", None)
KEPT_CALLS: Final = 20_000

_numbers = itertools.count(1)


def number() -> int:
    """A number that no other test of this process uses for a person."""
    return next(_numbers)


async def paired(it: World, **contact: Any) -> tuple[str, str]:
    """A contact and a user of their own, in step; returns their ids."""
    mine = number()
    contact_id, user_id = await it.pair(mine, **contact)
    await title_arrives(it, user_id, f"title {mine}")
    await plan_arrives(it, contact_id, f"plan {mine}")
    return contact_id, user_id


async def in_step(it: World) -> tuple[str, str]:
    """A contact and a user that agree from the start, so that pairing them costs no write; returns their ids."""
    mine = number()
    email, plan, title = f"agree{mine}@example.com", f"plan {mine}", f"title {mine}"
    contact_id = await it.hubspot.create("contacts", {"email": email, "jobtitle": title, PLAN: plan})
    user_id = await it.userflow.create("users", {"email": email, "plan": plan, TITLE: title}, f"agree-{mine}")
    return contact_id, user_id


async def title_arrives(it: World, user_id: str, title: Any, within_s: float = ARRIVED_S) -> float:
    """Wait until the user shows the contact's job title; returns the seconds it took."""
    return await value_arrives(lambda: it.userflow.fields("users", user_id), TITLE, title, within_s)


async def plan_arrives(it: World, contact_id: str, plan: Any, within_s: float = ARRIVED_S) -> float:
    """Wait until the contact shows the user's plan; returns the seconds it took."""
    return await value_arrives(lambda: it.hubspot.fields("contacts", contact_id), PLAN, plan, within_s)


async def value_arrives(
    look: Callable[[], Awaitable[dict[str, Any]]], name: str, value: Any, within_s: float = ARRIVED_S
) -> float:
    """Wait until what is looked at shows the value; returns the seconds it took."""
    started = time.monotonic()

    async def same() -> bool:
        held = (await look()).get(name)
        return held == value or (value in CLEARED and held in CLEARED)

    if not await eventually(same, bool, within_s, every_s=0.05):
        raise AssertionError(f"{name} is {(await look()).get(name)!r}, not {value!r}, after {within_s} s")
    return time.monotonic() - started


async def written(it: World) -> list[tuple[str, int, str, tuple[str, ...]]]:
    """Every writing call that changes records, oldest first: (system, vendor's time, endpoint, object ids)."""
    return [
        (system, call["time_ms"], call["kind"], tuple(call["object_ids"]))
        for system, control in (("hubspot", it.hubspot), ("userflow", it.userflow))
        for call in (await control.requests(KEPT_CALLS))["requests"]
        if is_write(f"{call['method']} {call['kind']}")
    ]


async def settled(it: World, within_s: float = ARRIVED_S, *, but: Collection[str] = ()) -> None:
    """Wait until no group has a record before it, seen twice in a row: a record may pass between two looks.

    `but`: topics whose records may stay, as requests to a system that is away do.
    """

    async def unread() -> dict[str, int]:
        return {topic: number for topic, number in (await it.unread()).items() if topic not in but}

    async def left() -> dict[str, int]:
        return await unread() or await unread()

    found = await eventually(left, lambda unread: not unread, within_s)
    assert not found, f"records are still under way: {found}"


async def letters(it: World, *, key_holds: str) -> list[Any]:
    """The dead letters whose key holds a text, such as a person's address."""
    return [letter for letter in await it.dead_letters() if key_holds in letter.key]


async def becomes_true(look: Callable[[], Awaitable[bool]], what: str, within_s: float = ARRIVED_S) -> None:
    """Wait for a condition; fails the test with `what` when time is up."""
    assert await eventually(look, bool, within_s), what


def address(mine: int) -> str:
    """The address of `World.pair(mine)`."""
    return f"person{mine}@example.com"


def standing(parts: Iterable[IntegrationPart], receipts: Iterable[Receipt]) -> Counter[str]:
    """How often connectors told which status, and how often something was parked.

    That something is parked is told with a status too, and still long after it was derived again.
    """
    statuses = [part.connector.status for part in parts if part.connector is not None]
    return Counter([*statuses, *(one.kind for one in receipts if one.kind == "parked")])


async def refusals(it: World, user_id: str) -> int:
    """How many dead letters tell of a user's pair by email."""
    email = (await it.userflow.fields("users", user_id))["email"]
    return sum(letter.key.endswith(f":{email}") for letter in await it.dead_letters())
