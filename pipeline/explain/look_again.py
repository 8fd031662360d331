"""Asking anew about one object: both systems read it, its pair is derived again, who holds its match value. Pure."""

from collections.abc import Iterator

from pipeline.core.mapping import OTHER
from pipeline.explain.answer import Explanation, Named, PairAnswer
from schemas.records import ConnectorRequest, StateCommand
from schemas.topics import STATE_COMMANDS, pair_key, requests_topic

Asked = tuple[str, str, ConnectorRequest | StateCommand]
"""Topic, key and record."""


def reread(told: Explanation) -> Iterator[Asked]:
    """Read the object, and whoever is known to hold its match values, at their systems."""
    wanted = {told.named: None} if told.named is not None else {}
    for pair in told.pairs:
        wanted |= dict.fromkeys(holders(pair))
    for one in wanted:
        assert one is not None
        request = ConnectorRequest(told.integration, told.connection, "reread", one.object_type, (one.object_id,))
        yield requests_topic(one.system), told.integration, request


def rederive(told: Explanation) -> Iterator[Asked]:
    """Compute the pairs' patches again from what is known; what was refused or contested is left alone."""
    name, connection = told.integration, told.connection
    for pair in told.pairs:
        if pair.match_value is None:
            continue
        key = pair_key(name, connection, pair.mapping, pair.match_value)
        command = StateCommand(name, connection, "pairs", "rederive", mapping=pair.mapping, object_key=key)
        yield STATE_COMMANDS, key, command


def lookup(told: Explanation) -> Iterator[Asked]:
    """Ask the other system who holds the object's match values."""
    if told.named is None:
        return
    other = OTHER[told.named.system]
    for pair in told.pairs:
        if pair.match_value is None:
            continue
        request = ConnectorRequest(
            told.integration,
            told.connection,
            "lookup",
            pair.object_types[other],
            (pair.match_value,),
            match_field=pair.match_fields[other],
            mapping=pair.mapping,
            by_email=pair.match_fields["userflow"] == "email",
            tell_missing=True,
        )
        yield requests_topic(other), told.integration, request


def holders(pair: PairAnswer) -> list[Named]:
    """Everybody who is known to hold the pair's match value."""
    found = ((system, one) for system in sorted(pair.objects) for one in pair.objects[system])
    return [Named(system, pair.object_types[system], one) for system, one in found]
