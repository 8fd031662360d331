"""What is refused, and what was: by reason, one by one, as a file of ids; values for a minute, to who may see them."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast
from urllib.parse import quote, urlencode

from pipeline.console.head import head, settings_in
from pipeline.console.letter_rows import group_row, letter_row, named_in, sheet_rows, value_rows
from pipeline.console.letters import WHICH, Which
from pipeline.console.pages.explain import looked_too_often, path_of
from pipeline.console.paging import Pages
from pipeline.console.reasons import title_of
from pipeline.console.visit import NotHere, Sheet, Shown, Visit
from pipeline.console.words import clock
from pipeline.operations.letter_remedies import what_to_do
from pipeline.operations.letter_report import Told, meaning
from pipeline.operations.positions import duration_ms

SINCE: Final[Sequence[tuple[str, str]]] = (("", "Last 30 days"), ("7d", "Last 7 days"), ("24h", "Last 24 hours"))
NAMES: Final[Mapping[Which, str]] = {"open": "Open", "ended": "Ended", "all": "All"}
LONGEST_VALUE: Final = 2_000


@dataclass(frozen=True, slots=True)
class _Filter:
    """What the address asks for: reasons, names and times, never values."""

    which: Which
    mapping: str
    field: str
    since: str

    def query(self, **other: object) -> str:
        """The same for another address, some of it changed."""
        told = {"which": self.which, "mapping": self.mapping, "field": self.field, "since": self.since} | other
        return urlencode({name: text for name, text in told.items() if text and (name, text) != ("which", "open")})


async def refused(visit: Visit) -> Shown:
    """`/i/<integration>/refused`."""
    settings, now_ms, asked = settings_in(visit), visit.desk.now_ms(), _asked(visit)
    index, name = await visit.desk.letters_look.get(), visit.integration
    since_ms = now_ms - (duration_ms(asked.since) or now_ms)
    found = [(group, group.since(since_ms)) for group in index.groups(name, asked.which)]
    rows = [
        (group_row(group, some, now_ms), asked.query(mapping=_named(group.mapping), field=_named(group.field)))
        for group, some in found
        if some and asked.mapping in ("", group.mapping)
    ]
    rows.sort(key=lambda row: -row[0].number)
    tried = visit.desk.redriving.get(name)
    return Shown(
        "refused.html",
        {
            "head": head(visit, settings, await visit.desk.lag()),
            "groups": rows,
            "total": sum(row.number for row, _ in rows),
            "asked": asked,
            "tabs_of": [(which, NAMES[which], index.number(name, which), asked.query(which=which)) for which in WHICH],
            "mappings": sorted({_named(group.mapping) for group in index.groups(name, "all")} - {""}),
            "sinces": SINCE,
            "away": len(index.away.get(name, ())),
            "tried": tried,
            "started": clock(tried.at_ms, now_ms) if tried is not None else "",
        },
    )


async def reason(visit: Visit) -> Shown:
    """`/i/<integration>/refused/<reason>`, of one mapping and field where the address names them."""
    return await _reason(visit, await _found(visit), None)


async def values(visit: Visit) -> Shown:
    """`POST …/values`: the same with what was refused, for a minute; told to the audit before."""
    asked, desk, found = _asked(visit), visit.desk, await _found(visit)
    back = f"{_path(visit)}?{asked.query(page=_pages(visit, found).number)}"
    if not desk.looks.may(visit.who.name, desk.now_ms()):
        return looked_too_often(back)
    shown = _pages(visit, found).of(found[::-1])
    wanted = {one.letter.id: one.letter for one in (*shown, *(row.letter for row in value_rows(found)[1]))}
    detail = f"of {len(wanted)} refused: {_code(visit)}{f' {asked.field}' if asked.field else ''}"
    await visit.audit("values shown", detail)
    held = await asyncio.to_thread(desk.letters.values, wanted.values())
    return (await _reason(visit, found, held)).for_a_minute(back)


async def ids(visit: Visit) -> Sheet:
    """`/i/<integration>/refused/<reason>/ids.csv`: whom it concerns, without any value."""
    settings_in(visit)
    found = await chosen(visit)
    return Sheet("refused-ids", sheet_rows(found[::-1], lambda named: visit.desk.about.url + path_of(visit, named)))


async def chosen(visit: Visit) -> list[Told]:
    """The letters that the address asks for, the oldest first."""
    asked, index = _asked(visit), await visit.desk.letters_look.get()
    return index.chosen(visit.integration, _code(visit), asked.field, asked.mapping, asked.which)


async def _found(visit: Visit) -> list[Told]:
    """Raises NotHere where there are none."""
    found = await chosen(visit)
    if not found:
        what = "Nothing is refused" if _asked(visit).which == "open" else "Nothing was refused"
        raise NotHere(f"{what} for {_code(visit)}", "what is refused", f"/i/{visit.integration}/refused")
    return found


async def _reason(visit: Visit, found: Sequence[Told], held: Mapping[str, Any] | None) -> Shown:
    """The page; `held` are values by the letters' ids, None: they are hidden."""
    settings, now_ms, code, asked = settings_in(visit), visit.desk.now_ms(), _code(visit), _asked(visit)
    pages = _pages(visit, found)
    different, alike = value_rows(found)
    return Shown(
        "refused-reason.html",
        {
            "head": head(visit, settings, await visit.desk.lag()),
            "of": _path(visit),
            "rows": [(letter_row(one, now_ms), _link(visit, one), _text(held, one)) for one in pages.of(found[::-1])],
            "many": len(found),
            "open": asked.which == "open",
            "reason": code,
            "title": title_of(code),
            "meaning": meaning(code),
            "advice": what_to_do(code),
            "query": asked.query(),
            "here": asked.query(page=pages.number if pages.number > 1 else ""),
            "pages": pages,
            "page_query": lambda number: asked.query(page=number),
            "different": different,
            "alike": [(row, _text(held, row.letter)) for row in alike],
            "values": held is not None,
            "has_values": any(one.letter.of_field or one.letter.size for one in found),
            "looked": f"{visit.who.name} looked at what is refused for {code}, {clock(now_ms, now_ms)}",
            "rule": _rule(found),
        },
    )


def _rule(found: Sequence[Told]) -> tuple[str, str]:
    """The mapping and the target field that all of them are of; empty where they differ."""
    places = {(one.letter.letter.mapping or "", one.letter.letter.field or "") for one in found}
    return places.pop() if len(places) == 1 else ("", "")


def _text(held: Mapping[str, Any] | None, one: Told) -> str | None:
    """What is shown of a value; None: it is hidden."""
    if held is None:
        return None
    if one.letter.id not in held:
        return "not kept"
    told = held[one.letter.id]
    text = told if isinstance(told, str) else json.dumps(told, ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"


def _link(visit: Visit, one: Told) -> str:
    named = named_in(one)
    return path_of(visit, named) if named is not None else ""


def _asked(visit: Visit) -> _Filter:
    """What is no word of ours counts as not said."""
    which, since = visit.query("which"), visit.query("since")
    return _Filter(
        cast(Which, which) if which in WHICH else "open",
        visit.query("mapping"),
        visit.query("field"),
        since if since in dict(SINCE) else "",
    )


def _pages(visit: Visit, found: Sequence[Told]) -> Pages:
    return Pages.at(visit.query("page"), len(found))


def _path(visit: Visit) -> str:
    """Where the reason's page is: a reason may be a vendor's own text."""
    return f"/i/{visit.integration}/refused/{quote(_code(visit), safe='')}"


def _code(visit: Visit) -> str:
    return str(visit.request.path_params["reason"])


def _named(name: str) -> str:
    """A group's mapping or field; `-` stands where there is none."""
    return "" if name == "-" else name
