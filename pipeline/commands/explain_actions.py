"""What the command on one object or pair does: reads what explains it, prints it, and follows it where wanted."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import click

from pipeline.commands.session import open_process, plain_errors, read_tables
from pipeline.explain.answer import Explanation, Named, NamedPair
from pipeline.explain.following import follow
from pipeline.explain.reading import Search, Sources, Tables, explain_object, explain_pair
from pipeline.explain.report import report
from pipeline.explain.text import explanation_lines, happening_line
from pipeline.operations import OperationRefused
from pipeline.process import Process, now_ms
from pipeline.visible import visible_lines
from schemas.values import SYSTEMS


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked about, and how much is to be told."""

    system: str  # or an integration
    object_type: str  # or a mapping
    object_id: str  # or a match value
    integration: str | None
    most: int
    within_s: float
    follow: bool
    values: bool
    shape: str


def explain_one(asked: Asked) -> None:
    """Print what is known of an object, in each integration that has its type, or of a pair."""
    with plain_errors():
        process = open_process()
        tables = read_tables(process)
        try:
            told = explained(process, tables, asked)
        finally:
            tables.stop()
        if asked.shape == "json":
            click.echo(json.dumps(report(now_ms(), told, values=asked.values), ensure_ascii=False))
            return
        for one in told:
            _say(explanation_lines(one, values=asked.values))
        if asked.follow:
            _follow(process, told)


def explained(process: Process, tables: Tables, asked: Asked) -> Sequence[Explanation]:
    """The answers. Raises OperationRefused where nobody maps what is asked about."""
    sources, search = sources_of(process), Search(asked.most, asked.within_s)
    system = next((one for one in SYSTEMS if one == asked.system), None)
    if system is None:
        pair = NamedPair(asked.system, asked.object_type, asked.object_id)
        told = explain_pair(sources, tables, pair, search)
        if told is None:
            raise OperationRefused(
                f"no connected integration {asked.system} has a mapping {asked.object_type}. Fix: name an object by "
                "`hubspot` or `userflow`, its type and id, or a pair by its integration, mapping and match value"
            )
        return [told]
    found = explain_object(
        sources, tables, Named(system, asked.object_type, asked.object_id), asked.integration, search
    )
    if not found:
        whose = f"integration {asked.integration}" if asked.integration else "connected integration"
        raise OperationRefused(f"no {whose} has a mapping for {asked.object_type} of {system}")
    return found


def sources_of(process: Process) -> Sources:
    """Where explanations of this installation are read from."""
    settings = process.settings
    return Sources(process.cluster, process.codec, settings.partitions, settings.lookup_interval_s * 1000, now_ms)


def _follow(process: Process, told: Sequence[Explanation]) -> None:
    for happening in follow(sources_of(process), told):
        _say([f"  {happening_line(happening, now_ms())}"])


def _say(lines: Iterator[str] | Sequence[str]) -> None:
    for line in lines:
        click.echo(visible_lines(line))
