"""`explain` in situations made by hand: in each it says what is so, why, and what comes next, and shows no value."""

from dataclasses import replace

import pytest

from pipeline.agents.erasing import marked
from pipeline.explain.look_now import Looked, LookWord
from schemas.configuration import ConnectorState
from schemas.records import Cause
from schemas.state import ObjectState
from schemas.topics import object_key
from schemas.values import SYSTEMS, System
from tests.unit.pipeline.core.given import (
    CONTACT,
    EMAIL,
    USER,
    change,
    contact,
    flow,
    gone,
    mapping,
    receipt,
    user,
    written,
)
from tests.unit.pipeline.explain.situations import EDIT, PLAN_EDIT, Situation, caused, in_step, words
from tests.unit.pipeline.middle import NOTHING_READ


def test_01_a_pair_in_step_names_when_each_field_was_written_and_after_which_change() -> None:
    told = in_step().told()
    assert f"people: paired by email with Userflow {USER}" in told
    assert "-> title  in step    written 00:00:02, 300 ms after the edit (hubspot.notifications[2]@4410)" in told
    assert "<- tier   in step    written 00:00:02.118, 400 ms after the edit (userflow.notifications[2]@991)" in told


def test_02_a_field_that_held_the_value_already() -> None:
    it = Situation().happened(
        contact(1_000, {"jobtitle": "Dr", "tier": "pro"}), user(1_000, {"title": "Dr", "plan": "pro"})
    )
    assert words(it.explained()) == ["equal", "equal"]
    assert "-> title  in step    equal since 00:00:01" in it.told()


def test_03_a_field_that_a_full_sync_wrote() -> None:
    it = Situation().happened(
        contact(1_000, {"jobtitle": "Dr", "tier": "pro"}), user(1_000, {"title": None, "plan": "pro"})
    )
    it.happened(replace(written("userflow", USER, 2_000, {"title": "Dr"}), run_id="1795693014629-87aa"))
    assert "-> title  in step    written 00:00:02.000 (full sync 1795693014629-87aa)" in it.told()


def test_04_a_target_that_keeps_another_form() -> None:
    it = Situation().happened(
        contact(1_000, {"jobtitle": " Dr", "tier": "pro"}), user(1_000, {"title": None, "plan": "pro"})
    )
    it.happened(caused(written("userflow", USER, 2_000, {"title": " Dr"}, {"title": "Dr"}), EDIT))
    assert words(it.explained())[0] == "settled"
    assert "-> title  settled    Userflow keeps another form of what was sent; written 00:00:02.000" in it.told()


def test_05_a_refused_value_with_its_reason_time_and_letter() -> None:
    it = in_step().happened(caused(contact(3_000, {"jobtitle": "Prof"}), EDIT))
    letters = it.middle.feed(refusal := replace(receipt("userflow", USER, {"title": "Prof"}), caused_by=EDIT)).letters
    it.happened(refusal)
    told = it.told()
    assert f"-> title  REFUSED    not_an_option since 00:00:02: dead letter {letters[0].id[:8]}" in told
    assert it.explained().pairs[0].fields[0].letter == letters[0].id
    assert "jobtitle" in told and "-> refused: not_an_option" in told


def test_06_a_value_that_the_system_ignored() -> None:
    it = in_step().happened(contact(3_000, {"jobtitle": "Prof"}))
    it.happened(written("userflow", USER, 4_000, {"title": "Prof"}, {"title": "Dr"}))
    assert it.explained().pairs[0].fields[0].reason == "not_taken"


def test_07_a_field_that_somebody_keeps_rewriting() -> None:
    it = in_step()
    letters = []
    for at_ms in (3_000, 5_000, 7_000):
        letters += it.middle.feed(user(at_ms, {"title": "own"})).letters
        it.happened(written("userflow", USER, at_ms + 1_000, {"title": "Dr"}))
    told = it.told()
    assert "-> title  CONTESTED  somebody else rewrote it at 00:00:03, 00:00:05, 00:00:07: dead letter" in told
    assert [letter.reason for letter in letters] == ["contested"]
    assert it.explained().pairs[0].fields[0].letter == letters[0].id


def test_08_a_value_on_its_way() -> None:
    it = in_step().happened(user(4_000, {"plan": "pro 2"}))
    assert "<- tier   on its way from plan" in it.told()


def test_09_a_value_that_waits_for_its_system() -> None:
    it = in_step().happened(contact(3_000, {"jobtitle": "Prof"}))
    parked = receipt("userflow", USER, {"title": "Prof"}, kind="parked")
    it.happened(replace(parked, caused_by=Cause("hubspot.notifications", 2, 4500, 5_000)))
    it.connectors["userflow"] = ConnectorState(1, 1, 1, "unavailable", reason="status_503", parked=True)
    told = it.told()
    said = "Userflow is unavailable: status_503; patches are parked since 00:00:05, and derived again when it is back"
    assert said in told
    assert "-> title  parked     written once Userflow is back" in told


def test_10_nobody_on_the_other_side_and_when_it_was_looked_up() -> None:
    it = Situation(whole=NOTHING_READ).happened(user(1_000, {"title": None}))
    told = it.told("userflow", USER)
    assert (
        "people: no pair: nobody in HubSpot is known to hold this email. Looked up 00:01:00; again at its next " in told
    )
    assert "change after 00:16:00, or by a full sync. It is paired once one does: Pairstream creates none" in told


def test_11_nobody_on_the_other_side_though_all_of_it_is_known() -> None:
    it = Situation().happened(contact(1_000, {"jobtitle": "Dr"}))
    assert "nobody in Userflow is known to hold this email; all of them are known" in it.told()


def test_12_no_value_by_which_to_match() -> None:
    it = Situation().happened(contact(1_000, {"jobtitle": "Dr"}), contact(2_000, {"email": None}))
    assert "people: no pair: it has no value in email, by which the mapping matches" in it.told()


def test_13_an_object_that_was_never_seen() -> None:
    told = Situation().told(object_id="99")
    assert (
        "never seen in connection 1. Check the id; --look asks HubSpot for it. What is there a full sync reads" in told
    )
    assert ": pairstream full-sync start acme\n" in told
    assert "history: nothing of it is retained" in told


@pytest.mark.parametrize(("word", "starts"), [("not_there", False), ("impossible", False), ("away", True)])
def test_13_a_full_sync_is_no_advice_for_what_its_system_does_not_have(word: LookWord, starts: bool) -> None:
    looked = Looked("acme", "hubspot", "contacts", "hs_object_id", word)
    told = Situation().told("hubspot", "99", looked)
    assert ("HubSpot does not have it, and no full sync creates it: check the id, or create it there" in told) != starts
    assert ("full-sync start" in told) == starts and "--look" not in told


@pytest.mark.parametrize("system", SYSTEMS)
def test_13_an_email_in_place_of_an_id_is_told_how_its_pair_is_asked_for(system: System) -> None:
    hint = "By an email its pair is found: pairstream explain acme MAPPING EMAIL"
    assert hint in Situation().told(system, "nobody@example.com")
    assert hint not in Situation().told(system, "99")


def test_14_an_object_that_was_deleted() -> None:
    assert "gone since 00:00:03" in in_step().happened(gone("hubspot", CONTACT, 3_000)).told()


def test_15_an_object_that_was_merged() -> None:
    it = in_step().happened(replace(gone("hubspot", CONTACT, 3_000), merged_into="102"))
    assert "gone since 00:00:03, merged into 102" in it.told()


def test_16_an_object_that_was_erased() -> None:
    it = in_step()
    it.middle.feed(change("hubspot", CONTACT, 3_000, operation="erased"))
    row = it.middle.objects[object_key("acme", 1, "hubspot", "contacts", CONTACT)]
    assert isinstance(row, ObjectState) and marked(row, row) == row
    told = it.told()
    assert "erased at 00:01:00: nothing is known of it, and nothing is written to it" in told
    assert "people:" not in told


def test_17_several_candidates_and_the_rule_that_would_decide() -> None:
    it = in_step().happened(contact(3_000, {"jobtitle": "Ms"}, id="102"))
    told = it.told()
    assert f"ambiguous, nothing is written: its match value is held by hubspot {CONTACT}, hubspot 102, " in told
    assert "`on_several: newest` would take the newest of HubSpot's" in told
    rivals = in_step().happened(user(3_000, {"title": "Ms"}, id="u-2"))
    assert "no rule chooses between them" in rivals.told()


def test_18_what_was_written_before_a_pair_turned_ambiguous_and_why() -> None:
    it = in_step().happened(user(3_000, {"title": "own", "plan": "free"}, id="u-2"))
    for told in (it.told(), it.told("userflow", "u-2")):
        assert (
            f"written while it was a pair, and still there: userflow {USER}: title, written 00:00:02 "
            "(hubspot.notifications[2]@4410)" in told
        )
        assert f"still there: hubspot {CONTACT}: tier, written 00:00:02.118 (userflow.notifications[2]@991)" in told


def test_19_a_crowd() -> None:
    it = in_step()
    for number in range(30):
        it.middle.feed(contact(3_000 + number, {"jobtitle": "Ms"}, id=f"2{number}"))
    told = it.told()
    assert "crowded, nothing is written: its match value is held by" in told and "or more in HubSpot" in told


def test_20_a_source_that_is_not_readable_any_more() -> None:
    it = in_step().happened(replace(change("hubspot", CONTACT, 3_000, {"email": EMAIL}), unknown=("jobtitle",)))
    told = it.told()
    assert "not readable any more, archived or not permitted: jobtitle" in told
    assert "-> title  stopped    jobtitle is not known, or not readable any more: it keeps its value" in told


def test_21_an_empty_source_that_is_to_be_kept() -> None:
    view = mapping(flow("jobtitle", "title", on_empty="keep"))
    it = Situation(view).happened(contact(1_000, {"jobtitle": None}), user(1_000, {"title": "Ms"}))
    assert "-> title  kept       jobtitle is empty, and the rule says `on_empty: keep`" in it.told()


def test_22_nothing_is_written_before_a_side_told_who_else_holds_the_value() -> None:
    it = Situation(whole=NOTHING_READ).happened(contact(1_000, {"jobtitle": "Dr"}), user(1_000, {"title": None}))
    told = it.told()
    assert "nothing is written before Userflow told who else holds its match value, asked 00:01:00" in told
    assert "-> title  waiting    for who else holds the match value" in told


def test_23_the_newest_of_several_and_the_others() -> None:
    it = in_step(mapping(on_several="newest")).happened(contact(3_000, {"jobtitle": "Ms"}, id="102"))
    assert "the newest of several (`on_several: newest`)" in it.told(object_id="102")
    assert f"not in the pair: `on_several: newest` takes HubSpot 102, with Userflow {USER}" in it.told()


def test_24_a_paused_integration() -> None:
    it = in_step()
    it.paused = True
    assert "paused: nothing is written before `pairstream integration resume acme`" in it.told()


def test_25_what_somebody_else_wrote_since_has_no_write_of_ours() -> None:
    it = in_step().happened(user(3_000, {"title": "own"}))
    standing = it.explained().pairs[0].fields[0]
    assert (standing.word, standing.write) == ("on_its_way", None)


def test_the_history_tells_what_each_change_led_to_newest_first() -> None:
    late = Cause("hubspot.notifications", 2, 5000, 9_000)
    it = in_step().happened(caused(contact(9_000, {"jobtitle": "Dr"}), late))
    told = it.explained().history.happenings
    assert [(one.system, one.origin, one.outcome) for one in told] == [
        ("hubspot", "webhook", "nothing"),
        ("userflow", "webhook", "written"),
        ("hubspot", "webhook", "written"),
    ]
    assert "00:00:09.500  hubspot   webhook  email, jobtitle        hubspot.changes[2]@4   -> nothing" in it.told()


def test_a_history_that_was_not_searched_to_its_beginning_says_so_and_guesses_nothing() -> None:
    it = in_step()
    it.seen, it.complete = it.seen[:2], False
    assert {one.outcome for one in it.explained().history.happenings} == {"unknown"}
    assert "older records were not searched" in it.told()


def test_known_fields_name_the_road_by_which_they_came() -> None:
    told = in_step().told()
    assert "email, jobtitle   known as of 00:00:01 (webhook, hubspot.notifications[2]@4410)" in told


@pytest.mark.parametrize("cause", [None, PLAN_EDIT])
def test_an_answer_without_its_change_stands_alone(cause: Cause | None) -> None:
    it = Situation()
    it.happened(replace(written("userflow", USER, 2_000, {"title": "Dr"}), run_id="run-1", caused_by=cause))
    told = it.explained("userflow", USER).history.happenings
    assert [(one.origin, one.run_id) for one in told] == [("receipt", "run-1")]
