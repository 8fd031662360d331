"""What doctor says of dead letters: those that somebody has to act on, by integration and reason."""

from dataclasses import replace

from pipeline.operations.letter_report import Told
from pipeline.operations.letter_standing import Standing, StandingWord
from pipeline.operations.open_letters import Looked, open_letters
from tests.unit.pipeline.operations.test_letters import field_letter, one, record_letter


def told(word: StandingWord, field: str = "userflow.title", integration: str | None = "acme") -> Told:
    return Told(one(replace(field_letter(field, field=field), integration=integration)), Standing(word))


def test_two_refused_fields_are_named_with_what_to_do() -> None:
    (wrong,) = open_letters(
        Looked([told("refused"), told("refused", "userflow.town"), told("mended", "userflow.plan")])
    )
    assert (wrong.code, wrong.integration, wrong.what) == ("letters_open", "acme", "integration acme: dead letters")
    assert wrong.detail.startswith("open: 2 not_an_option of userflow.title, userflow.town: ")


def test_each_integration_has_its_own_finding() -> None:
    found = [record_letter(), replace(record_letter("step_failed"), id="other", integration="b")]
    wrong = list(open_letters(Looked([Told(one(letter), Standing("open")) for letter in found])))
    assert [one.integration for one in wrong] == [None, "b"]


def test_what_was_mended_redriven_or_put_away_is_not_told() -> None:
    words: tuple[StandingWord, ...] = ("mended", "redriven", "discarded", "replaced", "gone", "on_its_way")
    assert list(open_letters(Looked([told(word) for word in words]))) == []


def test_lost_records_have_a_finding_of_their_own() -> None:
    assert list(open_letters(Looked([Told(one(record_letter("records_lost")), Standing("open"))]))) == []


def test_what_was_not_looked_at_is_said_and_is_not_taken_for_mended() -> None:
    (unknown,) = open_letters(Looked([told("mended")], 90_000))
    assert (unknown.verdict, unknown.code, unknown.integration) == ("unknown", "letters_not_looked_at", None)
    assert unknown.detail == "the newest 1 were looked at; up to 90,000 are older"
