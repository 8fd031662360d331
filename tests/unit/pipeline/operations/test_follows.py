"""What is told to do once a file is in force."""

from dataclasses import replace

import pytest

from pipeline.integration_file.export import to_yaml
from pipeline.operations.apply import what_follows
from schemas.configuration import Sections
from tests.unit.pipeline.integration_file.files import loaded
from tests.unit.pipeline.operations.test_connect import DEALS, SECTION, SETTINGS


def test_of_a_first_connection_a_full_sync_is_for_a_person_to_start() -> None:
    first = replace(SETTINGS, connection=1)

    assert "`pairstream full-sync start acme`" in what_follows("acme", None, first)
    assert "`pairstream full-sync start acme`" in what_follows("acme", replace(first, active_revision=0), first)


def test_another_connection_begins_one_by_itself_so_that_to_start_it_would_be_refused() -> None:
    first, second = replace(SETTINGS, connection=1), replace(SETTINGS, connection=2)

    for before in (None, first, replace(second, active_revision=0)):
        assert "begins by itself: `pairstream full-sync watch acme`" in what_follows("acme", before, second)


@pytest.mark.parametrize("connection", [1, 2])
def test_credentials_that_are_replaced_need_no_full_sync_and_other_mappings_do(connection: int) -> None:
    before = replace(SETTINGS, connection=connection)
    newer = replace(before, revision=2, active_revision=2, hubspot=replace(SECTION, secrets={"token": b"new"}))
    mapped = replace(newer, document=to_yaml(loaded(DEALS)))

    assert "no full sync is needed" in what_follows("acme", before, newer)
    assert "`pairstream full-sync start acme`" in what_follows("acme", before, mapped)
    taking_over = replace(mapped, active_revision=1, fallback=Sections(before.document, SECTION, before.userflow))
    assert "`pairstream full-sync start acme`" in what_follows("acme", taking_over, mapped)
    unreadable = replace(before, document="integration: acme")
    assert "`pairstream full-sync start acme`" in what_follows("acme", unreadable, newer)
