"""Asking anew about one object: both systems read it, its pair is derived again, who holds its match value. Pure."""

from collections.abc import Iterator

from pipeline.core.mapping import OTHER
from pipeline.operations.object_report import Explained, Named, PairReport
from schemas.records import ConnectorRequest, StateCommand
from schemas.topics import STATE_COMMANDS, pair_key, requests_topic

Asked = tuple[str, str, ConnectorRequest | StateCommand]
"""Topic, key and record."""


def reread(name: str, connection: int, named: Named, pairs: tuple[PairReport, ...]) -> Iterator[Asked]:
    """Read the object, and whoever is known to hold its match values, at their systems."""
    wanted = {named: None}
    for pair in pairs:
        for system, ids in pair.ids.items():
            wanted |= {Named(system, pair.view.object_type(system), object_id): None for object_id in ids}
    for one in wanted:
        request = ConnectorRequest(name, connection, "reread", one.object_type, (one.object_id,))
        yield requests_topic(one.system), name, request


def rederive(name: str, connection: int, pairs: tuple[PairReport, ...]) -> Iterator[Asked]:
    """Compute the pairs' patches again from what is known; what was refused or contested is left alone."""
    for pair in pairs:
        if pair.match_value is None:
            continue
        key = pair_key(name, connection, pair.view.name, pair.match_value)
        command = StateCommand(name, connection, "pairs", "rederive", mapping=pair.view.name, object_key=key)
        yield STATE_COMMANDS, key, command


def lookup(name: str, connection: int, about: Explained, pairs: tuple[PairReport, ...]) -> Iterator[Asked]:
    """Ask the other system who holds the object's match values."""
    other = OTHER[about.system]
    for pair in pairs:
        if pair.match_value is None:
            continue
        view = pair.view
        request = ConnectorRequest(
            name,
            connection,
            "lookup",
            view.object_type(other),
            (pair.match_value,),
            match_field=view.match_field(other),
            mapping=view.name,
            by_email=view.by_email,
            tell_missing=True,
        )
        yield requests_topic(other), name, request
