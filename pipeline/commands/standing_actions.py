"""What `integration list` and `integration show` do: gather what is known, and print it."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

from connectors.kafka.partitioner import partition_of
from connectors.kafka.table import TableIncomplete, TableReader
from pipeline.commands.audit_actions import read as read_audit
from pipeline.commands.output import say, say_object
from pipeline.commands.session import NONE_YET, known, open_process, plain_errors, unread
from pipeline.full_sync.rows import runs_of
from pipeline.full_sync.schedule import slot_ms
from pipeline.lag.judging import Lag
from pipeline.lag.looking import look
from pipeline.lag.reading import Brokers
from pipeline.operations.standing import Known, standing
from pipeline.operations.standing_text import lines, list_table
from pipeline.process import Process, now_ms
from schemas.audit import IN_FORCE
from schemas.configuration import IntegrationPart, IntegrationSettings
from schemas.integrations import every
from schemas.seals import seals_of
from schemas.topics import INTEGRATIONS, MAPPINGS, RUNS


def list_integrations(shape: str) -> None:
    """Print a line for every integration."""
    with plain_errors():
        found = _gathered(open_process())
        shown = [standing(name, settings, found) for name, settings in every(found.parts).items()]
        if shape == "json":
            say_object({"at_ms": found.lag.at_ms, "integrations": shown})
        else:
            say(*(list_table(shown) if shown else [NONE_YET]))


def show_integration(name: str, shape: str) -> None:
    """Print everything about one."""
    with plain_errors():
        process = open_process()
        found = replace(_gathered(process), audit=read_audit(process, name, IN_FORCE, 0))
        shown = standing(name, known(found.parts, name), found)
        if shape == "json":
            say_object(shown)
        else:
            say(*lines(shown))


def _gathered(process: Process) -> Known:
    """Everything there is to know, read once. Blocks. Raises as `start` does, and BrokersUnreachable."""
    process.check_partitions()
    tables = process.start(process.tables(RUNS), records=False)
    try:
        if tables.unreadable:
            raise TableIncomplete("\n".join(unread(tables)))
    finally:
        tables.stop()  # what it read stays
    return gathered(process, tables, look(Brokers(process.cluster, process.codec, process.admin(), now_ms)))


def gathered(process: Process, tables: TableReader, lag: Lag) -> Known:
    """Everything there is to know, of tables with RUNS and a look at the road."""
    parts, settings = dict(tables.table(INTEGRATIONS)), process.settings
    mappings: dict[str, list[str]] = defaultdict(list)
    for one in tables.table(MAPPINGS).values():
        mappings[one.integration].append(one.name)
    names = every(parts)
    return Known(
        parts,
        list(runs_of(tables.table(RUNS)).values()),
        lag,
        {name: sorted(ours) for name, ours in mappings.items()},
        {name: partition_of(name, settings.partitions) for name in names},
        {name: _sealed(process, name, parts) for name in names},
        _next(names, settings.full_sync_interval_s),
    )


def _sealed(process: Process, name: str, parts: Mapping[str, IntegrationPart]) -> tuple[int | None, int]:
    seals = [one for key, part in parts.items() if part.integration == name for one in seals_of(key, part)]
    newest = None if process.keyless else sum(process.box.is_newest(*one) for one in seals)
    return newest, len(seals)


def _next(names: Mapping[str, IntegrationSettings], interval_s: int) -> dict[str, int]:
    """When the scheduler begins the next full sync of each."""
    if not interval_s:
        return {}
    active = [name for name, settings in names.items() if settings.state == "active"]
    return {name: slot_ms(name, interval_s, now_ms()) + interval_s * 1000 for name in active}
