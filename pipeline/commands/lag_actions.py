"""What `lag` does: look, show, and look again where that is wanted."""

import sys
import time

import click

from pipeline.commands.output import say, say_object
from pipeline.commands.session import open_process, plain_errors, read_tables
from pipeline.exit_codes import DONE, REFUSED
from pipeline.lag.judging import Lag
from pipeline.lag.looking import look
from pipeline.lag.reading import Brokers
from pipeline.lag.report import report
from pipeline.lag.stages import STAGES
from pipeline.lag.text import integration_table, place_table, stage_table, too_late
from pipeline.observability.printable import drawing
from pipeline.operations import OperationRefused
from pipeline.process import Process, now_ms
from schemas.integrations import connector_of, every
from schemas.topics import INTEGRATIONS
from schemas.values import SYSTEMS

Parked = dict[str, list[str]]
CLEAR = "\x1b[2J\x1b[H"


class NoSuchGroup(OperationRefused):
    """No stage belongs to that group; the message names those there are."""


def tell(
    partitions: bool, group: str | None, by: str | None, allowed_s: float | None, every_s: float | None, shape: str
) -> None:
    """Show how far behind the road is; with `every_s` until Ctrl-C. Exits 1 where a stage is later than allowed."""
    with plain_errors():
        groups = sorted({stage.group for stage in STAGES})
        if group is not None and group not in groups:
            raise NoSuchGroup(f"no stage belongs to group {group}; there are: {', '.join(groups)}")
        process = open_process()
        process.check_partitions()
        brokers = Brokers(process.cluster, process.codec, process.admin(), now_ms)
        while True:
            seen, parked = look(brokers), _parked(process)
            days = process.settings.changes_retention_days
            late = [] if allowed_s is None else too_late(seen, allowed_s)
            if every_s is not None and sys.stdout.isatty():
                clear()
            if shape != "text":
                say_object(report(seen, parked, days))
            elif allowed_s is not None:
                say(*late)
            else:
                say(*_table(seen, parked, partitions, group, by, days))
            if every_s is None:
                sys.exit(REFUSED if late else DONE)
            time.sleep(every_s)


def clear() -> None:
    """Empty the terminal for what is shown next."""
    click.echo(CLEAR, drawing(sys.stdout), nl=False)


def _table(
    lag: Lag, parked: Parked, partitions: bool, group: str | None, by: str | None, days: int | None
) -> list[str]:
    if partitions:
        return place_table(lag, group)
    return integration_table(lag) if by else stage_table(lag, parked, days)


def _parked(process: Process) -> Parked:
    """The integrations of which a system's patches are parked."""
    tables = read_tables(process)
    try:
        parts = tables.table(INTEGRATIONS)
        states = {system: {name: connector_of(parts, name, system) for name in every(parts)} for system in SYSTEMS}
    finally:
        tables.stop()
    return {
        system: [name for name, state in found.items() if state is not None and state.parked]
        for system, found in states.items()
    }
