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
    "held",
]
"""`derived` and `held` are a step's own ends: the record goes on, now or later, and ends as one of the others."""

OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)
