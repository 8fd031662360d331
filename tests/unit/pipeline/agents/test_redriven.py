"""What was refused is tried again for one pair, and of it only the fields that are named."""

from typing import Final

from schemas.records import StateCommand
from schemas.topics import pair_key
from tests.unit.pipeline.core.given import EMAIL, contact, flow, mapping, receipt, user
from tests.unit.pipeline.middle import Middle

KEY: Final = pair_key("acme", 1, "people", EMAIL)
OTHER: Final = "bob@example.com"
T: Final = 1_000_000
RULES: Final = (flow("jobtitle", "title"), flow("city", "town"))


def redrive(*fields: str, key: str = KEY) -> StateCommand:
    return StateCommand(
        "acme", 1, "pairs", "rederive", "people", object_key=key, retry_refused=True, fields=fields, bulk=True
    )


def refused() -> Middle:
    """Two pairs; both fields of Ada's, and one of Bob's, were refused."""
    middle = Middle(mapping(*RULES))
    middle.feed(
        contact(T, {"jobtitle": "Countess", "city": "London"}),
        user(T, {"title": None, "town": None}),
        receipt("userflow", "u-ada", {"title": "Countess", "town": "London"}),
    )
    middle.feed(
        contact(T, {"email": OTHER, "jobtitle": "Engineer", "city": "Paris"}, "102"),
        user(T, {"email": OTHER, "title": None, "town": None}, "u-bob"),
    )
    assert set(middle.pair(EMAIL).refused) == {"userflow.title", "userflow.town"}
    return middle


def test_only_the_named_field_of_the_named_pair_is_tried_again() -> None:
    middle = refused()
    assert middle.feed(redrive("userflow.title")).wrote == [("userflow", "u-ada", {"title": "Countess"})]
    assert set(middle.pair(EMAIL).refused) == {"userflow.town"}


def test_without_names_all_that_was_refused_is_tried_again() -> None:
    middle = refused()
    assert middle.feed(redrive()).wrote == [("userflow", "u-ada", {"title": "Countess", "town": "London"})]


def test_a_field_that_is_refused_again_gets_the_same_letter() -> None:
    middle = Middle(mapping(*RULES))
    middle.feed(contact(T, {"jobtitle": "Countess"}), user(T, {"title": None}))
    refusal = receipt("userflow", "u-ada", {"title": "Countess"})
    first = middle.feed(refusal).letters
    middle.feed(redrive("userflow.title"))
    assert [letter.id for letter in middle.feed(refusal).letters] == [letter.id for letter in first]
    assert len(first) == 1


def test_a_pair_that_is_gone_leads_to_nothing() -> None:
    assert refused().feed(redrive("userflow.title", key=pair_key("acme", 1, "people", "nobody@example.com"))).nothing
