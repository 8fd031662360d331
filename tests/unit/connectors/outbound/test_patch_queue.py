"""Patches coalesced per target: the later value wins, nothing ends twice, nothing is forgotten."""

import time
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from connectors.contract.sink import Write
from connectors.http.meter import Meter
from connectors.outbound.patch_queue import PatchQueue
from schemas.records import FieldPatch
from schemas.values import FieldValue


def patch(
    object_id: str, fields: dict[str, FieldValue], *, bulk: bool = False, object_type: str = "contacts"
) -> FieldPatch:
    return FieldPatch(
        "acme", 1, 1, "m", f"{object_id}@example.com", "hubspot", object_type, object_id, fields, bulk=bulk
    )


def empty() -> PatchQueue:
    return PatchQueue(Meter(time.monotonic))


class Ends:
    """Counts how often each patch was finished."""

    def __init__(self) -> None:
        self.count: Counter[str] = Counter()

    def of(self, name: str):  # type: ignore[no-untyped-def] # a callback
        return lambda: self.count.update([name])


def test_a_patch_ends_when_all_its_fields_have() -> None:
    queue, ends = empty(), Ends()
    queue.add(patch("1", {"a": 1, "b": 2}), ends.of("one"))
    [write] = queue.take(10)
    assert write == Write("contacts", "1", {"a": 1, "b": 2})
    queue.end(write, ["a"])
    assert ends.count["one"] == 0
    queue.end(write, ["b"])
    assert ends.count["one"] == 1


def test_the_later_value_wins_and_the_earlier_patch_is_superseded() -> None:
    queue, ends = empty(), Ends()
    queue.add(patch("1", {"a": 1, "b": 1}), ends.of("early"))
    _, superseded = queue.add(patch("1", {"a": 2}), ends.of("late"))
    assert [(one.name, one.value) for one in superseded] == [("a", 1)]
    [write] = queue.take(10)
    assert write.fields == {"a": 2, "b": 1}
    queue.end(write, ["a", "b"])
    assert ends.count == {"early": 1, "late": 1}


def test_one_write_in_flight_per_target() -> None:
    queue, ends = empty(), Ends()
    queue.add(patch("1", {"a": 1}), ends.of("first"))
    [write] = queue.take(10)
    queue.add(patch("1", {"a": 2}), ends.of("second"))
    assert queue.take(10) == []
    queue.end(write, ["a"])
    assert [later.fields for later in queue.take(10)] == [{"a": 2}]


def test_an_equal_repeat_of_what_is_in_flight_is_dropped() -> None:
    queue, ends = empty(), Ends()
    queue.add(patch("1", {"a": 1}), ends.of("first"))
    [write] = queue.take(10)
    queue.add(patch("1", {"a": 1}), ends.of("repeat"))
    assert ends.count["repeat"] == 1
    queue.end(write, ["a"])
    assert queue.take(10) == []


def test_a_write_that_failed_waits_again_under_what_came_later() -> None:
    queue, ends = empty(), Ends()
    queue.add(patch("1", {"a": 1, "b": 1}), ends.of("early"))
    [write] = queue.take(10)
    queue.add(patch("1", {"a": 2}), ends.of("late"))
    queue.put_back([write])
    [again] = queue.take(10)
    assert again.fields == {"a": 2, "b": 1}
    queue.end(again, ["a", "b"])
    assert ends.count == {"early": 1, "late": 1}


def test_live_patches_go_before_bulk_and_a_batch_has_one_type() -> None:
    queue, ends = empty(), Ends()
    queue.add(patch("1", {"a": 1}, bulk=True), ends.of("bulk"))
    queue.add(patch("2", {"a": 1}, object_type="companies"), ends.of("company"))
    queue.add(patch("3", {"a": 1}, object_type="companies"), ends.of("company"))
    assert [write.object_id for write in queue.take(10)] == ["2", "3"]
    assert [write.object_id for write in queue.take(10)] == ["1"]


def test_live_patches_can_be_taken_alone() -> None:
    queue, ends = empty(), Ends()
    queue.add(patch("1", {"a": 1}, bulk=True), ends.of("bulk"))
    assert not queue.ready(1, live_only=True)
    assert queue.take(10, live_only=True) == []
    queue.add(patch("2", {"a": 1}), ends.of("live"))
    [write] = queue.take(10, live_only=True)
    assert (write.object_id, write.bulk) == ("2", False)
    [bulk] = queue.take(10)
    assert (bulk.object_id, bulk.bulk) == ("1", True)


def test_a_full_sync_that_derives_a_live_patch_again_does_not_make_it_wait() -> None:
    queue, ends = empty(), Ends()
    queue.add(patch("1", {"a": 1}, bulk=True), ends.of("bulk"))
    queue.add(patch("2", {"a": 1}), ends.of("live"))
    queue.add(patch("2", {"a": 1}, bulk=True), ends.of("again"))
    [write] = queue.take(1)
    assert (write.object_id, write.bulk) == ("2", False)
    queue.put_back([write])
    assert [one.object_id for one in queue.take(10, live_only=True)] == ["2"]


def test_draining_leaves_what_is_under_way() -> None:
    queue, ends = empty(), Ends()
    queue.add(patch("1", {"a": 1}), ends.of("flying"))
    [write] = queue.take(1)
    queue.add(patch("2", {"a": 1, "b": 2}), ends.of("waiting"))
    drained = queue.drain()
    assert sorted((held.patch.object_id, name) for held, name in drained) == [("2", "a"), ("2", "b")]
    assert queue.held(write)["a"].patch.object_id == "1"
    assert not queue.ready(1, live_only=False)


Step = tuple[str, int, int]


@given(
    st.lists(
        st.tuples(st.sampled_from(["add", "take", "end", "fail"]), st.integers(0, 2), st.integers(0, 2)), max_size=40
    )
)
def test_every_patch_ends_exactly_once_and_the_last_value_is_written(steps: list[Step]) -> None:
    queue, ends, flying = empty(), Ends(), list[Write]()
    stored: dict[tuple[str, str], FieldValue] = {}
    wanted: dict[tuple[str, str], FieldValue] = {}
    added = 0

    def end(write: Write) -> None:
        stored.update({(write.object_id, name): value for name, value in write.fields.items()})
        queue.end(write, write.fields)

    for kind, target, value in steps:
        if kind == "add":
            name = f"f{value % 2}"
            queue.add(patch(str(target), {name: value}), ends.of(str(added)))
            wanted[str(target), name] = value
            added += 1
        elif kind == "take":
            flying += queue.take(2)
        elif flying:
            write = flying.pop(0)
            if kind == "end":
                end(write)
            else:
                queue.put_back([write])
    while flying or queue.ready(1, live_only=False):
        for write in flying or queue.take(10):
            end(write)
        flying = []
    assert ends.count == {str(number): 1 for number in range(added)}
    assert stored == wanted
