"""Whether a run has to ask before it writes: more pairs would get a field emptied than a person may expect. Pure."""

from pipeline.full_sync.counts import counts_of
from pipeline.full_sync.rows import Run
from pipeline.full_sync.situation import Situation


def worth_asking(run: Run, situation: Situation) -> bool:
    """Whether more than the bound of the pairs would get a field emptied."""
    counts = counts_of(run)
    return counts.get("cleared", 0) > situation.most_emptied * counts.get("pairs", 0)


def question(run: Run) -> str:
    """What the run waits for."""
    counts, name = counts_of(run), run.row.integration
    told = f"{counts.get('cleared', 0)} of {counts.get('pairs', 0)} pairs would get a field emptied"
    return f"waiting for confirm: {told}: `pairstream full-sync confirm {name}`, or `pairstream full-sync stop {name}`"
