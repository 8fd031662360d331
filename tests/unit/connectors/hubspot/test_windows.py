"""Polling by modified time finds every change, whatever the index does and however many rows share one time."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.contract.errors import Refused
from connectors.hubspot.windows import AHEAD_MS, OVERLAP_MS, Pass, Progress, Row, progress_of
from tests.examples import share

START_MS = 1_800_000_000_000
LIMIT = 3  # rows of one answer: small, so that few edits fill it
LAG_MS = 30_000


class Index:
    """A vendor's search: each edit shows after its own lag, with the newest time that shows by then."""

    def __init__(self) -> None:
        self.edits: list[tuple[str, int, int]] = []  # record, modified, shows from

    def edit(self, record: str, at_ms: int, lag_ms: int) -> None:
        self.edits.append((record, at_ms, at_ms + lag_ms))

    def search(self, asked: Pass, now_ms: int) -> tuple[list[Row], bool]:
        shown: dict[str, int] = {}
        for record, at_ms, from_ms in self.edits:
            if from_ms <= now_ms:
                shown[record] = max(at_ms, shown.get(record, 0))
        rows = [Row(record, at_ms) for record, at_ms in shown.items()]
        if asked.after_id is None:
            found = [row for row in rows if asked.since_ms <= row.modified_ms <= asked.until_ms]
            found.sort(key=lambda row: row.modified_ms)
        else:
            found = [row for row in rows if row.modified_ms == asked.since_ms and int(row.id) > asked.after_id]
            found.sort(key=lambda row: int(row.id))
        return found[:LIMIT], len(found) > LIMIT


def pull(index: Index, progress: Progress, now_ms: int, told: dict[str, int]) -> Progress:
    """One search, as the feed makes it; what is kept survives as text."""
    begun = progress.begun(now_ms, LAG_MS)
    assert begun.under_way is not None
    rows, more = index.search(begun.under_way, now_ms)
    for row in rows:
        told[row.id] = max(row.modified_ms, told.get(row.id, 0))
    kept = progress_of(begun.after(rows, more=more).text())
    assert kept is not None
    return kept


@settings(max_examples=share(3))
@given(
    st.lists(
        st.tuples(
            st.integers(1, 12),  # record
            st.sampled_from([0, 0, 0, 1, 900, 7_000, 40_000]),  # ms after the edit before: bulk edits share one time
            st.integers(0, LAG_MS - 1),  # how late the index shows it
            st.integers(0, 6),  # searches made before the next edit
        ),
        max_size=40,
    )
)
def test_nothing_is_lost(story: list[tuple[int, int, int, int]]) -> None:
    index, told = Index(), dict[str, int]()
    now_ms = START_MS
    progress = Progress(now_ms, now_ms - LAG_MS)
    last: dict[str, int] = {}
    for record, gap_ms, lag_ms, searches in story:
        now_ms += gap_ms
        index.edit(str(record), now_ms, lag_ms)
        last[str(record)] = now_ms
        for _ in range(searches):
            progress = pull(index, progress, now_ms, told)
    now_ms += 2 * LAG_MS + 1
    for _ in range(200):
        progress = pull(index, progress, now_ms, told)
        if progress.under_way is None and progress.trail_ms >= now_ms - LAG_MS:
            break
    else:
        pytest.fail("the passes do not end")
    assert told == last


def test_a_thousand_rows_of_one_time_are_listed_by_their_ids_and_each_once() -> None:
    index, now_ms = Index(), START_MS + 1
    for number in range(1, 1_001):
        index.edit(str(number), START_MS, 0)
    left: Pass | None = Pass("lead", START_MS - 5_000, now_ms)
    listed: list[str] = []
    searches = 0
    while left is not None:
        rows, more = index.search(left, now_ms)
        listed += [row.id for row in rows] if left.after_id is not None else []
        left, searches = left.after(rows, more=more), searches + 1
    assert listed == [str(number) for number in range(1, 1_001)]
    assert searches <= 1_000 / LIMIT + 4


@pytest.mark.parametrize("asked", [Pass("lead", START_MS, START_MS + 9), Pass("lead", START_MS, START_MS + 9, 7)])
def test_an_answer_that_leads_nowhere_ends_the_pull(asked: Pass) -> None:
    with pytest.raises(Refused) as refused:
        asked.after([], more=True)
    assert refused.value.reason == "paging_no_progress"


def test_ids_that_come_again_end_the_pull() -> None:
    with pytest.raises(Refused):
        Pass("trail", START_MS, START_MS + 9, 7).after([Row("7", START_MS)], more=True)


def test_the_trailing_pass_comes_first_once_it_is_due_and_lists_each_time_once() -> None:
    progress = Progress(START_MS, START_MS - LAG_MS)
    first = progress.begun(START_MS + 1, LAG_MS).under_way
    due = progress.begun(START_MS + LAG_MS // 8, LAG_MS).under_way
    assert first == Pass("lead", START_MS - OVERLAP_MS, START_MS + 1 + AHEAD_MS)
    assert due == Pass("trail", START_MS - LAG_MS, START_MS + LAG_MS // 8 - LAG_MS)


@pytest.mark.parametrize("text", ["", "nonsense", "[]", "{}", json.dumps({"lead": "soon", "trail": 1})])
def test_a_position_that_cannot_be_read_begins_anew(text: str) -> None:
    assert progress_of(text) is None
