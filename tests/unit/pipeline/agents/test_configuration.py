"""What is in force, however the two topics' changes interleave."""

import asyncio
import dataclasses

import pytest

from pipeline.agents.configuration import Configuration, RevisionLate
from schemas.configuration import (
    ConnectorState,
    IntegrationClaim,
    IntegrationPart,
    IntegrationSettings,
    IntegrationState,
    SystemSettings,
)
from schemas.records import ObjectMapping
from schemas.topics import INTEGRATIONS, MAPPINGS
from tests.unit.pipeline.core.given import flow, mapping

SYSTEM = SystemSettings("1")
ACTIVE = IntegrationSettings(
    connection=1,
    revision=1,
    active_revision=1,
    state="active",
    apply_id="apply-1",
    apply_state="done",
    reason=None,
    document="",
    hubspot=SYSTEM,
    userflow=SYSTEM,
)


def settings(revision: int = 1, connection: int = 1, state: IntegrationState = "active") -> IntegrationPart:
    changed = dataclasses.replace(ACTIVE, connection=connection, active_revision=revision, state=state)
    return IntegrationPart("acme", settings=changed)


def people(revision: int = 1, connection: int = 1, target: str = "title") -> ObjectMapping:
    record = mapping(flow("jobtitle", target), revision=revision).record
    return dataclasses.replace(record, connection=connection)


def configuration(part: IntegrationPart | None, *mappings: ObjectMapping) -> Configuration:
    read = Configuration()
    if part is not None:
        read.apply(INTEGRATIONS, "acme/settings", part)
    for record in mappings:
        read.apply(MAPPINGS, f"acme/{record.name}", record)
    return read


def targets(read: Configuration) -> list[str]:
    view = read.view("acme")
    assert view is not None
    return [rule.target for mapping_view in view.mappings.values() for rule in mapping_view.record.rules]


def test_there_is_nothing_before_the_settings() -> None:
    assert configuration(None, people()).view("acme") is None


@pytest.mark.parametrize("mappings_first", [True, False])
def test_mappings_and_settings_may_come_in_either_order(mappings_first: bool) -> None:
    read = configuration(None, people()) if mappings_first else configuration(settings())
    read.apply(
        *((INTEGRATIONS, "acme/settings", settings()) if mappings_first else (MAPPINGS, "acme/people", people()))
    )
    assert targets(read) == ["title"]


def test_a_mapping_newer_than_the_settings_keeps_the_old_one_in_force() -> None:
    read = configuration(settings(revision=1), people(), people(revision=2, target="position"))
    assert targets(read) == ["title"]
    read.apply(INTEGRATIONS, "acme/settings", settings(revision=2))
    assert targets(read) == ["position"]


def test_a_mapping_that_was_not_there_before_comes_with_its_revision() -> None:
    read = configuration(settings(revision=1), people(revision=2))
    assert targets(read) == []
    read.apply(INTEGRATIONS, "acme/settings", settings(revision=2))
    assert targets(read) == ["title"]


def test_a_removed_mapping_is_gone() -> None:
    read = configuration(settings(), people())
    read.apply(MAPPINGS, "acme/people", None)
    assert targets(read) == []


def test_another_connections_mappings_are_hidden() -> None:
    read = configuration(settings(connection=2), people(connection=1))
    assert targets(read) == []
    read.apply(MAPPINGS, "acme/people", people(connection=2))
    assert targets(read) == ["title"]


def test_an_old_connections_mapping_is_not_kept_for_a_newer_one_to_come() -> None:
    read = configuration(settings(), people())
    read.apply(MAPPINGS, "acme/people", people(revision=2, connection=2))
    read.apply(INTEGRATIONS, "acme/settings", settings(revision=1, connection=2))
    assert targets(read) == []


def test_disconnected_shows_as_such() -> None:
    view = configuration(settings(state="disconnected"), people()).view("acme")
    assert view is not None
    assert not view.connected


@pytest.mark.parametrize("state", ["connecting", "active", "paused"])
def test_every_other_state_is_connected(state: IntegrationState) -> None:
    view = configuration(settings(state=state)).view("acme")
    assert view is not None
    assert view.connected


def test_deleted_settings_end_the_integration() -> None:
    read = configuration(settings(), people())
    read.apply(INTEGRATIONS, "acme/settings", None)
    assert (read.view("acme"), read.views()) == (None, {})


def test_other_parts_of_an_integration_do_not_matter_here() -> None:
    read = configuration(settings(), people())
    read.apply(INTEGRATIONS, "claim/hubspot/1", IntegrationPart("acme", claim=IntegrationClaim("acme")))
    read.apply(INTEGRATIONS, "acme/hubspot", None)
    assert targets(read) == ["title"]


async def test_waiting_ends_when_the_revision_comes() -> None:
    read = configuration(settings(revision=1))
    waiting = asyncio.create_task(read.wait_for("acme", 1, 2, 5.0))
    await asyncio.sleep(0)
    assert not waiting.done()
    read.apply(INTEGRATIONS, "acme/settings", settings(revision=2))
    await waiting


async def test_waiting_is_bounded_and_says_what_is_late() -> None:
    with pytest.raises(RevisionLate, match="acme: revision 2"):
        await configuration(settings(revision=1)).wait_for("acme", 1, 2, 0.0)


async def test_a_revision_of_an_earlier_connection_is_waited_for_by_nobody() -> None:
    await configuration(settings(connection=2, revision=1)).wait_for("acme", 1, 9, 0.0)


async def test_records_of_an_integration_that_is_nowhere_end_nothing() -> None:
    await configuration(settings()).wait_for("nobody", 1, 1, 0.0)


def read(connection: int, **whole: int) -> IntegrationPart:
    """A connector that has read its type for a mapping."""
    words = {name.replace("__", "/"): revision for name, revision in whole.items()}
    return IntegrationPart("acme", connector=ConnectorState(connection, 1, 1, "ok", whole=words))


@pytest.mark.parametrize("settings_first", [True, False])
def test_it_shows_which_types_were_read_whole_for_a_mapping_as_it_is(settings_first: bool) -> None:
    known = Configuration()
    parts = [("acme/settings", settings()), ("acme/userflow", read(1, users__people=1))]
    for key, part in parts if settings_first else reversed(parts):
        known.apply(INTEGRATIONS, key, part)
    known.apply(INTEGRATIONS, "acme/hubspot", read(1, contacts__people=1, contacts__others=9))
    known.apply(MAPPINGS, "acme/people", mapping(revision=1).record)
    view = known.view("acme")
    assert view is not None
    assert view.whole == {"userflow.users/people", "hubspot.contacts/people"}


def test_a_mapping_that_changed_since_or_a_new_one_is_not_known_whole() -> None:
    known = configuration(settings(2))
    known.apply(INTEGRATIONS, "acme/hubspot", read(1, contacts__people=1))
    for name, revision in (("people", 2), ("new", 1)):
        known.apply(MAPPINGS, f"acme/{name}", mapping(revision=revision, name=name).record)
    view = known.view("acme")
    assert view is not None
    assert view.whole == frozenset()


def test_of_a_new_connection_nothing_was_read() -> None:
    known = configuration(settings(connection=2))
    known.apply(INTEGRATIONS, "acme/userflow", read(1, users__people=1))
    view = known.view("acme")
    assert view is not None
    assert view.whole == frozenset()
