"""An edit within the second of a read waits for no clock: a read begun after both were known is later than both.

Such an edit took 2.4 s: 2.3 of them until a read was late enough by whole seconds.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.core.freshness import later_than
from pipeline.core.matching import PRESENCE_DELAY_MS
from schemas.records import ChangeEvent, ConnectorRequest, StampedValue
from tests.examples import share
from tests.unit.pipeline.core.given import CONTACT, EMAIL, USER, change, contact, mapping, stamped, user
from tests.unit.pipeline.middle import Left, Middle

SECOND_MS: Final = 1_000
MOST_ROUNDS: Final = 200


def in_step() -> Middle:
    """A pair whose plan was read at the beginning of a second."""
    middle = Middle(mapping())
    middle.feed(contact(1_000, {"email": EMAIL, "jobtitle": None, "tier": "a"}))
    middle.feed(user(5_000, {"email": EMAIL, "plan": "a", "title": None}, spread_ms=999, origin="lookup"))
    return middle


def asked(left: Left) -> ConnectorRequest:
    (request,) = left.requests
    return request


def read(plan: str, request: ConnectorRequest, at_ms: int = 5_000) -> ChangeEvent:
    fields = {"email": EMAIL, "plan": plan, "title": None}
    return replace(user(at_ms, fields, spread_ms=999, origin="lookup"), later_than=request.later_than)


def test_an_edit_within_the_second_of_a_read_is_written_after_one_read_that_waits_for_nothing() -> None:
    middle = in_step()
    left = middle.feed(user(5_400, {"plan": "b"}))
    assert (left.wrote, asked(left).delay_ms) == ([], 0)
    assert middle.feed(read("b", asked(left))).wrote == [("hubspot", CONTACT, {"tier": "b"})]


def test_a_read_that_shows_the_former_value_says_that_the_edit_was_the_earlier_one() -> None:
    middle = in_step()
    left = middle.feed(user(5_400, {"plan": "b"}))
    assert middle.feed(read("a", asked(left))).nothing
    assert middle.pair(EMAIL).userflow[USER].fields["plan"].value == "a"


def test_a_read_of_before_what_is_known_now_settles_nothing_and_is_made_again_late_enough() -> None:
    middle = in_step()
    first = asked(middle.feed(user(5_400, {"plan": "b"})))
    second = asked(middle.feed(user(5_600, {"plan": "c"})))
    middle.feed(read("c", second))
    left = middle.feed(read("b", first))
    assert asked(left).delay_ms == 999 + PRESENCE_DELAY_MS
    assert middle.pair(EMAIL).userflow[USER].fields["plan"].value == "c"


def test_reads_that_may_lag_are_late_enough_by_their_stamps() -> None:
    middle = in_step()
    middle.feed(contact(9_000, {"jobtitle": "a"}, spread_ms=999, origin="lookup"))
    request = asked(middle.feed(contact(9_400, {"jobtitle": "b"})))
    assert (request.delay_ms, dict(request.later_than)) == (999 + PRESENCE_DELAY_MS, {})


@pytest.mark.parametrize(
    ("known", "later"),
    [
        (stamped("a", 5_000, 999), True),
        (stamped("a", 5_000, 400), True),
        (stamped("b", 5_000, 999), False),
        (stamped("a", 5_001, 999), False),
    ],
    ids=["as it was", "seen earlier still", "another value", "seen again since"],
)
def test_a_read_is_later_than_what_was_known_before_it(known: StampedValue, later: bool) -> None:
    assert later_than({"plan": stamped("a", 5_000, 999)})("plan", known) is later
    assert not later_than({})("plan", known)


Kind = Literal["edit", "look", "reread", "deliver"]


@dataclass(frozen=True)
class Deed:
    """An edit, a read for whatever reason, the read that was asked for, or the arrival of one observation under way."""

    kind: Kind
    value: str
    which: int
    passes_ms: int


deeds = st.builds(
    Deed,
    st.sampled_from(["edit", "edit", "look", "reread", "reread", "deliver", "deliver", "deliver"]),
    st.sampled_from(["a", "b", "c"]),
    st.integers(0, 4),
    st.sampled_from([1, 20, 200]),
)


class World:
    """Userflow, whose webhooks name milliseconds and whose reads name seconds, and all that is under way from it."""

    def __init__(self) -> None:
        self.now_ms = 5_000
        self.plan = "a"
        self.middle = in_step()
        self.under_way: list[ChangeEvent] = []
        self.requests: list[tuple[int, ConnectorRequest]] = []

    def do(self, deed: Deed) -> None:
        match deed.kind:
            case "edit" if deed.value != self.plan:
                self.plan = deed.value
                self.under_way.append(user(self.now_ms, {"plan": self.plan}))
            case "look":
                self.under_way.append(self._read(None))
            case "reread" if self.requests and self.requests[0][0] <= self.now_ms:
                self.under_way.append(self._read(self.requests.pop(0)[1]))
            case "deliver" if self.under_way:
                self._arrive(self.under_way.pop(deed.which % len(self.under_way)))
        self.now_ms += deed.passes_ms

    def settle(self) -> None:
        for _ in range(MOST_ROUNDS):
            self.now_ms += 1
            if self.under_way:
                self._arrive(self.under_way.pop(0))
            elif self.requests:
                due_ms, request = self.requests.pop(0)
                self.now_ms = max(self.now_ms, due_ms)
                self._arrive(self._read(request))
            else:
                return
        raise AssertionError("reads did not end")

    def _read(self, request: ConnectorRequest | None) -> ChangeEvent:
        fields = {"email": EMAIL, "plan": self.plan, "title": None}
        at_ms = self.now_ms // SECOND_MS * SECOND_MS
        found = change("userflow", USER, at_ms, fields, spread_ms=999, origin="lookup")
        return found if request is None else replace(found, later_than=request.later_than)

    def _arrive(self, seen: ChangeEvent) -> None:
        for request in self.middle.feed(seen).requests:
            if request.object_type == "users":
                self.requests.append((self.now_ms + request.delay_ms, request))


def deed(kind: Kind, value: str = "a", which: int = 0, passes_ms: int = 1) -> Deed:
    return Deed(kind, value, which, passes_ms)


# a read that saw an edit arrives after a later edit was told, and after a later read has settled that one
OVERTAKEN: Final = [
    deed("edit", "b"),
    deed("deliver"),
    deed("reread"),
    deed("edit", "c"),
    deed("deliver", which=1),
    deed("reread"),
    deed("deliver", which=1),
    deed("deliver"),
]


@settings(max_examples=share(1.5))
@example(OVERTAKEN)
@given(st.lists(deeds, min_size=5, max_size=40))
def test_whatever_the_order_the_newest_value_is_known_in_the_end(story: list[Deed]) -> None:
    world = World()
    for one in story:
        world.do(one)
    world.settle()
    assert world.middle.pair(EMAIL).userflow[USER].fields["plan"].value == world.plan
    (known,) = (row for key, row in world.middle.objects.items() if ":userflow:" in key)
    assert known.fields["plan"].value == world.plan
