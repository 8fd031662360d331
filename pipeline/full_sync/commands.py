"""The records by which a step of a run is carried out: requests to connectors, commands to the worker. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final, Literal

from pipeline.full_sync.counts import ASKED, TOTAL, mapping_rows
from pipeline.full_sync.rows import SYSTEMS, Run
from pipeline.full_sync.situation import ASK, CONFIRM, COUNT, CRAWL, SWEEP, TOTALS, WRITE, Command, Situation
from schemas.records import Cause, CommandStep, ConnectorRequest, ObjectMapping, StateCommand
from schemas.runs import RunProgress, revisions_told
from schemas.topics import STATE_COMMANDS, object_key, requests_topic
from schemas.values import System

SILENT_MS: Final = 12_000
"""After so long without a sign of life a connector is asked again: heartbeats come every 5 s."""
MOST_FIELDS: Final = 4_000
"""Of one round of commands. The next round leaves while as many wait: a vendor's limit stands unused at no time, and
beyond 10,000 that wait a sink parks."""
ROUND_S: Final = 5
"""What a capped run writes in so many seconds is written in one go, unless each command's first pair is more."""

OF_PAIRS: Final[Mapping[str, CommandStep]] = {ASK: "ask", COUNT: "count", WRITE: "write", CONFIRM: "confirm"}

RequestOf = Literal["count", "crawl", "whole"]


def commands_of(run: Run, situation: Situation, *, silent_ms: int = 0) -> tuple[Command, ...]:
    """What the present step needs and has not been told to have ended; to be sent after the run's row, and again.

    With `silent_ms` only what connectors have shown no sign of life of for so long.
    """
    return tuple(_commands(run, situation, silent_ms))


def _commands(run: Run, situation: Situation, silent_ms: int) -> Iterator[Command]:
    step = run.full_sync.step
    if step == TOTALS:
        for name in counted_types(run, situation):
            if _to_be_sent(run, f"{name}/{TOTAL}", situation.now_ms - silent_ms):
                yield _request(run, name, "count")
    elif step == CRAWL:
        for name in run.full_sync.crawls:
            if _to_be_sent(run, name, situation.now_ms - silent_ms):
                yield _request(run, name, "crawl")
    elif not silent_ms:
        yield from _to_the_worker(run, situation, step)


def _to_be_sent(run: Run, part: str, since_ms: int) -> bool:
    row = run.parts.get(part)
    return row is None or (row.state == "running" and row.updated_at_ms <= since_ms)


def _to_the_worker(run: Run, situation: Situation, step: str) -> Iterator[Command]:
    if step in (ASK, SWEEP):
        # read whole only now: until the pass before this step was over, what the crawls read was not known
        yield from (_request(run, name, "whole", _revisions(run, situation, name)) for name in whole_types(run))
    if step == SWEEP:
        yield from _sweeps(run, situation)
    elif step in OF_PAIRS:
        done = mapping_rows(run, step, run.row.attempt)
        for name in step_mappings(run, situation, step):
            for number in range(situation.partitions):
                row = done.get((str(number), name))
                if row is None or row.state != "completed":
                    yield _compare(run, situation, OF_PAIRS[step], name, number, row)


def step_mappings(run: Run, situation: Situation, step: str) -> tuple[str, ...]:
    """The mappings that the step works on."""
    names = tuple(name for name in run.row.mappings if name in situation.mappings and name not in run.full_sync.failed)
    return tuple(name for name in names if asked_side(run, situation.mappings[name])) if step == ASK else names


def asked_side(run: Run, mapping: ObjectMapping) -> System | None:
    """The side that is asked by match value, because it is not crawled."""
    for system in SYSTEMS:
        if f"{system}.{mapping.object_type(system)}" not in run.full_sync.crawls:
            return system
    return None


def counted_types(run: Run, situation: Situation) -> tuple[str, ...]:
    """The types of the run, each once."""
    wanted = [situation.mappings[name] for name in run.row.mappings if name in situation.mappings]
    names = (f"{system}.{mapping.object_type(system)}" for system in SYSTEMS for mapping in wanted)
    return tuple(dict.fromkeys(names))


def whole_types(run: Run) -> tuple[str, ...]:
    """The types that this run crawled to their end."""
    parts = ((name, run.parts.get(name)) for name in run.full_sync.crawls)
    return tuple(name for name, row in parts if row is not None and row.state == "completed")


def failed_asks(run: Run) -> dict[str, str]:
    """Types of which lookups were given up -> reason."""
    suffix = f"/{ASKED}"
    rows = ((name.removesuffix(suffix), row) for name, row in run.parts.items() if name.endswith(suffix))
    return {name: row.reason or "failed" for name, row in rows if row.state == "failed"}


def _revisions(run: Run, situation: Situation, name: str) -> tuple[str, ...]:
    """The run's mappings that use the type, and under which revision it read them: a later one is not known whole."""
    used = (one for one in step_mappings(run, situation, SWEEP) if uses(situation.mappings[one], name))
    return revisions_told({mapping: run.full_sync.revisions.get(mapping, 0) for mapping in used})


def uses(mapping: ObjectMapping, name: str) -> bool:
    """Whether the mapping has the `<system>.<object type>` on one of its sides."""
    system, object_type = split(name)
    return mapping.object_type(system) == object_type


def _request(run: Run, name: str, kind: RequestOf, values: tuple[str, ...] = ()) -> Command:
    system, object_type = split(name)
    row = run.row
    request = ConnectorRequest(
        row.integration,
        run.full_sync.connection,
        kind,
        object_type,
        values,
        run_id=row.run_id,
        caused_by=_cause(run),
        bulk=True,
    )
    return Command(requests_topic(system), row.integration, request)


def _sweeps(run: Run, situation: Situation) -> Iterator[Command]:
    row, full_sync = run.row, run.full_sync
    done = mapping_rows(run, SWEEP, row.attempt)
    for name in whole_types(run):
        system, object_type = split(name)
        command = StateCommand(
            row.integration,
            full_sync.connection,
            "objects",
            "sweep",
            object_key=object_key(row.integration, full_sync.connection, system, object_type, ""),
            run_id=row.run_id,
            caused_by=_cause(run),
            bulk=True,
            step=SWEEP,
            attempt=row.attempt,
        )
        for number in range(situation.partitions):
            told = done.get((str(number), name))
            if told is None or told.state != "completed":
                yield Command(STATE_COMMANDS, f"partition-{number}", command, number)


def _compare(
    run: Run, situation: Situation, step: CommandStep, name: str, number: int, row: RunProgress | None
) -> Command:
    """The step's command for one partition; one that rests goes on where its row stands."""
    mapping = situation.mappings[name]
    command = StateCommand(
        run.row.integration,
        run.full_sync.connection,
        "pairs",
        "ask" if step == "ask" else "compare",
        mapping=mapping.name,
        run_id=run.row.run_id,
        caused_by=_cause(run),
        bulk=True,
        step=step,
        attempt=run.row.attempt,
        system=asked_side(run, mapping) if step == ASK else None,
        whole=whole_types(run),
        most=most_fields(run, situation) if step in (WRITE, CONFIRM) else 0,
    )
    if row is not None and row.cursor is not None:
        command = replace(command, cursor=row.cursor, counts=row.counts, samples=row.samples)
    return Command(STATE_COMMANDS, f"partition-{number}", command, number)


def most_fields(run: Run, situation: Situation) -> int:
    """How many fields one command may have written before it rests; of a pair that it began, all."""
    most = max(MOST_FIELDS // situation.partitions, 1)
    if not run.full_sync.most_per_s:
        return most
    commands = situation.partitions * max(len(step_mappings(run, situation, WRITE)), 1)
    return min(most, max(run.full_sync.most_per_s * ROUND_S // commands, 1))


def next_round_fits(run: Run, situation: Situation) -> bool:
    """Whether no more than a round waits before the sinks, and nothing of it before the worker.

    What writes lead to comes back to the worker: live changes wait behind no more than a round of it.
    """
    road = situation.road
    if road is None or road.behind > road.waiting:
        return False
    rules = (situation.mappings[name].rules for name in step_mappings(run, situation, WRITE))
    widest = max((max(Counter(rule.direction for rule in one).values(), default=0) for one in rules), default=0)
    return widest * road.waiting <= MOST_FIELDS  # what waits is counted in patches, each for one side


def round_ms(run: Run, situation: Situation) -> int:
    """How long a round of commands takes at least, so that the run writes no faster than it was asked to."""
    if not run.full_sync.most_per_s:
        return 0
    names = step_mappings(run, situation, WRITE)
    of_a_pair = sum(max(len(situation.mappings[name].rules) - 1, 0) for name in names)
    fields = situation.partitions * (most_fields(run, situation) * len(names) + of_a_pair)
    return fields * 1000 // run.full_sync.most_per_s


def split(name: str) -> tuple[System, str]:
    """`hubspot.contacts` -> its system and object type."""
    system, _, object_type = name.partition(".")
    return "hubspot" if system == "hubspot" else "userflow", object_type


def _cause(run: Run) -> Cause:
    return Cause("", -1, -1, run.row.started_at_ms)
