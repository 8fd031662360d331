"""What somebody can do about a dead letter, by its reason: a few words for a table."""

from collections.abc import Mapping
from typing import Final

from schemas.reasons import REASONS, ReasonKind

MEND: Final = "mend the value"
REMEDIES: Final[Mapping[str, str]] = {
    "unknown_field": "make the field in the target, then redrive",
    "read_only_field": "map to another field",
    "read_only": "map to another attribute",
    "invalid_option": "add the option in HubSpot, or map to a text",
    "not_an_option": "add the option in HubSpot, or map to a text",
    "missing_required_field": "fill the property that HubSpot requires",
    "not_unique": "free the value on the other record",
    "contested": "find who rewrites it, then redrive",
    "not_taken": "look at the target's rules, then redrive",
    "unknown_event_type": "`pairstream apply` the file, then redrive",
    "unknown_result": "may be there already; redrive --force",
    "no_converter": "map to a field of another type",
    "too_long": "shorten the value, or map to a longer field",
    "undecodable": "who wrote it? upgrade, then redrive",
    "untranslatable": "upgrade, then redrive",
    "malformed_notification": "upgrade, then redrive",
    "step_failed": "report it; upgrade, then redrive",
    "unencodable": "report it; upgrade, then redrive",
    "too_large": "make the values smaller",
    "records_lost": "`pairstream full-sync start`, then discard",
    "too_many_parked": "bring the system back, then redrive",
    "userflow_object_recreated": "look at the user, then discard",
    "userflow_object_recreated_kept": "look at the user, then discard",
}
BY_KIND: Final[Mapping[ReasonKind, str]] = {
    "value": MEND,
    "request": "look at the connector's log, then redrive",
    "connection": "see `pairstream doctor`, then redrive",
    "link": "run `pairstream connect` again",
    "passing": "redrive",
    "record": "redrive",
    "incident": "look at the object, then discard",
}


def what_to_do(reason: str) -> str:
    """The advice for a reason; a conversion's, or one that a vendor made up, is about the value."""
    if reason in REMEDIES:
        return REMEDIES[reason]
    return BY_KIND[REASONS[reason].kind] if reason in REASONS else MEND
