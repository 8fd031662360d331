"""Records for people to read: values are hidden unless asked for, secrets always."""

import json
from typing import Any, Final

import pytest

from pipeline.core.conversion import MEANING
from pipeline.operations.letter_remedies import BY_KIND, REMEDIES, what_to_do
from pipeline.operations.shown_record import HIDDEN, shown
from schemas.codec import Codec
from schemas.letters import letter_about
from schemas.reasons import KINDS, REASONS
from schemas.records import DeadLetter, Notification
from schemas.registry import LocalRegistry
from schemas.topics import HUBSPOT_CHANGES, TOPICS
from tests.contract.sample_records import SAMPLES
from tests.unit.pipeline.core.given import contact
from tests.unit.schemas.test_redrives import Record

CODEC: Final = Codec(LocalRegistry())
VALUES: Final = ("Zoë", "2024-02-29", "2024-01-02", "1.5")
SECRETS: Final = ("sealed", "grant", "secret", "salt", "abc")


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_a_record_is_shown_without_values(name: str) -> None:
    text = json.dumps(shown(SAMPLES[name], CODEC, values=False), ensure_ascii=False)
    assert [value for value in VALUES if value in text] == []


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_secrets_are_never_shown(name: str) -> None:
    told = shown(SAMPLES[name], CODEC, values=True)
    assert [value for value in strings(told) if value in SECRETS] == []


def strings(told: Any) -> list[str]:
    """Every text that is no name of a field."""
    if isinstance(told, dict):
        return [text for value in told.values() for text in strings(value)]
    if isinstance(told, list):
        return [text for value in told for text in strings(value)]
    return [told] if isinstance(told, str) else []


def test_values_are_shown_where_they_are_asked_for() -> None:
    change = shown(contact(7, {"jobtitle": "Countess"}), CODEC, values=True)
    assert change["record"] == "ChangeEvent"
    assert change["fields"]["jobtitle"]["value"] == "Countess"
    hidden = shown(contact(7, {"jobtitle": "Countess"}), CODEC, values=False)
    assert hidden["fields"]["jobtitle"] == {"value": HIDDEN, "at_ms": 7, "spread_ms": 0, "ours": False}
    assert hidden["object_id"] == "101"


def test_a_webhook_shows_its_body_and_never_its_signature() -> None:
    notification = Notification("acme", "hubspot", b'[{"objectId":1}]', {"x-hubspot-signature-v3": "abc"}, 7)
    assert shown(notification, CODEC, values=True)["body"] == [{"objectId": 1}]
    assert shown(notification, CODEC, values=True)["headers"] == {"x-hubspot-signature-v3": HIDDEN}
    assert shown(notification, CODEC, values=False)["body"] == {"bytes": 16}
    broken = Notification("acme", "hubspot", b"{\xff", {}, 7)
    assert shown(broken, CODEC, values=True)["body"] == "{\ufffd"


def test_a_letter_shows_the_record_that_it_repeats() -> None:
    value = CODEC.encode(HUBSPOT_CHANGES, contact(7, {"jobtitle": "Countess"}))
    letter = letter_about(Record(1, value=value), "objects", "step_failed", "", 7)
    assert shown(letter, CODEC, values=False)["value"]["fields"]["jobtitle"]["value"] == HIDDEN
    assert shown(letter, CODEC, values=True)["value"]["fields"]["jobtitle"]["value"] == "Countess"
    garbage = letter_about(Record(1), "objects", "undecodable", "", 7)
    assert shown(garbage, CODEC, values=True)["value"]["bytes"] == 5
    assert "wire format" in shown(garbage, CODEC, values=True)["value"]["unreadable"]


def test_every_record_of_a_topic_has_a_sample_here() -> None:
    assert {topic.record.__name__ for topic in TOPICS.values()} == {type(one).__name__ for one in SAMPLES.values()}
    assert DeadLetter.__name__ in SAMPLES


def test_advice_is_for_reasons_that_there_are() -> None:
    assert [code for code in REMEDIES if code not in REASONS and code not in MEANING] == []
    assert set(BY_KIND) == set(KINDS)


@pytest.mark.parametrize("reason", [*REASONS, *MEANING, "some_vendor_code"])
def test_every_reason_has_advice_that_fits_a_column(reason: str) -> None:
    assert 0 < len(what_to_do(reason)) <= 46
