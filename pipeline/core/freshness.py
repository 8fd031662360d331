"""Which of two observations is the newer one, judged by vendor clocks alone.

An observation is an interval: the system held the value some time in [at_ms, at_ms + spread_ms]. Two that do not
overlap are ordered. Two that overlap and differ cannot be ordered: the known value stays and a new read is asked for.
Three exceptions need no read: our own writes to one object are made one after the other, a write follows the read that
led to it, and a read that names the same millisecond as a notification shows what came of it.

A field of an associated object (`company.name`) is stamped by that object's time, so two values can be ordered only
while they come from the same company: `company.hs_object_id` is ordered first, the other fields follow it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from pipeline.core.conversion import equal
from schemas.making import made_quickly
from schemas.records import Origin, StampedValue
from schemas.replacing import replace

ASSOCIATED_ID: Final = ".hs_object_id"
"""Suffix of the field that names the associated object; fields with the same first word belong to that object."""

TOO_FAR_AHEAD_MS: Final = 24 * 3_600_000
"""How far a vendor's clock may be ahead of ours; connectors take no stamp beyond it."""

ONE_FORM: Final[frozenset[type[Any]]] = frozenset({str, bool, type(None)})
"""Kinds of values of which two that are equal are the same."""

Fields = Mapping[str, StampedValue]


class Order(Enum):
    """Where a seen observation stands to the known one."""

    NEWER = "newer"
    OLDER = "older"
    OVERLAPPING = "overlapping"


def order(known_at: int, known_spread: int, seen_at: int, seen_spread: int) -> Order:
    """The order of two observations; milliseconds of one vendor clock."""
    if seen_at > known_at + known_spread:
        return Order.NEWER
    if seen_at + seen_spread < known_at:
        return Order.OLDER
    return Order.OVERLAPPING


@made_quickly
@dataclass(frozen=True, slots=True)
class Merged:
    """Known fields after an observation: which values changed, which came too late, which could not be ordered."""

    fields: Fields
    changed: frozenset[str]
    stale: frozenset[str]
    unsettled: frozenset[str]
    settled: frozenset[str] = frozenset()  # of those that could not be ordered: a read surely made later told


Later = Callable[[str, StampedValue], bool]
"""Whether what is seen of a field was surely observed after what is known of it, whatever the stamps say."""


def _by_stamps(_: str, __: StampedValue) -> bool:
    """Nothing but the stamps tells."""
    return False


def later_than(before: Fields) -> Later:
    """Of a read that was begun after this was known: later than it, and than whatever of it was seen still earlier.

    A read is made after it is begun, and what was known then had been observed. Not where reads may lag.
    """

    def later(name: str, known: StampedValue) -> bool:
        then = before.get(name)
        if then is None or not equal(then.value, known.value):
            return False
        return known.at_ms <= then.at_ms and known.at_ms + known.spread_ms <= then.at_ms + then.spread_ms

    return later


def some_ahead(fields: Fields, latest_ms: int) -> bool:
    """Whether a stamp is from the future. A plain loop: each row that is touched is asked, and almost none has one."""
    for known in fields.values():  # noqa: SIM110 - a generator costs as much as all its fields
        if known.at_ms + known.spread_ms > latest_ms:
            return True
    return False


def believed(fields: Fields, latest_ms: int) -> Fields:
    """Known fields, with impossible future stamps set to the beginning of time, so that any observation is newer.

    Such stamps were taken from vendors' clocks before these were believed within bounds only.
    """
    if not some_ahead(fields, latest_ms):
        return fields
    return {
        name: known if known.at_ms + known.spread_ms <= latest_ms else replace(known, at_ms=0, spread_ms=0)
        for name, known in fields.items()
    }


def merge(known: Fields, seen: Fields, origin: Origin, later: Later = _by_stamps) -> Merged:
    """Known fields with every seen value that is not older."""
    for name in seen:
        if name.endswith(ASSOCIATED_ID):
            known, seen = _of_one_associate(known, seen, name, origin)
    return _each(known, seen, origin, later)


def _each(known: Fields, seen: Fields, origin: Origin, later: Later) -> Merged:
    fields = dict(known)
    changed: set[str] = set()
    stale: set[str] = set()
    unsettled: set[str] = set()
    settled: set[str] = set()
    for name, new in seen.items():
        old = known.get(name)
        if old is None:
            fields[name] = new
            changed.add(name)
        elif equal(old.value, new.value):
            fields[name] = _later(old, new)
        else:
            match _ordered(old, new, origin):
                case Order.NEWER:
                    fields[name] = new
                    changed.add(name)
                case Order.OLDER:
                    stale.add(name)
                case Order.OVERLAPPING if later(name, old):
                    fields[name] = _after(old, new)
                    changed.add(name)
                    settled.add(name)
                case Order.OVERLAPPING:
                    unsettled.add(name)
    return Merged(fields, frozenset(changed), frozenset(stale), frozenset(unsettled), frozenset(settled))


def _of_one_associate(known: Fields, seen: Fields, id_name: str, origin: Origin) -> tuple[Fields, Fields]:
    """Drop the fields of the outdated associated object, known or seen, so that no two objects are compared."""
    old, new = known.get(id_name), seen[id_name]
    if old is not None and equal(old.value, new.value):
        return known, seen
    group = id_name.removesuffix(ASSOCIATED_ID) + "."
    if old is None or _ordered(old, new, origin) is Order.NEWER:
        return _without(known, group, id_name), seen
    return known, _without(seen, group, id_name)


def _without(fields: Fields, group: str, id_name: str) -> Fields:
    return {name: value for name, value in fields.items() if name == id_name or not name.startswith(group)}


def _ordered(old: StampedValue, new: StampedValue, origin: Origin) -> Order:
    standing = order(old.at_ms, old.spread_ms, new.at_ms, new.spread_ms)
    if standing is not Order.OVERLAPPING:
        return standing
    if old.ours and new.ours and (old.spread_ms > 0 or new.spread_ms == 0):
        # two answers of one second are in the order of arrival, unless the sink made the later one end later; an exact
        # time beside them is of somebody who put our former value back
        return Order.OLDER if new.at_ms + new.spread_ms < old.at_ms + old.spread_ms else Order.NEWER
    if new.ours and old.spread_ms > 0:
        # our write follows the read that caused it; a later edit arrives as a notification of its own
        return Order.NEWER
    exact = old.spread_ms == 0 and new.spread_ms == 0
    return Order.NEWER if exact and origin == "lookup" else standing


def _after(old: StampedValue, new: StampedValue) -> StampedValue:
    """The new value, observed after the old one: not before the old one can have been."""
    at_ms = max(old.at_ms, new.at_ms)
    return StampedValue(new.value, at_ms, new.at_ms + new.spread_ms - at_ms, new.ours)


def _later(old: StampedValue, new: StampedValue) -> StampedValue:
    """The value kept, the stamp moved on: an observation of the same value never makes it look older."""
    old_until_ms, new_until_ms = old.at_ms + old.spread_ms, new.at_ms + new.spread_ms
    # most fields that a change only repeats are one of the two as it is: to make one costs more than all else here
    if new.at_ms <= old.at_ms and new_until_ms <= old_until_ms and (old.ours or not new.ours):
        return old
    same = type(old.value) is type(new.value) and type(new.value) in ONE_FORM
    if same and new.at_ms >= old.at_ms and new_until_ms >= old_until_ms and (new.ours or not old.ours):
        return new
    at_ms = max(old.at_ms, new.at_ms)
    return StampedValue(old.value, at_ms, max(old_until_ms, new_until_ms) - at_ms, old.ours or new.ours)
