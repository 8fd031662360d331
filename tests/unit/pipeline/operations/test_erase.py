"""Of what cannot be there nobody is told that it was erased."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import pytest

from pipeline.operations import OperationRefused, erase
from schemas.erasures import Erasure
from tests.unit.pipeline.core.given import mapping

CUSTOM = replace(mapping().record, hubspot_type="p123_pets")


def test_a_mistyped_type_is_refused_with_those_there_are() -> None:
    with pytest.raises(
        OperationRefused, match=r"contact is no HubSpot type of acme. Fix: write one of .*contacts.*p123_pets"
    ):
        erase.check_object("acme", [CUSTOM], "contact", "10600")


@pytest.mark.parametrize("object_id", ["", "ada@example.com", "-1", "1 ", "\u0663"])
def test_an_id_is_digits(object_id: str) -> None:
    with pytest.raises(OperationRefused, match=r"is no id of a HubSpot record. Fix: "):
        erase.check_object("acme", [CUSTOM], "contacts", object_id)


@pytest.mark.parametrize("object_type", ["contacts", "deals", "p123_pets"])
def test_what_may_be_there_is_taken_whether_it_is_mapped_or_was(object_type: str) -> None:
    erase.check_object("acme", [CUSTOM], object_type, "10600")


def test_another_integrations_custom_type_is_none_of_this_one() -> None:
    with pytest.raises(OperationRefused, match="p123_pets is no HubSpot type of beta"):
        erase.check_object("beta", [CUSTOM], "p123_pets", "10600")


class NeverLooked:
    """Erasures of which no topic was looked through."""

    def table(self, _: str) -> Mapping[str, object]:
        return {}


def test_topics_that_nobody_looked_through_are_no_success() -> None:
    erasure = Erasure("acme", 1, "hubspot", "contacts", "1", 1_000, b"", (b"one",))
    with pytest.raises(OperationRefused, match="topics are not rid of it"):
        asyncio.run(erase.wait_until_looked(NeverLooked(), "acme:1:hubspot:contacts:1", erasure, 0.0))  # type: ignore[arg-type]


@pytest.mark.parametrize(("number", "words"), [(0, "with no pair"), (1, "with 1 pair"), (2, "with 2 pairs")])
def test_pairs_are_counted_in_words(number: int, words: str) -> None:
    erasure = Erasure("acme", 1, "hubspot", "contacts", "1", 1_000, b"", (b"one",) * number)
    assert erase.with_pairs(erasure) == words
