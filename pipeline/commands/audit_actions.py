"""What `pairstream audit` does: reads the audit to its end."""

from collections.abc import Sequence

import click

from connectors.kafka.partitioner import partition_of
from connectors.kafka.reading import read_to_end
from pipeline.commands.options import since_ms
from pipeline.commands.output import say_object
from pipeline.commands.session import known, open_process, plain_errors, read_tables
from pipeline.operations.audit import document_of, entries, entry_report
from pipeline.operations.letter_report import clock, table
from pipeline.operations.positions import Position
from pipeline.process import Process, now_ms
from pipeline.visible import visible, visible_lines
from schemas.operating import AuditEntry
from schemas.topics import AUDIT, INTEGRATIONS

HEAD = ("AT", "INTEGRATION", "ACTION", "REVISION", "BY", "FROM", "WHAT")


def tell(name: str | None, *, shape: str, action: str | None, since: Position | None) -> None:
    """Print what was done, oldest first."""
    with plain_errors():
        process = open_process()
        there = read(process, name, None, 0)
        if name is not None and not there:
            known(read_tables(process).table(INTEGRATIONS), name)
        found = [entry for entry in there if action in (None, entry.action) and entry.at_ms >= since_ms(since)]
        at_ms = now_ms()
        if shape == "json":
            told = {"at_ms": at_ms, "entries": [entry_report(entry) for entry in found]}
            return say_object(told)
        if not found:
            return click.echo(_nothing(there))
        rows = [
            (
                clock(entry.at_ms, at_ms),
                entry.integration or "-",
                entry.action,
                str(entry.revision or "-"),
                entry.by,
                entry.place,
                entry.detail or "-",
            )
            for entry in found
        ]
        for line in table(HEAD, [tuple(map(visible, row)) for row in rows]):
            click.echo(line)


def _nothing(there: Sequence[AuditEntry]) -> str:
    """What is told where nothing is as was asked."""
    actions = ", ".join(sorted({visible(entry.action) for entry in there}))
    return f"no such entry; there are entries of: {actions}" if actions else "nothing was done"


def print_revision(name: str, revision: int, shape: str) -> None:
    """Print the integration file of a revision."""
    with plain_errors():
        document = document_of(read(open_process(), name, None, 0), name, revision)
        if shape == "json":
            told = {"at_ms": now_ms(), "integration": name, "revision": revision, "document": document}
            return say_object(told)
        click.echo(visible_lines(document), nl=False)


def read(process: Process, name: str | None, action: str | None, since: int) -> list[AuditEntry]:
    """What the audit holds, of one integration or of all; blocks."""
    begins = process.admin().begin_offsets([AUDIT])
    if name is not None:  # the partition of its key holds all of it
        place = AUDIT, partition_of(name, len(begins))
        begins = {place: begins[place]}
    return entries(read_to_end(process.cluster, begins), process.codec, name, action, since)
