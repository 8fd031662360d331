"""How a record can end: one outcome each, and the stable codes of a refusal."""

from typing import Final, Literal, get_args

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
    "derived",
]
"""`derived` is a step's own end: the record went on as the next one, which ends as one of the others."""

OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)
