"""What the command on one object does: reads its row and its pairs' rows from the state topics."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import click

from connectors.kafka.latest import latest_row
from connectors.kafka.table import TableReader
from pipeline.agents.configuration import Configuration, IntegrationView
from pipeline.commands.session import open_process, plain_errors, read_tables
from pipeline.operations import OperationRefused
from pipeline.operations.explain import Explained, explain
from pipeline.process import Process
from pipeline.visible import visible_lines
from schemas.integrations import every
from schemas.state import ObjectState, PairState
from schemas.topics import INTEGRATIONS, MAPPINGS, OBJECTS_STATE, PAIRS_STATE, object_key, pair_key
from schemas.values import System


@dataclass(frozen=True, slots=True)
class Named:
    """The object that is asked about."""

    system: System
    object_type: str
    object_id: str


def explain_object(named: Named, integration: str | None) -> None:
    """Print what is known of an object, in each integration that has its type."""
    with plain_errors():
        process = open_process()
        tables = read_tables(process)
        try:
            views = dict(_views(tables, named, integration))
        finally:
            tables.stop()
        if not views:
            whose = f"integration {integration}" if integration else "connected integration"
            raise OperationRefused(f"no {whose} has a mapping for {named.object_type} of {named.system}")
        for name, view in views.items():
            for line in _explained(process, name, view, named):
                click.echo(visible_lines(line), file=sys.stdout)


def _views(tables: TableReader, named: Named, integration: str | None) -> Iterator[tuple[str, IntegrationView]]:
    """The connected integrations with a mapping of the type."""
    configuration = Configuration()
    for topic in (MAPPINGS, INTEGRATIONS):
        for key, record in tables.table(topic).items():
            configuration.apply(topic, key, record)
    for name in every(tables.table(INTEGRATIONS)):
        view = configuration.view(name)
        wanted = integration in (None, name) and view is not None and view.connected
        if wanted and view is not None and view.of_type(named.system, named.object_type):
            yield name, view


def _explained(process: Process, name: str, view: IntegrationView, named: Named) -> Iterator[str]:
    system, object_type, object_id = named.system, named.object_type, named.object_id
    key = object_key(name, view.connection, system, object_type, object_id)
    row = _row(process, OBJECTS_STATE, key)
    known = row if isinstance(row, ObjectState) else None
    mappings = {one.name: one for one in view.of_type(system, object_type)}
    pairs = dict(_pairs(process, name, view.connection, known.matches if known is not None else {}))
    yield f"{name}, {system} {object_type} {object_id}"
    about = Explained(system, object_id, known, pairs, mappings, view.whole)
    yield from (f"  {line}" for line in explain(about))


def _pairs(
    process: Process, name: str, connection: int, matches: Mapping[str, str]
) -> Iterator[tuple[str, PairState | None]]:
    for mapping, value in matches.items():
        row = _row(process, PAIRS_STATE, pair_key(name, connection, mapping, value))
        yield mapping, row if isinstance(row, PairState) else None


def _row(process: Process, topic: str, key: str) -> Any:
    """The newest committed row of a key."""
    newest = latest_row(process.cluster, topic, process.settings.partitions, key)
    return None if newest is None else process.codec.decode(topic, newest)
