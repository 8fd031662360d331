"""A full sync's commands over all pairs of a partition: exact whatever crashes between two slices, and asked twice."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.agents import all_pairs
from pipeline.agents.configuration import IntegrationView
from pipeline.agents.pairs import Pairs
from pipeline.agents.state import Output
from pipeline.agents.step import Incoming, PartitionStep, StepDeps, StepFailed
from schemas.codec import Codec
from schemas.records import CommandStep, ConnectorRequest, FieldPatch, StateCommand
from schemas.registry import LocalRegistry
from schemas.runs import RunProgress
from schemas.state import PairState
from schemas.topics import PAIRS_STATE, STATE_COMMANDS
from tests.examples import share
from tests.unit.pipeline.agents.stage import FakeStepDeps, Stored
from tests.unit.pipeline.core.given import contact, mapping, receipt, user
from tests.unit.pipeline.middle import ALL_READ, HOLD_MS, LOOKUP_INTERVAL_MS, NOW_MS, Middle

RUN: Final = "0000000000002-aaaa"
VIEW: Final = mapping()
CODEC_HERE: Final = Codec(LocalRegistry())
EXECUTOR: Final = ThreadPoolExecutor(1, "all-pairs-tests")


class Crashed(RuntimeError):
    """The process ended just before, or just after, its transaction was committed."""


class Topics:
    """The state topic and the commands of one partition, and what was committed; a crash loses what was not."""

    def __init__(self, rows: Mapping[str, PairState]) -> None:
        self.rows: list[tuple[str, bytes | None]] = [
            (key, CODEC_HERE.encode(PAIRS_STATE, row)) for key, row in rows.items()
        ]
        self.commands: list[StateCommand] = []
        self.outputs: list[Output] = []
        self.offsets: dict[str, int] = {}
        self.crash: str | None = None

    def open(self) -> None:
        """Whoever had the partition is fenced."""

    def restore(self, offset: int) -> Iterator[Stored]:
        for place in range(offset, len(self.rows)):
            yield Stored(*self.rows[place], place + 1)

    def handled(self, topics: Sequence[str]) -> Mapping[str, int]:
        return dict(self.offsets)

    def starts(self, topics: Sequence[str]) -> Mapping[str, int]:
        return dict.fromkeys(topics, 0)

    def commit(
        self, outputs: Sequence[Output], rows: Mapping[str, Any], handled: Mapping[str, int]
    ) -> Mapping[str, bytes | None]:
        if self.crash == "before":
            raise Crashed
        self.outputs += outputs
        self.commands += [one.record for one in outputs if one.topic == STATE_COMMANDS and one.partition is not None]
        written = {key: None if row is None else CODEC_HERE.encode(PAIRS_STATE, row) for key, row in rows.items()}
        self.rows += written.items()
        self.offsets |= handled
        if self.crash == "after":
            raise Crashed
        return written

    def decode(self, value: bytes) -> Any:
        return CODEC_HERE.decode(PAIRS_STATE, value)

    def close(self) -> None:
        """Nothing is held."""

    @property
    def progress(self) -> dict[str, RunProgress]:
        return {one.key: one.record for one in self.outputs if isinstance(one.record, RunProgress)}

    def sent(self, kind: type[Any]) -> list[Any]:
        return [one.record for one in self.outputs if isinstance(one.record, kind)]


def command(step: CommandStep, most: int = 0) -> StateCommand:
    return StateCommand("acme", 1, "pairs", "compare", "people", run_id=RUN, step=step, attempt=1, most=most)


def stage() -> Pairs:
    view = IntegrationView(1, 1, True, {"people": VIEW}, ALL_READ)
    return Pairs(lambda _: view, lambda: NOW_MS, HOLD_MS, LOOKUP_INTERVAL_MS)


def deps(topics: Topics) -> StepDeps:
    fake = FakeStepDeps().deps()
    return StepDeps(
        logical=fake.logical,
        decode=fake.decode,
        open_log=lambda *_: topics,
        wait_for=fake.wait_for,
        metrics=fake.metrics,
        executor=EXECUTOR,
        now_ms=lambda: NOW_MS,
        stop_process=fake.stop_process,
        lost=fake.lost,
        acknowledged=lambda *_: {},
    )


async def worked(topics: Topics, shuffle: random.Random, crashes: float) -> None:
    """Handle every command; now and then the worker ends in the middle, and another begins where it was."""
    step, at = PartitionStep(stage(), 0, deps(topics)), 0
    while at < len(topics.commands):
        batch = range(at, min(len(topics.commands), at + shuffle.randint(1, 3)))
        topics.crash = shuffle.choice(["before", "after"]) if shuffle.random() < crashes else None
        try:
            await step.run([Incoming(STATE_COMMANDS, 0, at, "partition-0", b"", topics.commands[at]) for at in batch])
        except (Crashed, StepFailed):
            # nothing of the batch was acknowledged: the next owner gets it again, with what was handled before it
            step, at = PartitionStep(stage(), 0, deps(topics)), shuffle.randint(0, at)
        else:
            at = batch.stop


def some_pairs(shuffle: random.Random, count: int) -> tuple[dict[str, PairState], Counter[str]]:
    """Pairs of every kind, and how they count."""
    middle, counted = Middle(VIEW), Counter[str]()
    for number in range(count):
        email = f"p{number:03d}@x"
        kind = shuffle.choice(["equal", "written", "refused", "ambiguous", "alone", "cleared"])
        job, title = {"written": ("new", "old"), "cleared": (None, "old")}.get(kind, ("Dr", "Dr"))
        middle.feed(
            contact(1_000, {"email": email, "jobtitle": job, "tier": "a"}, id=f"c{number}", origin="crawl", run_id="1")
        )
        users = {"alone": 0, "ambiguous": 2}.get(kind, 1)
        middle.feed(
            *(
                user(
                    1_000,
                    {"email": email, "title": title, "plan": "a"},
                    id=f"u{number}-{copy}",
                    origin="crawl",
                    run_id="1",
                )
                for copy in range(users)
            )
        )
        counted.update(COUNTS[kind])
        if kind == "refused":
            middle.feed(user(2_000, {"email": email, "title": "Dr", "plan": "b"}, id=f"u{number}-0"))
            told = receipt("hubspot", f"c{number}", {"tier": "b"})
            middle.feed(replace(told, match_value=email))
    return middle.pairs, counted


COUNTS: Final[Mapping[str, Mapping[str, int]]] = {
    "equal": {"pairs": 1, "equal": 1},
    "written": {"pairs": 1, "written": 1, "written.userflow": 1},
    "cleared": {"pairs": 1, "written": 1, "written.userflow": 1, "cleared": 1},
    "refused": {"pairs": 1, "written": 1, "written.hubspot": 1},  # tried again
    "ambiguous": {"ambiguous": 1},
    "alone": {"unmatched.hubspot": 1},
}


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(all_pairs, "MOST_COMPARED", 4)
    monkeypatch.setattr(all_pairs, "MOST_OUTPUTS", 5)
    monkeypatch.setattr(all_pairs, "MOST_PAIRS", 4)
    monkeypatch.setattr(all_pairs, "VALUES_A_REQUEST", 3)


@settings(max_examples=share(0.6))
@given(st.integers(0, 2**32), st.integers(0, 40), st.integers(1, 3))
def test_counts_and_writes_are_exact_whatever_crashes_and_however_often_it_is_asked(
    seed: int, pairs: int, asked: int
) -> None:
    shuffle = random.Random(seed)
    rows, expected = some_pairs(shuffle, pairs)
    topics = Topics(rows)
    topics.commands = [command("count")] * asked + [command("write")] * asked
    asyncio.run(worked(topics, shuffle, crashes=0.4))
    for step in ("count", "write"):
        row = topics.progress[f"{RUN}/pairs/0/people/{step}/1"]
        assert row.state == "completed"
        assert {name: number for name, number in row.counts.items() if name != "touched"} == expected
        assert ("touched" in row.counts) == (step == "count")
    patches = [patch.match_value for patch in topics.sent(FieldPatch)]
    assert Counter(patches) == Counter(set(patches))
    assert len(patches) == expected["written"]


@settings(max_examples=share(0.3))
@given(st.integers(0, 2**32), st.integers(0, 40))
def test_it_rests_after_so_many_fields_until_it_is_asked_to_go_on(seed: int, pairs: int) -> None:
    shuffle = random.Random(seed)
    rows, expected = some_pairs(shuffle, pairs)
    topics, most, key = Topics(rows), 3, f"{RUN}/pairs/0/people/write/1"
    topics.commands = [command("write", most)]
    rests = 0
    while True:
        before = len(topics.sent(FieldPatch))
        asyncio.run(worked(topics, shuffle, crashes=0.3))
        assert len(topics.sent(FieldPatch)) - before <= most
        row = topics.progress[key]
        if row.state == "completed":
            break
        rests += 1
        topics.commands.append(replace(command("write", most), cursor=row.cursor, counts=row.counts))
    assert row.counts == expected
    assert rests in (expected["written"] // most, max(0, -(-expected["written"] // most) - 1))


@settings(max_examples=share(0.3))
@given(st.integers(0, 2**32), st.integers(0, 40))
def test_each_match_value_is_asked_for_once(seed: int, pairs: int) -> None:
    shuffle = random.Random(seed)
    rows, _ = some_pairs(shuffle, pairs)
    topics = Topics(rows)
    topics.commands = [
        StateCommand("acme", 1, "pairs", "ask", "people", run_id=RUN, step="ask", attempt=1, system="hubspot")
    ]
    asyncio.run(worked(topics, shuffle, crashes=0.4))
    asks: list[ConnectorRequest] = topics.sent(ConnectorRequest)
    assert all(1 <= len(ask.values) <= 3 and ask.run_id == RUN and ask.bulk and ask.tell_missing for ask in asks)
    asked = [value for ask in asks for value in ask.values]
    assert sorted(asked) == sorted(key.split(":", 3)[3] for key, row in rows.items() if row.userflow)
    assert topics.progress[f"{RUN}/pairs/0/people/ask/1"].counts.get("asked", 0) == len(asked)
