"""How a mapping's two sides are read in as few calls as possible. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from schemas.records import ObjectMapping

Strategy = Literal["lists", "lookup_hubspot", "lookup_userflow"]
"""Both sides by list; Userflow by list and HubSpot by batches of match values; HubSpot by list and Userflow by single
reads."""

PAGE: Final = 100
FEW: Final = 100
"""HubSpot objects, each of which may be looked up in Userflow although the size of Userflow's side is not known."""
OBJECT_ID: Final = "hs_object_id"


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many objects each side has; None where that is not known."""

    hubspot: int | None
    userflow: int | None


def choose(mapping: ObjectMapping, sizes: Sizes) -> Strategy:
    """The cheapest way by calls; where several cost the same, the one that reads more."""
    costs = dict(_costs(mapping, sizes))
    return min(costs, key=lambda strategy: costs[strategy])


def _costs(mapping: ObjectMapping, sizes: Sizes) -> Iterable[tuple[Strategy, float]]:
    hubspot, userflow = sizes.hubspot, sizes.userflow
    by_batch = mapping.match_hubspot_unique or mapping.match_hubspot == OBJECT_ID
    one_by_one = mapping.match_userflow == "id" or (mapping.userflow_type, mapping.match_userflow) == ("users", "email")
    unknown = float("inf")
    # a side of unknown size is taken for larger than the other
    pages = unknown if hubspot is None else _pages(hubspot)
    yield "lists", pages + (unknown if userflow is None else _pages(userflow))
    if by_batch:
        yield "lookup_hubspot", unknown if userflow is None else 2 * _pages(userflow)
    if one_by_one and hubspot is not None and (userflow is not None or hubspot <= FEW):
        yield "lookup_userflow", pages + hubspot


def provisional(mapping: ObjectMapping, sizes: Sizes) -> Strategy:
    """The way to begin with: where Userflow's size is not known, its list comes first and tells it."""
    chosen = choose(mapping, sizes)
    by_batch = mapping.match_hubspot_unique or mapping.match_hubspot == OBJECT_ID
    return "lookup_hubspot" if chosen == "lists" and by_batch and None in (sizes.hubspot, sizes.userflow) else chosen


def _pages(objects: int) -> int:
    return -(-objects // PAGE)
