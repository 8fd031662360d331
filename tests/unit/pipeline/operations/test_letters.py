"""Dead letters: collected, chosen, judged by the state of now, and what trying them again comes to."""

from dataclasses import replace
from typing import Any, Final

import pytest

from connectors.kafka.reading import Found
from pipeline.operations.letter_report import Told, age, details, group_rows, letter_rows, list_report, table
from pipeline.operations.letter_standing import NO_PAIR, PairNow, StandingWord, refused_value, standing
from pipeline.operations.letters import Letter, NoSuchLetter, Wanted, bodies, chosen, collect, named
from pipeline.operations.redrive import (
    MOST_REDRIVES,
    came_back,
    derived_again,
    marked,
    plan,
    sent_again,
)
from schemas.codec import Codec
from schemas.letters import letter_about, letter_id, letter_of_no_record
from schemas.operating import LetterMark
from schemas.records import ChangeEvent, DeadLetter, MatchedChange, StateCommand
from schemas.redrives import Redriven
from schemas.registry import LocalRegistry
from schemas.state import PairState
from schemas.topics import DEAD_LETTERS, HUBSPOT_CHANGES, MATCHES, STATE_COMMANDS, USERFLOW_ACTIVITY, pair_key
from tests.unit.pipeline.core.given import EMAIL, contact, flow, mapping, receipt, user
from tests.unit.pipeline.middle import Middle

AT_MS: Final = 1_795_700_000_000
CODEC: Final = Codec(LocalRegistry())
KEY: Final = pair_key("acme", 1, "people", EMAIL)
VIEW: Final = mapping(flow("jobtitle", "title"), flow("city", "town"))
T: Final = 1_000_000


def found(letter: DeadLetter, offset: int = 0, partition: int = 0) -> Found:
    return Found(DEAD_LETTERS, partition, offset, letter.key.encode(), CODEC.encode(DEAD_LETTERS, letter), (), 0)


class Record:
    """A record that could not be handled."""

    def __init__(self, value: bytes = b"garbage", topic: str = HUBSPOT_CHANGES, redriven: Any = None) -> None:
        self.topic, self.partition, self.offset, self.key = topic, 1, 41, "acme:1:hubspot:contacts:101"
        self.value, self.redriven = value, redriven


def record_letter(reason: str = "undecodable", **more: Any) -> DeadLetter:
    return letter_about(Record(**more), "objects", reason, "a sentence", AT_MS)


def field_letter(value: str = "Countess", reason: str = "not_an_option", field: str = "userflow.title") -> DeadLetter:
    letter = replace(record_letter(reason), key=KEY, mapping="people", field=field, stage="userflow.sink")
    return replace(letter, id=letter_id(KEY, field, value, reason), integration="acme")


def one(letter: DeadLetter) -> Letter:
    return collect([found(letter)], CODEC)[0]


def refused_pair(*, mended: bool = False, town: str = "London") -> PairNow:
    middle = Middle(VIEW)
    middle.feed(contact(T, {"jobtitle": "Countess", "city": town}), user(T, {"title": None, "town": None}))
    middle.feed(receipt("userflow", "u-ada", {"title": "Countess"}))
    if mended:
        middle.feed(
            StateCommand("acme", 1, "pairs", "rederive", object_key=KEY, retry_refused=True),
            user(T + 5, {"title": "Countess", "town": town}),
        )
    return PairNow(middle.pair(EMAIL), VIEW)


def word(letter: DeadLetter, mark: LetterMark | None = None, now: PairNow = NO_PAIR) -> StandingWord:
    return standing(one(letter), mark, now).word


def test_a_letter_that_is_written_again_is_one_letter() -> None:
    first, again = record_letter(), replace(record_letter(), at_ms=AT_MS + 5, redrives=1, offset=977)
    other = replace(record_letter(value=b"other"), id="other")
    letters = collect([found(first), found(other, 1), found(again, 2)], CODEC)
    assert [(letter.times, letter.offset, letter.first_ms) for letter in letters if letter.id == first.id] == [
        (2, 2, AT_MS)
    ]
    assert {letter.letter.value for letter in letters} == {b""}  # what people's records hold stays on the topic


def test_a_copy_of_an_older_writing_does_not_replace_the_newest() -> None:
    first, again = record_letter(), replace(record_letter(), at_ms=AT_MS + 5, redrives=1)
    (letter,) = collect([found(again, 1), found(first, 2)], CODEC)
    assert (letter.offset, letter.letter.redrives, letter.times) == (1, 1, 2)


def test_what_is_no_letter_is_left_out() -> None:
    assert collect([Found(DEAD_LETTERS, 0, 0, b"", b"rubbish", (), 0)], CODEC) == []


def test_the_object_is_that_of_the_record() -> None:
    value = CODEC.encode(HUBSPOT_CHANGES, contact(T, {}, run_id="run-1"))
    letter = one(record_letter("step_failed", value=value))
    assert (letter.about.object, letter.about.run_id, letter.about.kind) == (
        "hubspot contacts 101",
        "run-1",
        ChangeEvent.__name__,
    )


@pytest.mark.parametrize(
    ("wanted", "takes"),
    [
        (Wanted(), True),
        (Wanted(integration="acme", stage="userflow.sink", reason="not_an_option"), True),
        (Wanted(integration="globex"), False),
        (Wanted(reason="undecodable"), False),
        (Wanted(stage="objects"), False),
        (Wanted(run="run-9"), False),
        (Wanted(since_ms=AT_MS + 1), False),
        (Wanted(since_ms=AT_MS), True),
    ],
)
def test_filters(wanted: Wanted, takes: bool) -> None:
    assert bool(chosen([one(field_letter())], wanted)) is takes


def test_the_beginning_of_an_id_is_enough_where_it_is_the_only_one() -> None:
    letters = [one(field_letter("a")), one(field_letter("b"))]
    assert named(letters, letters[0].id[:9]) is letters[0]
    with pytest.raises(NoSuchLetter, match="write more"):
        named([letters[0], letters[0]], letters[0].id[:1])
    with pytest.raises(NoSuchLetter, match="an empty id"):  # as of a variable that is not set
        named(letters[:1], "")
    with pytest.raises(NoSuchLetter, match="list --all"):
        chosen(letters, Wanted(ids=("zzzz",)))


def test_the_row_tells_whether_exactly_this_value_is_refused() -> None:
    now = refused_pair()
    assert word(field_letter(), None, now) == "refused"
    assert word(field_letter("Duchess"), None, now) == "replaced"
    assert word(field_letter(field="userflow.town"), None, now) == "on_its_way"
    assert standing(one(field_letter()), None, now).object == "userflow users u-ada"


def test_a_field_is_mended_once_the_target_holds_it() -> None:
    stands = standing(one(field_letter()), None, refused_pair(mended=True))
    assert (stands.word, stands.at_ms, stands.open) == ("mended", T + 5, False)


def test_a_pair_or_a_rule_that_is_gone() -> None:
    now = refused_pair()
    assert word(field_letter()) == "gone"
    assert word(field_letter(), None, PairNow(PairState(1, {}, {}), VIEW)) == "gone"
    assert word(field_letter(field="userflow.shoe"), None, now) == "gone"


def test_a_record_is_open_again_once_it_came_back() -> None:
    first = record_letter()
    mark = LetterMark(first.id, "redriven", AT_MS + 1, "ada@host", 1)
    assert word(first) == "open"
    assert word(first, mark) == "redriven"
    again = letter_about(Record(redriven=Redriven(first.id, 1)), "objects", "undecodable", "", AT_MS - 60_000)
    assert word(again, mark) == "open"  # whatever the clocks of two machines say


def test_discarded_stays_discarded() -> None:
    letter = field_letter()
    mark = LetterMark(letter.id, "discarded", AT_MS, "ada@host", 0, "ACME-77")
    assert word(letter, mark, refused_pair()) == "discarded"
    assert word(record_letter(), mark) == "discarded"


def planned(
    *letters: DeadLetter, marks: dict[str, LetterMark] | None = None, now: PairNow = NO_PAIR, **more: Any
) -> Any:
    marks = marks or {}
    judged = [(letter, standing(letter, marks.get(letter.id), now)) for letter in map(one, letters)]
    return plan(judged, marks, **more)


def test_fields_of_one_pair_are_one_command_and_one_write() -> None:
    middle = Middle(VIEW)
    middle.feed(contact(T, {"jobtitle": "Countess", "city": "London"}), user(T, {"title": None, "town": None}))
    middle.feed(receipt("userflow", "u-ada", {"title": "Countess", "town": "London"}))
    now = PairNow(middle.pair(EMAIL), VIEW)
    it = planned(field_letter(), field_letter("London", field="userflow.town"), now=now)
    assert (len(it.fields), it.pairs, it.writes("userflow"), it.writes("hubspot")) == (2, 1, 1, 0)
    (command,) = derived_again(it.fields)
    assert (command.object_key, command.mapping, command.retry_refused) == (KEY, "people", True)
    assert command.fields == ("userflow.title", "userflow.town")


def test_what_is_mended_or_discarded_is_left_alone() -> None:
    letter = field_letter()
    assert list(planned(letter, now=refused_pair(mended=True)).left) == ["mended"]
    mark = LetterMark(letter.id, "discarded", AT_MS, "ada@host")
    assert list(planned(letter, marks={letter.id: mark}, now=refused_pair()).left) == ["put_away"]


def test_the_loop_guard_counts_by_mark_and_by_header() -> None:
    by_header = letter_about(Record(redriven=Redriven("0f", MOST_REDRIVES)), "objects", "undecodable", "", AT_MS)
    assert list(planned(by_header).left) == ["looping"]
    letter = field_letter()
    mark = LetterMark(letter.id, "redriven", AT_MS, "ada@host", MOST_REDRIVES)
    assert list(planned(letter, marks={letter.id: mark}, now=refused_pair()).left) == ["looping"]
    forced = planned(letter, marks={letter.id: mark}, now=refused_pair(), force=True)
    assert [one.redrives for one in forced.tries] == [MOST_REDRIVES + 1]
    assert marked(forced.tries[0], AT_MS, "ada@host").redrives == MOST_REDRIVES + 1


def test_what_may_be_there_already_is_forced_only() -> None:
    letter = record_letter("unknown_result", topic="hubspot.timeline-events")
    assert list(planned(letter).left) == ["unsure"]
    assert [one.road for one in planned(letter, force=True).tries] == ["publish"]


def test_what_cannot_be_published_again_says_why() -> None:
    incident = letter_of_no_record(
        id="0f", integration="acme", stage="userflow.sink", reason="x", detail="", at_ms=AT_MS, key="acme"
    )
    assert list(planned(incident).left) == ["no_record"]
    assert list(planned(replace(record_letter(), value=b"")).left) == ["no_bytes"]
    assert list(planned(record_letter(topic=MATCHES)).left) == ["match"]


def match(**more: Any) -> MatchedChange:
    return MatchedChange("acme", 1, 1, "people", EMAIL, "userflow", "users", "u-ada", "joined", T, 0, "webhook", **more)


def test_a_match_is_not_published_again_but_made_again_from_what_is_known_now() -> None:
    """An object that left its pair meanwhile would join it again (decision 0010)."""
    letter = record_letter("step_failed", topic=MATCHES, value=CODEC.encode(MATCHES, match()))
    assert [one.road for one in planned(letter).tries] == ["resend"]
    topic, key, command = sent_again(match())
    assert (topic, key) == (STATE_COMMANDS, "acme:1:userflow:users:u-ada")
    assert isinstance(command, StateCommand) and (command.kind, command.object_key) == ("resend", key)


def test_an_event_that_was_matched_is_told_again() -> None:
    from tests.contract.sample_records import SAMPLES

    event = SAMPLES["ActivityEvent"]
    assert sent_again(match(activity=event)) == (USERFLOW_ACTIVITY, "acme:1:userflow:users:u-ada", event)


def test_the_oldest_are_tried_where_there_is_a_maximum() -> None:
    letters = [replace(record_letter(value=bytes([number])), id=f"{number:02}") for number in range(5)]
    assert [one.letter.id for one in planned(*letters, most=2).tries] == ["00", "01"]


def test_only_the_letter_of_this_redrive_tells_that_it_came_back() -> None:
    letter = record_letter()
    (one_try,) = planned(letter).tries
    tries = {letter.id: one_try}
    assert not came_back(letter, tries)  # the writing before
    assert came_back(replace(letter, redrives=1), tries)
    assert not came_back(replace(letter, id="other", redrives=1), tries)


def test_bodies_are_read_again_in_the_order_of_the_topic() -> None:
    written = [record_letter(value=bytes([number])) for number in range(4)]
    written = [replace(letter, id=f"id{number}") for number, letter in enumerate(written)]
    topic = [found(letter, offset) for offset, letter in enumerate(written)]
    wanted = [letter for letter in collect(topic, CODEC) if letter.id in ("id3", "id1")]
    read = [
        (letter.id, whole.value) for letter, whole in bodies(lambda place, begin: iter(topic[begin:]), wanted, CODEC)
    ]
    assert read == [("id1", b"\x01"), ("id3", b"\x03")]


def told(letter: DeadLetter, now: PairNow = NO_PAIR) -> Told:
    return Told(one(letter), standing(one(letter), None, now), None)


def test_tables_and_objects_show_no_value() -> None:
    now = refused_pair()
    some = [told(field_letter(), now), told(record_letter())]
    lines = [*table(("COUNT", "REASON"), [row[:2] for row in group_rows(some, AT_MS)])]
    assert lines == ["COUNT  REASON", "    1  not_an_option", "    1  undecodable"]
    rows = letter_rows(some, AT_MS)
    assert rows[-1][2:] == ("people ada@example.com", "userflow users u-ada", "refused still")
    shown = "\n".join(text for letter in some for _, text in details(letter, AT_MS)) + str(list_report(some, AT_MS))
    assert "Countess" not in shown and "garbage" not in shown
    assert "pairstream explain userflow users u-ada" in shown


def test_the_keys_of_the_objects_for_scripts() -> None:
    report = list_report([told(field_letter(), refused_pair())], AT_MS)
    assert list(report) == ["at_ms", "total", "groups", "letters"]
    assert list(report["groups"][0]) == ["count", "reason", "stage", "mapping", "field", "newest_at_ms", "what_to_do"]
    assert list(report["letters"][0]) == [
        *("id", "reason", "detail", "stage", "integration", "mapping", "field", "key", "object", "state"),
        *("state_at_ms", "open", "at_ms", "first_at_ms", "times", "redrives", "run", "place", "record", "caused_by"),
        *("mark", "what_to_do"),
    ]


@pytest.mark.parametrize(
    ("passed_ms", "text"),
    [(-5, "0 s"), (59_999, "59 s"), (120_000, "2 min"), (3_600_000, "1 h"), (3 * 86_400_000, "3 d")],
)
def test_ages(passed_ms: int, text: str) -> None:
    assert age(passed_ms) == text


def test_a_refused_value_is_the_letters_own_or_none() -> None:
    known = refused_value(one(field_letter()), refused_pair())
    assert known is not None and (known.value, known.reason) == ("Countess", "not_an_option")
    assert refused_value(one(field_letter("Duchess")), refused_pair()) is None  # the row remembers another
    assert refused_value(one(field_letter()), refused_pair(mended=True)) is None
    assert refused_value(one(field_letter()), NO_PAIR) is None
    assert refused_value(one(record_letter()), refused_pair()) is None


def test_a_refusal_lasts_while_what_is_in_force_still_says_no() -> None:
    strict = mapping(flow("jobtitle", "title", target_type="number"), flow("city", "town"))
    middle = Middle(strict)
    middle.feed(contact(T, {"jobtitle": "Countess", "city": "London"}), user(T, {"title": None, "town": None}))
    state = middle.pair(EMAIL)
    assert state is not None
    refused = state.refused["userflow.title"]
    letter = one(field_letter(str(refused.value), refused.reason))
    still = standing(letter, None, PairNow(state, strict))
    assert (still.word, still.lasts) == ("refused", True)
    mended = standing(letter, None, PairNow(state, VIEW))  # the field takes text by now
    assert (mended.word, mended.lasts) == ("refused", False)
    assert not standing(one(field_letter()), None, refused_pair()).lasts  # the vendor alone knows why
    planned = plan([(letter, still), (letter, mended)], {})
    assert (len(planned.tries), len(planned.promising.tries)) == (2, 1)
