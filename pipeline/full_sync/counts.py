"""What a run has read, found and written so far, summed from its parts into the run's own row. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from pipeline.full_sync.rows import Run
from pipeline.full_sync.situation import CONFIRM, COUNT, SWEEP
from schemas.runs import TOUCHED, WITH_REFUSED, RunProgress

VANISHED: Final = "vanished"
OPEN: Final = "open"
OF_READING: Final = ("read.", "expected.", "calls.", "vanished")
OF_MAPPINGS: Final = (
    "pairs",
    "written",
    "equal",
    "refused",
    "ambiguous",
    "crowded",
    "unmatched.hubspot",
    "unmatched.userflow",
)
"""Counted by mapping too, under `<mapping>/<count>`."""
LEADS_ON: Final = (OPEN, "written", "refused", TOUCHED)
"""Counts of pairs that the writing of a run does something about."""
TOTAL: Final = "total"
ASKED: Final = "asked"


def counts_of(run: Run) -> Mapping[str, int]:
    """Every figure of the run by its name; what was summed before stays where its parts are gone."""
    compared = _compared(run)
    before = {name: count for name, count in run.row.counts.items() if not compared or name.startswith(OF_READING)}
    found = {**before, **dict(_read_so_far(run)), **compared}
    vanished = _latest(run, "objects", SWEEP)
    if vanished:
        found[VANISHED] = sum(row.counts.get(VANISHED, 0) for row in vanished.values())
    return found


def by_mapping(run: Run) -> Mapping[str, Mapping[str, int]]:
    """How the pairs of each mapping stand, as far as they were counted; the run keeps it when its parts are gone."""
    found: dict[str, dict[str, int]] = {}
    for name, count in counts_of(run).items():
        mapping, slash, outcome = name.partition("/")
        if slash:
            found.setdefault(mapping, {})[outcome] = count
    return found


def mapping_rows(run: Run, step: str, attempt: int) -> Mapping[tuple[str, str], RunProgress]:
    """(partition, mapping or type) -> the worker's row of that step and attempt."""
    found = {}
    for name, row in run.parts.items():
        place = _place(name)
        if place is not None and place[3:] == (step, attempt):
            found[place[1], place[2]] = row
    return found


def out_of_step(counts: Mapping[str, int]) -> int:
    """Pairs with a refused field; an earlier release's worker tells those alone to which nothing was written."""
    return counts.get(WITH_REFUSED, counts.get("refused", 0))


def open_in(run: Run, step: str, attempt: int) -> int:
    """What the step left open."""
    return sum(row.counts.get(OPEN, 0) for row in mapping_rows(run, step, attempt).values())


def all_in_step(run: Run, attempt: int) -> bool:
    """Whether that count has found nothing to write, to try again or to send: nobody has to look at the pairs again.

    A worker of before this was asked does not tell it, and its pairs are looked at.
    """
    rows = [row.counts for row in mapping_rows(run, COUNT, attempt).values()]
    told = all(TOUCHED in counts or not counts.get("pairs") for counts in rows)
    return told and not any(counts.get(name) for counts in rows for name in LEADS_ON)


def last_attempt(run: Run, step: str) -> int:
    """The highest attempt of a step that any part tells of; 0: none."""
    places = (_place(name) for name in run.parts)
    return max((place[4] for place in places if place is not None and place[3] == step), default=0)


def _compared(run: Run) -> Mapping[str, int]:
    """The newest counts of each partition and mapping, confirmed ones before those of what was to be written."""
    newest = {**_latest(run, "pairs", COUNT), **_latest(run, "pairs", CONFIRM)}
    total: Counter[str] = Counter()
    for (_, mapping), row in newest.items():
        total.update({**row.counts, WITH_REFUSED: out_of_step(row.counts)})
        total.update({f"{mapping}/{name}": row.counts.get(name, 0) for name in OF_MAPPINGS})
        total[f"{mapping}/{WITH_REFUSED}"] += out_of_step(row.counts)
    return total


def _latest(run: Run, stage: str, step: str) -> dict[tuple[str, str], RunProgress]:
    """The completed row of the highest attempt, by partition and mapping."""
    found: dict[tuple[str, str], tuple[int, RunProgress]] = {}
    for name, row in run.parts.items():
        place = _place(name)
        if place is None or (place[0], place[3]) != (stage, step) or row.state != "completed":
            continue
        before = found.get((place[1], place[2]))
        if before is None or before[0] < place[4]:
            found[place[1], place[2]] = place[4], row
    return {key: row for key, (_, row) in found.items()}


def _place(name: str) -> tuple[str, str, str, str, int] | None:
    """Stage, partition, mapping or type, step and attempt of a worker's part; None for another's."""
    words = name.split("/")
    if len(words) != 5 or not words[4].isdecimal():
        return None
    return words[0], words[1], words[2], words[3], int(words[4])


def _read_so_far(run: Run) -> Iterator[tuple[str, int]]:
    """`read.hubspot.contacts` and its kin, of crawls, lookups and totals together."""
    types = {name.partition("/")[0] for name, row in run.parts.items() if _is_reading(name, row)}
    for object_type in sorted(types):
        crawl, asked, total = (run.parts.get(f"{object_type}{suffix}") for suffix in ("", f"/{ASKED}", f"/{TOTAL}"))
        rows = [row for row in (crawl, asked, total) if row is not None]
        yield f"read.{object_type}", sum(row.read for row in (crawl, asked) if row is not None)
        yield f"calls.{object_type}", sum(row.calls for row in rows)
        expected = _expected(run, object_type)
        if expected is not None:
            yield f"expected.{object_type}", expected


def _expected(run: Run, object_type: str) -> int | None:
    """How many objects a crawl of the type will read; None where it is not crawled, or nobody knows."""
    crawl, total = run.parts.get(object_type), run.parts.get(f"{object_type}/{TOTAL}")
    if object_type not in run.full_sync.crawls:
        return None
    if crawl is not None and crawl.state == "completed":
        return crawl.read
    if total is not None and total.expected >= 0:
        return total.expected
    return run.row.counts.get(f"expected.{object_type}")


def _is_reading(name: str, row: RunProgress) -> bool:
    object_type, _, suffix = name.partition("/")
    return "." in object_type and suffix in ("", ASKED, TOTAL) and _place(name) is None


def read_whole(runs: Iterable[Run]) -> Mapping[str, int]:
    """`<system>.<type>` -> how many objects the newest completed run that crawled it has read; oldest run first."""
    found: dict[str, int] = {}
    for run in runs:
        if run.row.state == "completed":
            found |= {name: run.row.counts.get(f"read.{name}", 0) for name in run.full_sync.crawls}
    return found
