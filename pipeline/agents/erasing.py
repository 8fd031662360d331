"""Erases an object from state: its row, then its pairs, then what the other side's rows hold of it.

A HubSpot id never comes back, so its row stays without values and refuses every later record. An object of the other
side lives on: its row refuses only what began before the erasure, such as the answer to a write that was under way.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from secrets import token_bytes
from typing import Final

from pipeline.agents.state import Output, Overlay
from pipeline.agents.step import Effects
from pipeline.core.candidates import side, with_side
from pipeline.core.mapping import OTHER, MappingView
from schemas.erasures import Erasure, ErasurePart, pair_hash
from schemas.records import ActivityEvent, ChangeEvent, ConnectorRequest, MatchedChange, RequestKind, StateCommand
from schemas.state import Candidate, ObjectState, PairState
from schemas.topics import ERASURES, MATCHES, STATE_COMMANDS, object_key, object_of, pair_key, requests_topic
from schemas.values import System

LIVES_ON: Final[frozenset[System]] = frozenset({"userflow"})
"""The systems that may take an object's id again, or keep the object while its pair is erased."""
REREAD_MS: Final = 1_300  # so that the read began after the erasure
ERASED: Final = Effects((), "erased")


@dataclass(frozen=True, slots=True)
class Erasing:
    """Our clock, and where salts come from."""

    now_ms: Callable[[], int]
    salt: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Place:
    """One object of a system."""

    system: System
    object_type: str
    object_id: str


def new_salt() -> bytes:
    """Sixteen bytes that nobody can guess."""
    return token_bytes(16)


def refuses(row: ObjectState | None, record: ChangeEvent | ActivityEvent, system: System) -> bool:
    """Whether a record is about an object as it was before it was erased."""
    if row is None or not row.erased_ms:
        return False
    if system not in LIVES_ON:
        return True
    return record.caused_by is None or record.caused_by.at_ms <= row.erased_ms


def marked(row: ObjectState, before: ObjectState | None) -> ObjectState:
    """The row with what a later erasure has to know: the match values that it had last, and an erasure before."""
    if before is None:
        return row
    given_up = {name: value for name, value in before.matches.items() if row.matches.get(name) != value}
    if not (given_up or before.left or before.erased_ms):
        return row
    left = before.left if row.merged_into is not None else {**before.left, **given_up}
    return replace(row, left=left, erased_ms=before.erased_ms)


def erase_object(change: ChangeEvent, overlay: Overlay[ObjectState], erasing: Erasing) -> Effects:
    """Erase an object on request: a repeat finds it erased, and leads to nothing."""
    key = object_key(change.integration, change.connection, change.system, change.object_type, change.object_id)
    row = overlay.get(key)
    if row is not None and row.erased_ms and change.system not in LIVES_ON:
        return ERASED
    matches = _matches(row)
    overlay.put(key, _nothing_of(change.revision, erasing.now_ms()))
    told = (_told(change, name, value) for name, value in matches)
    place = Place(change.system, change.object_type, change.object_id)
    return Effects((*told, _erasure(change, place, matches, erasing)), "erased")


def erase_shown(command: StateCommand, overlay: Overlay[ObjectState], erasing: Erasing) -> Effects:
    """Erase the row of an object on the other side of an erased one's pair: it holds values that were written to it."""
    key = command.object_key or ""
    place, row = Place(*object_of(key)), overlay.get(key)
    matches = _matches(row)
    overlay.put(key, _nothing_of(row.revision if row is not None else 0, erasing.now_ms()))
    return Effects((_erasure(command, place, matches, erasing),), "erased")


def erase_pair(change: MatchedChange, mapping: MappingView | None, overlay: Overlay[PairState]) -> Effects:
    """Erase a pair, and have OBJECTS erase the other side's rows; rivals of the erased object are kept."""
    key = pair_key(change.integration, change.connection, change.mapping, change.match_value)
    state = overlay.get(key)
    if state is None:
        return replace(ERASED, mapping=change.mapping)
    other = OTHER[change.system]
    rivals = {id: one for id, one in side(state, change.system).items() if id != change.object_id}
    overlay.put(key, _only(state.revision, change.system, rivals) if rivals else None)
    if mapping is None:  # no more in force: nobody knows any longer what type the others are of
        return replace(ERASED, mapping=change.mapping)
    places = (Place(other, mapping.object_type(other), object_id) for object_id in side(state, other))
    outputs = [output for place in places for output in _others(change, place, again=bool(rivals))]
    return Effects(tuple(outputs), "erased", change.mapping)


def _matches(row: ObjectState | None) -> list[tuple[str, str]]:
    """Each mapping and match value by which the object is in a pair, or was last."""
    return list(dict.fromkeys((*row.left.items(), *row.matches.items()))) if row is not None else []


def _nothing_of(revision: int, now_ms: int) -> ObjectState:
    return ObjectState(revision, False, 0, 0, {}, {}, erased_ms=now_ms)


def _only(revision: int, system: System, candidates: Mapping[str, Candidate]) -> PairState:
    return with_side(PairState(revision, {}, {}), system, candidates)


def _told(change: ChangeEvent, mapping: str, value: str) -> Output:
    match = MatchedChange(
        integration=change.integration,
        connection=change.connection,
        revision=change.revision,
        mapping=mapping,
        match_value=value,
        system=change.system,
        object_type=change.object_type,
        object_id=change.object_id,
        presence="erased",
        at_ms=change.at_ms,
        spread_ms=change.spread_ms,
        origin=change.origin,
        caused_by=change.caused_by,
    )
    return Output(MATCHES, pair_key(change.integration, change.connection, mapping, value), match)


def _erasure(
    asked: ChangeEvent | StateCommand, place: Place, matches: Iterable[tuple[str, str]], erasing: Erasing
) -> Output:
    salt = erasing.salt()
    keys = (pair_key(asked.integration, asked.connection, name, value) for name, value in matches)
    erasure = Erasure(
        asked.integration,
        asked.connection,
        place.system,
        place.object_type,
        place.object_id,
        erasing.now_ms(),
        salt,
        tuple(pair_hash(salt, pair) for pair in keys),
        place.system not in LIVES_ON,
    )
    key = object_key(asked.integration, asked.connection, place.system, place.object_type, place.object_id)
    return Output(ERASURES, key, ErasurePart(erasure=erasure))


def _others(change: MatchedChange, place: Place, *, again: bool) -> Iterator[Output]:
    """The command for OBJECTS, and what waits to be written dropped; with `again` a read, for there is a rival."""
    key = object_key(change.integration, change.connection, place.system, place.object_type, place.object_id)
    command = StateCommand(change.integration, change.connection, stage="objects", kind="erase", object_key=key)
    yield Output(STATE_COMMANDS, key, command)
    yield _request(change, place, "erase", 0)
    if again:
        yield _request(change, place, "reread", REREAD_MS)


def _request(change: MatchedChange, place: Place, kind: RequestKind, delay_ms: int) -> Output:
    request = ConnectorRequest(
        change.integration,
        change.connection,
        kind,
        place.object_type,
        (place.object_id,),
        mapping=change.mapping,
        delay_ms=delay_ms,
    )
    return Output(requests_topic(place.system), change.integration, request)
