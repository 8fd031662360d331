"""How a record can end: one outcome each, and a sentence for it."""

from collections.abc import Mapping
from typing import Final, Literal

Outcome = Literal[
    "written",
    "equal",
    "unmatched",
    "ambiguous",
    "crowded",
    "stale",
    "contested",
    "refused",
    "parked",
    "superseded",
    "dead-lettered",
    "disconnected",
    "erased",
    "derived",
    "held",
]
"""`derived` and `held` are a step's own ends: the record goes on, now or later, and ends as one of the others."""

OUTCOMES: Final[Mapping[Outcome, str]] = {
    "written": "the target took the value, or the event stands on its timeline",
    "equal": "both sides agree already; our own write's echo ends so",
    "unmatched": "no object on the other side, or the object is gone",
    "ambiguous": "several objects on one side hold the match value; nothing is written",
    "crowded": "more than 25 objects on one side hold the match value; nothing is written until fewer are counted",
    "stale": "older than what is known",
    "contested": "somebody else keeps rewriting the field; left alone until the next full sync",
    "refused": "the target, or conversion, refuses a value; the dead letter has the reason",
    "parked": "the system is away, or too much waits for it; derived again when it is back",
    "superseded": "a later patch of the same object and fields takes its place",
    "dead-lettered": "could not be handled; the dead letter has the reason",
    "disconnected": "of a connection that is no more",
    "erased": "of an object that was erased, or the erasure itself",
    "derived": "a step's own end: patches or requests follow from the record",
    "held": "a step's own end: the event waits for its pair",
}
