"""What the command on one object or pair does: reads what explains it, prints it, and follows it where wanted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from connectors.kafka.producer import publish_now
from pipeline.agents.configuration import IntegrationView
from pipeline.commands.output import say, say_object
from pipeline.commands.session import audit, open_process, plain_errors, read_tables
from pipeline.explain.answer import Explanation, Named, NamedPair
from pipeline.explain.following import follow
from pipeline.explain.look_now import LOOK_NOW, Looked, look_now, place_of, questions_of
from pipeline.explain.reading import Tables, connected, explain_object, explain_pair
from pipeline.explain.report import happening_report, report
from pipeline.explain.sources import Search, Sources
from pipeline.explain.text import explanation_lines, happening_line, look_lines
from pipeline.operations import OperationRefused
from pipeline.process import Process, now_ms
from schemas.values import SYSTEMS, System


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
    look: bool = False


def explain_one(asked: Asked) -> None:
    """Print what is known of an object, in each integration that has its type, or of a pair."""
    with plain_errors():
        check_text(asked)
        process = open_process()
        process.check_partitions()
        tables = read_tables(process)
        try:
            looked = look(process, tables, asked) if asked.look else []
            told = explained(process, tables, asked)
        finally:
            tables.stop()
        if asked.shape == "text":
            say(*look_lines(looked))
            for one in told:
                say(*explanation_lines(one, values=asked.values, looked=looked))
        else:
            say_object(report(now_ms(), told, looked, values=asked.values))
        if asked.follow:
            _follow(process, told, asked)


def check_text(asked: Asked) -> None:
    """Raises OperationRefused for bytes that are no UTF-8: no key of a record holds them."""
    try:
        "".join((asked.system, asked.object_type, asked.object_id, asked.integration or "")).encode()
    except UnicodeEncodeError:
        raise OperationRefused(
            "what is asked about is no text in UTF-8. Fix: write the id as its system shows it"
        ) from None


def look(process: Process, tables: Tables, asked: Asked) -> list[Looked]:
    """Have the systems asked; what was asked for stands in the audit, an id that may be an address does not."""
    system = _system(asked)
    what: Named | NamedPair = (
        NamedPair(asked.system, asked.object_type, asked.object_id)
        if system is None
        else Named(system, asked.object_type, asked.object_id)
    )
    questions, told = questions_of(tables, what, asked.integration), audit()
    for name in sorted({one.integration for one in questions}):
        send(process, [told.deed(name, LOOK_NOW, place_of(what))])
    return look_now(sources_of(process), tables, questions, partial(send, process))


def send(process: Process, messages: Sequence[tuple[str, str, Any]]) -> None:
    """Publish records, (topic, key, record) each; blocks."""
    publish_now(process.cluster, process.codec, messages)


def explained(process: Process, tables: Tables, asked: Asked) -> Sequence[Explanation]:
    """The answers. Raises OperationRefused where nobody maps what is asked about."""
    sources, search = sources_of(process), Search(asked.most, asked.within_s)
    system = _system(asked)
    if system is None:
        pair = NamedPair(asked.system, asked.object_type, asked.object_id)
        told = explain_pair(sources, tables, pair, search)
        if told is None:
            view = connected(tables).get(asked.system)
            if view is not None:
                names = ", ".join(sorted(view.mappings)) or "none"
                raise OperationRefused(f"{asked.system} has no mapping {asked.object_type}; there are: {names}")
            there = ", ".join(sorted(connected(tables))) or "none"
            raise OperationRefused(
                f"no connected integration {asked.system}; there are: {there}. Fix: name an object by `hubspot` or "
                "`userflow`, its type and id, or a pair by its integration, mapping and match value"
            )
        return [told]
    found = explain_object(
        sources, tables, Named(system, asked.object_type, asked.object_id), asked.integration, search
    )
    if not found:
        raise OperationRefused(nobody_maps(system, asked, connected(tables)))
    return found


def _system(asked: Asked) -> System | None:
    return next((one for one in SYSTEMS if one == asked.system), None)


def nobody_maps(system: System, asked: Asked, views: Mapping[str, IntegrationView]) -> str:
    """Why there is no answer about an object."""
    if asked.integration is not None and asked.integration not in views:
        return f"no connected integration {asked.integration}; there are: {', '.join(sorted(views)) or 'none'}"
    asked_of = [view for name, view in views.items() if asked.integration in (None, name)]
    types = {mapping.object_type(system) for view in asked_of for mapping in view.mappings.values()}
    whose = f"integration {asked.integration}" if asked.integration else "connected integration"
    there = ", ".join(sorted(types)) or "none"
    return f"no {whose} has a mapping for {asked.object_type} of {system}; there are: {there}"


def sources_of(process: Process) -> Sources:
    """Where explanations of this installation are read from."""
    settings = process.settings
    lookup_ms, hold_ms = settings.lookup_interval_s * 1000, settings.event_hold_s * 1000
    return Sources(process.cluster, process.codec, settings.partitions, lookup_ms, now_ms, hold_ms)


def _follow(process: Process, told: Sequence[Explanation], asked: Asked) -> None:
    for happening in follow(sources_of(process), told):
        if asked.shape == "text":
            say(f"  {happening_line(happening, now_ms())}")
        else:
            say_object(happening_report(happening, values=asked.values))
