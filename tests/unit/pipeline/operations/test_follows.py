"""What is told to do once a file is in force."""

from dataclasses import replace

from pipeline.operations.apply import what_follows
from tests.unit.pipeline.operations.test_connect import SETTINGS


def test_of_a_first_connection_a_full_sync_is_for_a_person_to_start() -> None:
    first = replace(SETTINGS, connection=1)

    assert "`pairstream full-sync start acme`" in what_follows("acme", None, first)
    assert "`pairstream full-sync start acme`" in what_follows("acme", first, first)


def test_another_connection_begins_one_by_itself_so_that_to_start_it_would_be_refused() -> None:
    first, second = replace(SETTINGS, connection=1), replace(SETTINGS, connection=2)

    for before in (None, first, replace(second, active_revision=0)):
        assert "begins by itself: `pairstream full-sync watch acme`" in what_follows("acme", before, second)
    assert "`pairstream full-sync start acme`" in what_follows("acme", second, second)
