"""A contact changes companies that are renamed, deleted and restored: however reads interleave, it ends right."""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.session.associated_values import AssociatedValueCache
from schemas.records import ChangeEvent, StampedValue, StateCommand
from schemas.values import FieldValue
from tests.examples import share
from tests.unit.pipeline.core.given import CONTACT, EMAIL, change, flow, mapping, stamped, user
from tests.unit.pipeline.middle import Middle

VIEW: Final = mapping(flow("company.name", "employer"))
ID, NAME = "company.hs_object_id", "company.name"
AGAIN_MS: Final = 2_000
MOST_ROUNDS: Final = 2_000

Work = Iterator[None]
"""Something the connector does in steps: between two of them anything may happen."""


@dataclass(frozen=True)
class Move:
    to: str | None


@dataclass(frozen=True)
class Rename:
    company: str


@dataclass(frozen=True)
class Delete:
    company: str


@dataclass(frozen=True)
class Restore:
    company: str


@dataclass(frozen=True)
class Step:
    """Some work under way goes on, by so many steps."""

    which: int
    steps: int


@dataclass(frozen=True)
class Deliver:
    """The oldest change that was published, or some command, reaches the agents."""

    command: bool


@dataclass(frozen=True)
class Wait:
    ms: int


Deed = Move | Rename | Delete | Restore | Step | Deliver | Wait
DEEDS: Final = 30


def story(seed: int) -> Iterator[Deed]:
    """Mostly steps of what is under way: only a rare order of them goes wrong where something is wrong."""
    rng = random.Random(seed)
    for _ in range(DEEDS):
        company = rng.choice(("1", "2"))
        yield rng.choices(
            (
                Move(company),
                Move(None),
                Rename(company),
                Delete(company),
                Restore(company),
                Step(rng.randrange(3), rng.randrange(1, 6)),
                Deliver(rng.random() < 0.5),
                Wait(rng.choice((400, 2_000))),
            ),
            weights=(4, 1, 6, 1, 1, 10, 2, 2),
        )[0]


class World:
    """HubSpot with a contact and two companies, the connector between, and the agents."""

    def __init__(self) -> None:
        self.now_ms = 1_700_000_000_000
        self.joined: str | None = "1"
        self.names = {"1": "A", "2": "B"}
        self.modified_ms = dict.fromkeys(self.names, self.now_ms)
        self.there = dict.fromkeys(self.names, True)
        self.shown = AssociatedValueCache()
        self.work: list[Work] = []
        self.published: list[ChangeEvent] = []
        self.commands: list[StateCommand] = []
        self.middle = Middle(VIEW)
        self.middle.feed(user(1, {"employer": None}))
        self._read_contact()
        self.settle()

    @property
    def employer(self) -> str | None:
        """Whose contact it is: a deleted company is nobody's, but comes back with its contacts."""
        return self.joined if self.joined is not None and self.there[self.joined] else None

    def do(self, deed: Deed) -> None:
        self.now_ms += 1
        match deed:
            case Move(to):
                self.joined = to
                self._read_contact()
            case Rename(company) if self.there[company]:
                self.names[company], self.modified_ms[company] = f"of {self.now_ms}", self.now_ms
                self.work.append(self._fan_out(company))
            case Delete(company) if self.there[company]:
                self.there[company] = False
                self.work.append(self._tell_gone(company, self.now_ms))
            case Restore(company) if not self.there[company]:
                self.there[company] = True
                self.work.append(self._read_back(company))
            case Step(which, steps) if self.work:
                work = self.work[which % len(self.work)]
                for _ in range(steps):
                    self._go_on(work)
            case Deliver(command):
                self._deliver(command)
            case Wait(ms):
                self.now_ms += ms

    def settle(self) -> None:
        for _ in range(MOST_ROUNDS):
            self.now_ms += 1
            if self.published or self.commands:
                self._deliver(not self.published)
            elif self.work:
                self._go_on(self.work[0])
            else:
                return
        raise AssertionError("it did not come to an end")

    def _go_on(self, work: Work) -> None:
        if next(work, "ended") == "ended" and work in self.work:
            self.work.remove(work)

    def _deliver(self, command: bool) -> None:
        if command and self.commands:
            left = self.middle.feed(self.commands.pop(0))
        elif self.published:
            left = self.middle.feed(self.published.pop(0))
        else:
            return
        for request in left.requests:
            self._read_contact(self.now_ms + request.delay_ms)

    def _read_contact(self, due_ms: int = 0) -> None:
        self.work.append(self._reading(due_ms))

    def _reading(self, due_ms: int) -> Work:
        """Whose contact it is, then that company; once more where it is gone meanwhile."""
        self.now_ms = max(self.now_ms, due_ms)
        for _ in range(2):
            employer, at_ms = self.employer, self.now_ms // 1_000 * 1_000
            yield
            if employer is None or self.there[employer]:
                break
        alive = employer is not None and self.there[employer]
        name, modified_ms = (self.names[employer], self.modified_ms[employer]) if employer and alive else (None, at_ms)
        fields: dict[str, StampedValue] = {
            "email": stamped(EMAIL, 1),
            ID: stamped(employer if alive else None, at_ms, 999),
            NAME: stamped(name, modified_ms, 0 if alive else 999),
        }
        yield
        up_to_date, outdated = self.shown.up_to_date(fields)
        self.published.append(replace(change("hubspot", CONTACT, 1, origin="lookup"), fields=up_to_date))
        if outdated:
            self._read_contact(self.now_ms + AGAIN_MS)

    def _fan_out(self, company: str) -> Work:
        yield
        if not self.there[company]:
            return
        name: FieldValue = self.names[company]
        told = {NAME: stamped(name, self.modified_ms[company])}
        self.shown.update((ID, company), told)
        yield
        listed = self.employer == company
        yield
        if listed:
            self.published.append(replace(change("hubspot", CONTACT, 1), fields=told, given={ID: company}))

    def _tell_gone(self, company: str, at_ms: int) -> Work:
        """A command now, and one when all that was published before has arrived."""
        yield
        self.shown.end((ID, company), at_ms)
        yield
        command = StateCommand("acme", 1, "objects", "reread", where={ID: (company,)})
        self.commands.append(command)
        yield
        while self.published or self.commands:
            self._deliver(bool(self.commands))
        self.commands.append(command)

    def _read_back(self, company: str) -> Work:
        yield
        if not self.there[company]:
            return
        self.shown.update((ID, company), {NAME: stamped(self.names[company], self.modified_ms[company])})
        yield
        if self.employer == company:
            self._read_contact()


def ends_right(deeds: Iterable[Deed]) -> None:
    world = World()
    for deed in deeds:
        world.do(deed)
    world.settle()
    employer = world.employer
    expected = (employer, world.names[employer] if employer else None)
    (known,) = (row for key, row in world.middle.objects.items() if "hubspot" in key)
    assert (known.fields[ID].value, known.fields[NAME].value) == expected
    candidate = world.middle.pair(EMAIL).hubspot[CONTACT]
    assert (candidate.fields[ID].value, candidate.fields[NAME].value) == expected


@settings(max_examples=share(10))
@given(st.integers(0, 2**32))
def test_what_is_shown_ends_as_it_is(seed: int) -> None:
    ends_right(story(seed))


def test_a_rename_told_while_the_contact_is_on_its_way_to_that_company() -> None:
    """The read saw the old name, and when the new one was told the contact was not known to be the company's."""
    ends_right([Wait(5_000), Move("2"), Step(0, 2), Rename("2"), Step(1, 4), Deliver(False)])


def test_a_deletion_told_while_the_contact_is_on_its_way_to_that_company() -> None:
    """The read saw the company, and when its end was told nobody was known to show it."""
    ends_right([Wait(5_000), Move("2"), Step(0, 2), Delete("2"), Step(1, 3), Deliver(True), Step(1, 5), Deliver(True)])
