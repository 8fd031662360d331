"""Who is not linked: Userflow's objects by why, listed once for all who look; each leads to its page."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from pipeline.console import objects
from pipeline.console.head import head, settings_in
from pipeline.console.listings import Listing
from pipeline.console.pages.explain import path_of
from pipeline.console.pages.integration import mappings_of
from pipeline.console.paging import Pages
from pipeline.console.visit import Gone, NotHere, Sheet, Shown, Visit
from pipeline.console.words import clock, instant
from pipeline.explain.answer import Named, may_be_address
from pipeline.operations.unlinked import WHYS, Unlinked, Why
from schemas.records import ObjectMapping

HEAD: Final = ("mapping", "type", "object", "page", "why", "heard of last", "last looked up")


@dataclass(frozen=True, slots=True)
class _Row:
    """One Userflow object; an id that may be an address of a person is hidden like a value."""

    name: str
    path: str
    heard: str
    looked: str


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the address asks for, and the list; None: nothing is listed yet, or it is on its way."""

    mapping: ObjectMapping
    why: Why
    listing: Listing | None
    listed_ms: int = 0
    under_way: bool = False

    @property
    def found(self) -> Sequence[Unlinked]:
        return self.listing.shown[self.mapping.name][self.why] if self.listing is not None else ()

    def query(self, **other: object) -> str:
        told = {"mapping": self.mapping.name, "why": self.why} | other
        return urlencode({name: text for name, text in told.items() if text})


async def unlinked(visit: Visit) -> Shown:
    """`/i/<integration>/unlinked`, of one mapping and why where the address names them."""
    settings, desk, asked = settings_in(visit), visit.desk, _asked(visit)
    listing, now_ms, name = asked.listing, desk.now_ms(), asked.mapping.name
    found, pages = asked.found, Pages.at(visit.query("page"), len(asked.found))
    counts: Mapping[Why, int] = listing.number[name] if listing is not None else {}
    facts = {
        "head": head(visit, settings, await desk.lag()),
        "of": f"/i/{visit.integration}/unlinked",
        "asked": asked,
        "mappings": [(one.name, asked.query(mapping=one.name, why="")) for one in mappings_of(visit)],
        "whys": [(why, words(asked.mapping, why)[0], counts.get(why, 0), asked.query(why=why)) for why in WHYS],
        "sentence": words(asked.mapping, asked.why)[1],
        "listed": clock(asked.listed_ms, now_ms) if asked.listed_ms else "",
        "total": sum(counts.values()),
        "more": counts.get(asked.why, 0) > len(found),
        "rows": [_row(visit, asked.mapping, one) for one in pages.of(found)],
        "pages": pages,
        "page_query": lambda number: asked.query(page=number),
        "query": asked.query(),
    }
    return Shown("unlinked.html", facts, 200, {"refresh": "2"} if asked.under_way else {})


async def look(visit: Visit) -> Gone:
    """`POST …/unlinked`: lists them anew; nothing is asked of any system."""
    settings, desk, name = settings_in(visit), visit.desk, visit.integration
    _asked(visit)
    desk.listings.begin(name, settings.connection, desk.now_ms(), lambda: desk.planner.unlinked(name))
    return Gone(f"/i/{name}/unlinked?{visit.request.url.query}")


async def ids(visit: Visit) -> Sheet:
    """`…/unlinked/ids.csv`: those of the mapping and the why, without any value."""
    settings_in(visit)
    asked = _asked(visit)
    if asked.listing is None:
        raise NotHere("They are not listed yet", "who is not linked", f"/i/{visit.integration}/unlinked")
    return Sheet("not-linked", _sheet(visit, asked.mapping, asked.found))


def _sheet(visit: Visit, mapping: ObjectMapping, found: Sequence[Unlinked]) -> Iterator[Sequence[str]]:
    yield HEAD
    for one in found:
        named, shown = _named(mapping, one), "" if may_be_address(one.object_id) else one.object_id
        about = (mapping.name, mapping.userflow_type, shown, visit.desk.about.url + path_of(visit, named))
        looked = instant(one.looked_up_ms) if one.looked_up_ms else ""
        yield (*about, words(mapping, one.why)[0], instant(one.heard_ms), looked)


def words(mapping: ObjectMapping, why: Why) -> tuple[str, str]:
    """A few words, and a sentence."""
    one, theirs = objects.SINGULAR.get(mapping.hubspot_type, mapping.hubspot_type).lower(), mapping.match_userflow
    told: Mapping[Why, tuple[str, str]] = {
        "unmatched": (
            f"No {one}",
            f"No {one} is known to have this {mapping.match_hubspot}. One that appears links by itself.",
        ),
        "no_match_value": (f"No {theirs}", f"It has no value in {theirs}, by which this mapping matches."),
        "ambiguous": ("Several", "Several hold the match value. Nothing is written until one is left."),
        "crowded": ("Too many", "More hold the match value than are kept apart. Match by a field that tells apart."),
    }
    return told[why]


def _asked(visit: Visit) -> _Asked:
    """Raises NotHere where nothing is mapped, or not that."""
    settings, desk, there = settings_in(visit), visit.desk, mappings_of(visit)
    wanted, why = visit.query("mapping"), visit.query("why")
    mapping = next((one for one in there if wanted in ("", one.name)), None)
    if mapping is None:
        raise NotHere("There is no such mapping", "the mappings in force", f"/i/{visit.integration}/mappings")
    of: Why = next((one for one in WHYS if one == why), "unmatched")
    kept = desk.listings.of(visit.integration, settings.connection, desk.now_ms())
    if kept is None:
        return _Asked(mapping, of, None)
    if not kept.answer.done():
        return _Asked(mapping, of, None, kept.at_ms, under_way=True)
    if kept.answer.exception() is not None:
        desk.listings.forget(visit.integration)
        kept.answer.result()  # raises what it was refused for
    listing = kept.answer.result()
    if mapping.name not in listing.shown:  # mapped since
        return _Asked(mapping, of, None)
    return _Asked(mapping, of, listing, kept.at_ms)


def _row(visit: Visit, mapping: ObjectMapping, one: Unlinked) -> _Row:
    named, now_ms = _named(mapping, one), visit.desk.now_ms()
    looked = clock(one.looked_up_ms, now_ms) if one.looked_up_ms else "never"
    return _Row(objects.title(named), path_of(visit, named), clock(one.heard_ms, now_ms), looked)


def _named(mapping: ObjectMapping, one: Unlinked) -> Named:
    return Named("userflow", mapping.userflow_type, one.object_id)
