"""Whether a run has to ask before it writes: somebody wants it to, or more would be emptied than one expects. Pure."""

from collections.abc import Mapping

from pipeline.counting import counted
from pipeline.full_sync.counts import counts_of
from pipeline.full_sync.rows import Run
from pipeline.full_sync.situation import Situation


def worth_asking(run: Run, situation: Situation) -> bool:
    """Whether it would write and is to ask, or more than the bound of the pairs would get a field emptied."""
    counts = counts_of(run)
    if run.full_sync.asks and _to_write(counts):
        return True
    return counts.get("cleared", 0) > situation.most_emptied * counts.get("pairs", 0)


def question(run: Run) -> str:
    """What the run waits for."""
    counts, name = counts_of(run), run.row.integration
    told = f"{counts.get('cleared', 0)} of {counts.get('pairs', 0)} pairs would get a field emptied"
    if run.full_sync.asks:
        told = f"it would write {counted(_to_write(counts), 'object')}, and {told}"
    return f"waiting for confirm: {told}: `pairstream full-sync confirm {name}`, or `pairstream full-sync stop {name}`"


def _to_write(counts: Mapping[str, int]) -> int:
    return sum(number for word, number in counts.items() if word.startswith("written."))
