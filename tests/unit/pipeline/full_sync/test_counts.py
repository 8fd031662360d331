"""What the parts of a run's worker come to."""

from collections.abc import Mapping

import pytest

from pipeline.full_sync.counts import by_mapping, counts_of, out_of_step
from pipeline.full_sync.rows import Run
from schemas.runs import WITH_REFUSED, FullSyncRun, RunProgress

OF_OLD = {"pairs": 5, "refused": 2, "refused.not_an_option": 2}
"""Two pairs are refused; of those that were written nobody tells whether a field was refused too."""
OF_NEW = {"pairs": 5, "written": 1, "refused": 2, WITH_REFUSED: 3, "refused.not_an_option": 3}


def run(*counts: Mapping[str, int]) -> Run:
    """A run whose pairs were confirmed by a worker for each partition."""
    row = RunProgress("1-a", "acme", "run", "running", 1, 2, full_sync=FullSyncRun())
    parts = {
        f"pairs/{partition}/people/confirm/1": RunProgress("1-a", "acme", "pairs", "completed", 1, 2, counts=told)
        for partition, told in enumerate(counts)
    }
    return Run(row, parts)


@pytest.mark.parametrize(
    ("counts", "refused"),
    [((OF_OLD, OF_OLD), 4), ((OF_NEW, OF_NEW), 6), ((OF_OLD, OF_NEW), 5), (({"pairs": 5}, OF_NEW), 3)],
    ids=["of an earlier release", "of this one", "of both", "with a partition in step"],
)
def test_refused_pairs_are_told_whatever_workers_count_them(
    counts: tuple[Mapping[str, int], ...], refused: int
) -> None:
    """Of both together only those of the newer worker were told, and the run as better than it was."""
    it = run(*counts)
    assert out_of_step(counts_of(it)) == refused
    assert out_of_step(by_mapping(it)["people"]) == refused
