"""Which count a change of the partition count goes to."""

import pytest

from pipeline.commands.repartition_actions import wanted
from pipeline.operations.moved_topics import Journal, RepartitionRefused

NOT_NOTED = Journal("copying", 0, 0, "", 0)
"""Cut off between making the journal's topic and writing to it."""
COPYING = Journal("copying", 4, 12, "ada@host", 1)


def test_a_number_that_is_named_counts_whatever_was_copied() -> None:
    assert [wanted(8, journal) for journal in (None, NOT_NOTED, COPYING)] == [8, 8, 8]


def test_who_resumes_goes_on_to_the_count_that_was_noted() -> None:
    assert wanted(None, COPYING) == 12
    for journal, why in ((None, "no change was cut off"), (NOT_NOTED, "name the number again, or --abandon")):
        with pytest.raises(RepartitionRefused, match=why):
            wanted(None, journal)
