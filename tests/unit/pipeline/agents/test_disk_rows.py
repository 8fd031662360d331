"""Rows on disk are believed only where nothing speaks against it; else they come from the topic again."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.agents.disk_rows import BELIEVED_S, DiskRows
from pipeline.agents.rows import Rows
from pipeline.agents.state import StoreFailed
from pipeline.agents.step import PartitionStep, StepFailed
from tests.unit.pipeline.agents.stage import Appending, FakeLog, FakeStepDeps, letters
from tests.unit.pipeline.agents.test_step import incoming


def left(folder: Path, at_s: float = 100.0) -> None:
    """A store with one row that reaches to offset 7, closed."""
    store = DiskRows(folder, "topic", now_s=lambda: at_s)
    store.put({"a": b"old"}, 7)
    store.close()


def found(folder: Path, identity: str = "topic", at_s: float = 200.0) -> tuple[int, bytes | None]:
    store = DiskRows(folder, identity, now_s=lambda: at_s)
    try:
        return store.next_offset, store.get("a")
    finally:
        store.close()


def test_a_store_that_was_left_is_gone_on_with(tmp_path: Path) -> None:
    left(tmp_path / "rows")
    assert found(tmp_path / "rows") == (7, b"old")


def test_a_store_that_nobody_closed_is_gone_on_with(tmp_path: Path) -> None:
    """As after a kill: what was written is in its log."""
    folder, copy = tmp_path / "rows", tmp_path / "copy"
    store = DiskRows(folder, "topic", now_s=lambda: 100.0)
    store.put({"a": b"old"}, 7)
    copy.mkdir()
    for path in folder.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    assert found(copy) == (7, b"old")
    store.close()


def of_another_topic(folder: Path) -> tuple[int, bytes | None]:
    left(folder)
    return found(folder, "made anew")


def too_old(folder: Path) -> tuple[int, bytes | None]:
    left(folder)
    return found(folder, at_s=101.0 + BELIEVED_S)


def of_the_future(folder: Path) -> tuple[int, bytes | None]:
    left(folder, at_s=300.0)
    return found(folder)


def damaged(folder: Path) -> tuple[int, bytes | None]:
    left(folder)
    (folder / "CURRENT").write_bytes(b"nonsense")
    return found(folder)


def marked(folder: Path) -> tuple[int, bytes | None]:
    left(folder)
    folder.with_name(f"{folder.name}.doubt").touch()
    return found(folder)


def nameless(folder: Path) -> tuple[int, bytes | None]:
    folder.mkdir()
    return found(folder)


DOUBTS = (of_another_topic, too_old, of_the_future, damaged, marked, nameless)


@pytest.mark.parametrize("doubt", DOUBTS, ids=lambda doubt: doubt.__name__)
def test_in_doubt_it_begins_empty(tmp_path: Path, doubt: Callable[[Path], tuple[int, bytes | None]]) -> None:
    assert doubt(tmp_path / "rows") == (0, None)
    left(tmp_path / "rows")
    assert found(tmp_path / "rows") == (7, b"old"), "the doubt is over"


def test_a_restart_reads_on_where_the_store_ends(tmp_path: Path) -> None:
    log = FakeLog()
    log.topic += [("a", b"1"), ("b", b"2")]
    rows: Rows[str] = Rows(DiskRows(tmp_path / "rows", "topic"))
    assert rows.restore(log) == 2
    rows.apply({"a": "3"}, log.commit([], {"a": "3"}, {}))
    rows.close()
    log.topic += [("b", None)]
    again: Rows[str] = Rows(DiskRows(tmp_path / "rows", "topic"))
    assert again.restore(log) == 2, "our own row, and what another owner wrote"
    assert (again.get("a"), again.get("b"), list(again.keys())) == ("3", None, ["a"])
    again.close()


def test_keys_of_any_characters_come_back(tmp_path: Path) -> None:
    keys = {"", "about", "row:", "acme:1:people:ä@x", "\U0010ffff"}
    store = DiskRows(tmp_path / "rows", "topic")
    store.put(dict.fromkeys(keys, b"x"), 1)
    assert set(store.keys()) == keys
    store.close()


async def test_a_store_that_fails_ends_the_step_and_is_made_anew_by_the_next_start(tmp_path: Path) -> None:
    deps, store = FakeStepDeps(), DiskRows(tmp_path / "rows", "topic")
    step: PartitionStep[str] = PartitionStep(Appending(), 0, replace(deps.deps(), open_rows=lambda *_: store))
    await step.run([incoming("a=1")])
    store.close()
    with pytest.raises(StepFailed):
        await step.run([incoming("b=1", 1)])
    assert letters(deps) == [], "the record is handled by the next start"


def test_a_failure_of_the_disk_leaves_a_doubt(tmp_path: Path) -> None:
    store = DiskRows(tmp_path / "rows", "topic", now_s=lambda: 100.0)
    store.put({"a": b"old"}, 7)
    assert store._rows is not None
    store._rows.close()  # as RocksDB does after an error of its own
    with pytest.raises(StoreFailed, match="made anew by the next start"):
        store.put({"b": b"new"}, 8)
    assert found(tmp_path / "rows") == (0, None)
