"""When a pair asks for the side it lacks, how its answers count, and that asking ends whatever the order."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.contract.source import MOST_FOUND
from pipeline.core.candidates import MOST_CANDIDATES
from pipeline.core.lookups import RIVALS_AGAIN_MS
from schemas.records import ChangeEvent, ConnectorRequest, Found, Origin
from schemas.values import System
from tests.examples import share
from tests.unit.pipeline.core.given import CONTACT, EMAIL, TYPES, USER, change, contact, gone, mapping, receipt, user
from tests.unit.pipeline.core.pair_in_step import title, write
from tests.unit.pipeline.middle import LOOKUP_INTERVAL_MS, NOTHING_READ, Left, Middle

USERS_KNOWN = frozenset({"userflow.users"})
CROWD = range(1, 60)


def answer(seen: ChangeEvent, count: int = 1, value: str = EMAIL) -> ChangeEvent:
    """The object as a lookup shows it that found so many."""
    return replace(seen, origin="lookup", found=Found("people", value, count))


def crowd(middle: Middle, first: int = 1, count: int = MOST_FOUND) -> Left:
    """A lookup's answer: as many contacts as it shows of a placeholder."""
    contacts = (contact(1_000, {"jobtitle": "Dr"}, id=str(number)) for number in range(first, first + count))
    return middle.feed(*(answer(seen, MOST_FOUND) for seen in contacts))


def later(middle: Middle) -> Middle:
    """The same when the pair may ask again."""
    middle.now_ms += LOOKUP_INTERVAL_MS
    return middle


class TestRivals:
    @pytest.mark.parametrize("origin", ["webhook", "journal", "poll"])
    def test_they_are_read_again_at_a_later_change_but_not_at_each(self, origin: Origin) -> None:
        """Userflow deletes in silence: a rival may be gone since they were read."""
        middle = Middle(mapping())
        middle.feed(*(user(1_000, {"title": None}, id=id, origin="crawl") for id in ("u-1", "u-2")))
        middle.feed(contact(1_000, {"jobtitle": "Dr"}, origin="crawl"))
        first, second = (
            middle.feed(contact(at_ms, {"jobtitle": str(at_ms)}, origin=origin)) for at_ms in (2_000, 3_000)
        )
        assert sorted(request.values[0] for request in first.requests) == ["u-1", "u-2"]
        assert second.requests == []
        middle.now_ms += RIVALS_AGAIN_MS
        assert len(middle.feed(contact(4_000, {"jobtitle": "Prof"}, origin=origin)).requests) == 2
        assert middle.feed(gone("userflow", "u-2", 5_000)).wrote == [("userflow", "u-1", {"title": "Prof"})]


class TestAsking:
    @pytest.mark.parametrize("origin", ["webhook", "journal", "poll", "receipt", "lookup"])
    def test_a_user_without_a_contact_asks_hubspot(self, origin: Origin) -> None:
        found = Middle(mapping()).feed(user(1_000, {"plan": "pro"}, origin=origin))
        assert found.lookups == [
            ConnectorRequest(
                "acme", 1, "lookup", "contacts", (EMAIL,), match_field="email", mapping="people", by_email=True
            )
        ]

    def test_ids_are_asked_for_as_they_are(self) -> None:
        middle = Middle(mapping(match_hubspot="ref", match_userflow="id"))
        [asked] = middle.feed(user(1_000, {}, id="Ada-1")).lookups
        assert (asked.match_field, asked.values, asked.by_email) == ("ref", ("Ada-1",), False)

    def test_a_crawl_or_a_replay_asks_nothing(self) -> None:
        middle = Middle(mapping())
        assert middle.feed(user(1_000, {}, origin="crawl")).lookups == []
        assert middle.feed(user(2_000, {"plan": "x"}, run_id="run-1")).lookups == []

    def test_a_complete_pair_asks_nothing(self) -> None:
        middle = Middle(mapping())
        middle.feed(contact(1_000, {"jobtitle": "Dr"}))
        assert middle.feed(user(2_000, {"title": "Dr"})).lookups == []

    def test_it_asks_again_once_the_interval_has_passed_and_something_changed(self) -> None:
        middle = Middle(mapping())
        assert len(middle.feed(user(1_000, {"plan": "a"})).lookups) == 1
        middle.now_ms += LOOKUP_INTERVAL_MS - 1
        assert middle.feed(user(2_000, {"plan": "b"})).lookups == []
        middle.now_ms += 1
        assert len(middle.feed(user(3_000, {"plan": "c"})).lookups) == 1

    def test_a_clock_that_went_back_does_not_silence_it(self) -> None:
        middle = Middle(mapping())
        middle.feed(user(1_000, {"plan": "a"}))
        middle.now_ms -= 1
        assert len(middle.feed(user(2_000, {"plan": "b"})).lookups) == 1

    def test_a_contact_that_leaves_lets_the_user_look_for_another(self) -> None:
        middle = Middle(mapping())
        middle.feed(contact(1_000, {}), user(1_000, {}))
        assert len(later(middle).feed(gone("hubspot", CONTACT, 2_000)).lookups) == 1

    @pytest.mark.parametrize("origin", ["webhook", "journal", "poll"])
    def test_a_changed_contact_asks_userflow_while_not_all_users_are_known(self, origin: Origin) -> None:
        middle = Middle(mapping())
        middle.view_as(mapping(), crawled=NOTHING_READ)
        [asked] = middle.feed(contact(1_000, {}, origin=origin)).lookups
        assert (asked.object_type, asked.match_field, asked.values) == ("users", "email", (EMAIL,))

    def test_not_once_they_were_crawled(self) -> None:
        middle = Middle(mapping())
        middle.view_as(mapping(), crawled=USERS_KNOWN)
        assert middle.feed(contact(1_000, {})).lookups == []
        assert len(middle.feed(user(1_000, {}, id="u-2"), gone("hubspot", CONTACT, 2_000)).lookups) == 1

    @pytest.mark.parametrize("origin", ["crawl", "lookup", "receipt"])
    def test_nor_for_a_contact_that_was_only_read(self, origin: Origin) -> None:
        middle = Middle(mapping())
        middle.view_as(mapping(), crawled=NOTHING_READ)
        assert middle.feed(contact(1_000, {}, origin=origin)).lookups == []


class TestAnswers:
    def test_an_answer_completes_the_pair_and_asks_nothing(self) -> None:
        middle = Middle(mapping())
        middle.feed(user(1_000, {"title": None, "plan": None}))
        found = middle.feed(answer(contact(500, {"jobtitle": "Dr", "tier": None})))
        assert (found.wrote, found.lookups) == (title("Dr"), [])

    def test_of_two_the_first_is_not_taken_for_the_only_one(self) -> None:
        middle = Middle(mapping())
        middle.feed(user(1_000, {"title": None}))
        first = middle.feed(answer(contact(500, {"jobtitle": "Dr"}), 2))
        assert (first.patches, first.outcomes[-1]) == ([], "ambiguous")
        second = middle.feed(answer(contact(500, {"jobtitle": "Mr"}, id="102"), 2))
        assert (second.patches, second.outcomes[-1]) == ([], "ambiguous")
        assert middle.feed(gone("hubspot", "102", 2_000)).wrote == title("Dr")

    def test_nor_is_the_first_the_newest(self) -> None:
        middle = Middle(mapping(on_several="newest"))
        middle.feed(user(1_000, {"title": None, "plan": None}))
        assert middle.feed(answer(contact(500, {"jobtitle": "old", "tier": None}), 2)).patches == []
        newest = middle.feed(answer(contact(600, {"jobtitle": "new", "tier": None}, id="102"), 2))
        assert newest.wrote == title("new")

    def test_one_of_two_that_never_comes_is_asked_for_again(self) -> None:
        """What was found may have changed since: then it joins another pair."""
        middle = Middle(mapping())
        middle.feed(user(1_000, {"title": None, "plan": "a"}))
        middle.feed(answer(contact(500, {"jobtitle": "Dr", "tier": "a"}), 2))
        assert len(later(middle).feed(user(2_000, {"title": None, "plan": "a2"})).lookups) == 1
        alone = middle.feed(answer(contact(500, {"jobtitle": "Dr", "tier": "a"}), 1))
        assert ("userflow", USER, {"title": "Dr"}) in alone.wrote

    def test_an_answer_with_another_value_is_no_match(self) -> None:
        """A secondary email led to it."""
        middle = Middle(mapping())
        middle.feed(user(1_000, {"title": None}))
        other = change("hubspot", CONTACT, 500, {"email": "primary@example.com", "jobtitle": "Dr"}, origin="lookup")
        found = middle.feed(other)
        assert (found.nothing, found.lookups) == (True, [])
        assert middle.pair(EMAIL).hubspot == {}
        assert list(middle.pair("primary@example.com").hubspot) == [CONTACT]

    def test_a_count_told_for_another_mapping_is_not_this_ones(self) -> None:
        middle = Middle(mapping())
        middle.feed(user(1_000, {"title": None, "plan": None}))
        seen = contact(500, {"jobtitle": "Dr", "tier": None})
        told = replace(seen, origin="lookup", found=Found("others", EMAIL, 2))
        assert middle.feed(told).wrote == title("Dr")

    def test_a_full_sync_heals_a_count_that_is_out_of_date(self) -> None:
        middle = Middle(mapping())
        middle.feed(user(1_000, {"title": None, "plan": None}))
        seen = contact(500, {"jobtitle": "Dr", "tier": None})
        middle.feed(answer(seen, 2))
        middle.feed(replace(seen, origin="crawl", run_id="run-1"))
        assert middle.feed(write()).wrote == title("Dr")


class TestCrowds:
    """A placeholder such as "n/a" on more contacts than a pair keeps."""

    def crowded(self) -> Middle:
        middle = Middle(mapping())
        middle.feed(user(1_000, {"title": None, "plan": None}))
        assert crowd(middle).outcomes[-1] == "crowded"
        return middle

    def test_a_lookup_shows_more_than_are_kept(self) -> None:
        assert MOST_FOUND > MOST_CANDIDATES

    def test_nothing_is_written_from_the_first_on(self) -> None:
        middle = Middle(mapping())
        middle.feed(user(1_000, {"title": None}))
        found = crowd(middle)
        assert (found.patches, found.requests, found.lookups) == ([], [], [])
        assert set(found.outcomes) == {"derived", "crowded"}

    def test_its_row_keeps_no_fields(self) -> None:
        pair = self.crowded().pair(EMAIL)
        assert len(pair.hubspot) == MOST_FOUND
        assert all(candidate.fields == {} for candidate in pair.hubspot.values())

    def test_it_stays_one_when_those_that_are_kept_leave(self) -> None:
        """The others are still there, unseen."""
        middle = self.crowded()
        left = middle.feed(*(gone("hubspot", str(number), 2_000) for number in range(2, MOST_FOUND + 1)))
        assert len(middle.pair(EMAIL).hubspot) == 1
        assert (left.patches, left.outcomes[-1]) == ([], "crowded")

    def test_it_is_counted_anew_by_a_lookup(self) -> None:
        middle = self.crowded()
        left = later(middle).feed(*(gone("hubspot", str(number), 2_000) for number in range(2, MOST_FOUND + 1)))
        assert len(left.lookups) == 1
        seen = contact(1_000, {"jobtitle": "Dr", "tier": None}, id="1")
        assert middle.feed(answer(seen, 1)).wrote == title("Dr")

    def test_a_full_sync_begins_with_more_than_one_expected(self) -> None:
        middle = self.crowded()
        middle.feed(*(gone("hubspot", str(number), 2_000) for number in range(2, MOST_FOUND + 1)))
        first = contact(3_000, {"jobtitle": "Dr", "tier": None}, id="1", origin="crawl", run_id="run-1")
        assert middle.feed(first).outcomes[-1] == "ambiguous"
        others = [replace(first, object_id=str(number)) for number in range(30, 60)]
        found = middle.feed(*others)
        assert (found.patches, found.outcomes[-1]) == ([], "crowded")

    def test_a_full_sync_that_finds_one_leaves_the_rest_to_a_lookup(self) -> None:
        middle = self.crowded()
        middle.feed(*(gone("hubspot", str(number), 2_000) for number in range(2, MOST_FOUND + 1)))
        only = contact(3_000, {"jobtitle": "Dr", "tier": None}, id="1", origin="crawl", run_id="run-1")
        middle.feed(only)
        [asked] = later(middle).feed(user(4_000, {"title": "x", "plan": None})).lookups
        assert asked.object_type == "contacts"
        assert middle.feed(answer(replace(only, run_id=None), 1)).wrote == title("Dr")

    def test_users_crowd_too(self) -> None:
        middle = Middle(mapping())
        middle.view_as(mapping(), crawled=USERS_KNOWN)
        middle.feed(*(user(1_000, {}, id=f"u-{number}") for number in CROWD))
        middle.feed(contact(1_000, {}))
        middle.feed(*(gone("userflow", f"u-{number}", 2_000) for number in CROWD if number > 1))
        assert middle.pair(EMAIL).counted == {"userflow": MOST_CANDIDATES + 1}
        [asked] = later(middle).feed(contact(3_000, {"jobtitle": "x"})).lookups
        assert asked.object_type == "users"


systems: st.SearchStrategy[System] = st.sampled_from(["hubspot", "userflow"])
emails = st.sampled_from(["ada@x", "bob@x", None])
lives = st.lists(
    st.tuples(systems, st.sampled_from(["1", "2", "3"]), emails, st.sampled_from(["webhook", "lookup", "receipt"])),
    min_size=1,
    max_size=15,
)


class Vendors:
    """Two systems that answer lookups from what they hold now, some of it later and in any order."""

    def __init__(self, middle: Middle, shuffle: random.Random) -> None:
        self.middle, self.shuffle = middle, shuffle
        self.held: dict[tuple[System, str], str | None] = {}
        self.at_ms = 0
        self.waiting: list[ChangeEvent] = []

    def lives(self, system: System, object_id: str, email: str | None, origin: Origin) -> None:
        self.held[system, object_id] = email
        self.at_ms += 1
        self.deliver(change(system, object_id, self.at_ms, {"email": email, "plan": self.at_ms}, origin=origin))
        if self.shuffle.random() < 0.5:
            self.answer_some()

    def deliver(self, seen: ChangeEvent) -> None:
        silent = {key for key, row in self.middle.pairs.items() if row.looked_up_ms}
        for request in self.middle.feed(seen).lookups:
            system: System = "hubspot" if request.object_type == TYPES["hubspot"] else "userflow"
            [value] = request.values
            assert f"acme:1:people:{value}" not in silent, "asked twice within the interval"
            ids = [id for (of, id), email in self.held.items() if of == system and email == value]
            self.at_ms += 1
            self.waiting += [
                answer(change(system, id, self.at_ms, {"email": value, "plan": self.at_ms}), len(ids), value)
                for id in ids
            ]

    def answer_some(self) -> None:
        """Until none is left: a lookup whose answers asked for others would never end."""
        while self.waiting:
            self.deliver(self.waiting.pop(self.shuffle.randrange(len(self.waiting))))


@settings(max_examples=share(2))
@given(lives, st.randoms(use_true_random=False))
def test_pairs_hold_whom_the_vendors_hold_and_asking_ends_however_late_the_answers(
    life: list[tuple[System, str, str | None, Origin]], shuffle: random.Random
) -> None:
    middle = Middle(mapping())
    vendors = Vendors(middle, shuffle)
    for system, object_id, email, origin in life:
        vendors.lives(system, object_id, email, origin)
    vendors.answer_some()
    for (system, object_id), email in vendors.held.items():
        for value in ("ada@x", "bob@x"):
            row = middle.pairs.get(f"acme:1:people:{value}")
            side = {} if row is None else (row.hubspot if system == "hubspot" else row.userflow)
            assert (object_id in side) == (email == value)


def test_that_nobody_has_an_id_that_somebody_looked_for_is_no_pairs_news() -> None:
    middle = Middle(mapping())
    told = replace(receipt("hubspot", "", {}, kind="missed"), mapping="", match_value="99")
    assert middle.feed(told).outcomes == ["unmatched"]
    assert middle.pairs == {} and middle.objects == {}
