"""A process whose schema ids come from elsewhere than the installation's is refused, with both values."""

import pytest

from pipeline.operations.installation import SettingsDiffer, check, recording
from schemas.configuration import INSTALLATION, Installation, IntegrationPart, SchemaIds
from schemas.topics import INTEGRATIONS


def recorded(schema_ids: SchemaIds) -> IntegrationPart:
    return IntegrationPart("", installation=Installation(schema_ids))


@pytest.mark.parametrize(("there", "here"), [("registry", "packaged"), ("packaged", "registry")])
def test_another_kind_is_refused_with_both_values_and_the_fix(there: SchemaIds, here: SchemaIds) -> None:
    with pytest.raises(SettingsDiffer, match=f"`{there}` in this installation, and `{here}`.*SCHEMA_REGISTRY_URL"):
        check(recorded(there), here)


@pytest.mark.parametrize("here", ["packaged", "registry"])
def test_the_same_kind_and_none_yet_are_fine(here: SchemaIds) -> None:
    check(recorded(here), here)
    check(None, here)


def test_what_is_recorded_is_readable_whatever_it_says() -> None:
    codec, (topic, key, part) = recording("registry")
    assert (topic, key) == (INTEGRATIONS, INSTALLATION)
    assert codec.decode(topic, codec.encode(topic, part)) == recorded("registry")
