"""Rows are the same rows whatever store holds them, whichever of them are decoded."""

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.agents.disk_rows import DiskRows
from pipeline.agents.rows import MemoryRows, Rows
from pipeline.agents.state import Overlay, RowStore
from schemas.codec import Codec, MalformedRecord
from schemas.records import StampedValue
from schemas.registry import LocalRegistry, UnknownSchema
from schemas.state import ObjectState
from schemas.topics import OBJECTS_STATE
from tests.unit.pipeline.agents.stage import FakeLog

CODEC = Codec(LocalRegistry())
KEYS = st.sampled_from([f"key {number}" for number in range(6)])
CHANGES = st.lists(st.dictionaries(KEYS, st.none() | st.text(max_size=3), max_size=3), max_size=12)
Open = Callable[[], RowStore]


@pytest.fixture(params=["memory", "rocksdict"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Opens an empty store, again and again."""
    count = itertools.count()
    return MemoryRows if request.param == "memory" else lambda: DiskRows(tmp_path / f"{next(count)}", "topic")


class CountingLog(FakeLog):
    """Counts what is decoded."""

    def __init__(self) -> None:
        super().__init__()
        self.decoded: list[bytes] = []

    def decode(self, value: bytes) -> str:
        self.decoded.append(value)
        return super().decode(value)


def restored(store: RowStore, log: FakeLog, hot_rows: int = 2) -> Rows[str]:
    rows: Rows[str] = Rows(store, hot_rows)
    rows.restore(log)
    return rows


def all_of(rows: Rows[Any]) -> dict[str, Any]:
    return {key: rows.get(key) for key in rows.keys()}  # noqa: SIM118 - it is no dict


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(before=CHANGES, after=CHANGES, touched=st.lists(KEYS))
def test_they_are_what_a_dict_would_hold(
    opened: Open, before: list[dict[str, str | None]], after: list[dict[str, str | None]], touched: list[str]
) -> None:
    log, expected = FakeLog(), dict[str, str]()
    for changed in before:
        log.commit([], changed, {})
        apply(changed, expected)
    rows = restored(opened(), log)
    for changed in after:
        assert [rows.get(key) for key in touched] == [expected.get(key) for key in touched]
        rows.apply(changed, log.commit([], changed, {}))
        apply(changed, expected)
    assert all_of(rows) == expected
    rows.restore(log)
    assert all_of(rows) == expected
    rows.close()


def apply(changed: Mapping[str, str | None], rows: dict[str, str]) -> None:
    for key, row in changed.items():
        rows.pop(key, None)
        if row is not None:
            rows[key] = row


def test_restoring_decodes_one_row_of_each_schema(opened: Open) -> None:
    log = CountingLog()
    log.topic += [(f"key {number}", b"12345 a row") for number in range(5_000)] + [("last", b"98765 of another schema")]
    rows = restored(opened(), log)
    assert len(log.decoded) == 2
    assert (rows.get("key 4999"), rows.get("last"), rows.next_offset) == (
        "12345 a row",
        "98765 of another schema",
        5_001,
    )
    rows.close()


def test_rows_touched_last_stay_decoded_and_no_more(opened: Open) -> None:
    log = CountingLog()
    log.topic += [("a", b"12345 a"), ("b", b"12345 b"), ("c", b"12345 c")]
    rows = restored(opened(), log, hot_rows=2)
    log.decoded.clear()
    for key in ("a", "b", "a", "c", "a", "b"):
        rows.get(key)
    assert log.decoded == [b"12345 a", b"12345 b", b"12345 c", b"12345 b"], "c went, then b came back"
    rows.close()


def test_a_committed_row_is_hot_and_a_deleted_one_gone(opened: Open) -> None:
    log = CountingLog()
    rows = restored(opened(), log)
    rows.apply({"a": "new"}, {"a": b"new"})
    assert (rows.get("a"), log.decoded) == ("new", [])
    rows.apply({"a": None}, {"a": None})
    assert (rows.get("a"), list(rows.keys())) == (None, [])
    rows.close()


class Newer(FakeLog):
    """A state topic in which somebody newer has written."""

    def decode(self, value: bytes) -> str:
        raise UnknownSchema("upgrade this process")


def test_a_row_of_a_newer_build_stops_the_restore(opened: Open) -> None:
    log = Newer()
    log.topic.append(("a", b"newer"))
    with pytest.raises(UnknownSchema):
        restored(opened(), log)


class OfObjects(FakeLog):
    """The state topic of objects, with the real codec."""

    def decode(self, value: bytes) -> Any:
        return CODEC.decode(OBJECTS_STATE, value)


def test_one_row_that_is_no_record_ends_only_who_touches_it(opened: Open) -> None:
    good = ObjectState(1, True, 1, 0, {"email": StampedValue("ada@example.com", 1)}, {})
    value = CODEC.encode(OBJECTS_STATE, good)
    log = OfObjects()
    log.topic += [("bad", value[:-3]), ("good", value)]
    rows: Rows[ObjectState] = Rows(opened())
    rows.restore(log)
    assert rows.get("good") == good
    with pytest.raises(MalformedRecord):
        rows.get("bad")
    rows.close()


def test_an_equal_row_is_no_change(opened: Open) -> None:
    log = FakeLog()
    log.topic.append(("a", b"same"))
    overlay: Overlay[str] = Overlay(restored(opened(), log))
    overlay.put("a", "same")
    overlay.put("b", "new")
    assert overlay.changed == {"b": "new"}
