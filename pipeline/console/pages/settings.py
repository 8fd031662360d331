"""The settings of this process, secrets masked; who is signed in, the tokens of scripts, what sealed each secret."""

import asyncio

from pipeline.console.access import MOST_DAYS
from pipeline.console.form import whole_number
from pipeline.console.paging import Pages
from pipeline.console.seal_rows import sealed_by
from pipeline.console.visit import Gone, NotHere, Shown, Visit
from pipeline.console.words import clock
from pipeline.counting import counted
from pipeline.operations import OperationRefused
from schemas.topics import CONSOLE

LONGEST_NAME = 60


class NoToken(OperationRefused):
    """No token was made; the message says why."""


async def settings(visit: Visit) -> Shown:
    """`/settings`."""
    return await _shown(visit)


async def new_token(visit: Visit) -> Shown:
    """`POST /settings/tokens`: what it is stands on this answer, and nowhere else ever."""
    form = visit.form
    name = form.one("name").strip()[:LONGEST_NAME]
    days = whole_number(form.one("days")) or 0
    if not name or not 0 < days <= MOST_DAYS:
        raise NoToken(f"A token needs a name, and an end within {MOST_DAYS} days.")
    made = await visit.desk.access.make_token(f"token {name}", days)
    await visit.audit("token made", f"{name}, {counted(days, 'day')}")
    return await _shown(visit, made.secret)


async def end_access(visit: Visit) -> Gone:
    """`POST /settings/access/<kind>/<digest>/end`: a session or token opens nothing from now on."""
    path = visit.request.path_params
    ended = await visit.desk.access.end(f"{path['kind']}/{path['digest']}")
    if ended is None:
        raise NotHere("It is over already", "the settings", "/settings")
    await visit.audit(f"{ended.kind} ended", ended.name)
    return Gone("/settings")


async def _shown(visit: Visit, secret: str = "") -> Shown:
    now_ms, rows = visit.desk.now_ms(), visit.desk.tables.table(CONSOLE)
    newest = sorted(rows.items(), key=lambda item: -item[1].made_at_ms)
    listed: dict[str, list[tuple[str, str, str, str, str, bool]]] = {"session": [], "token": []}
    for key, row in newest:
        if row.kind in listed and row.ends_at_ms > now_ms:
            since, until = clock(row.made_at_ms, now_ms), clock(row.ends_at_ms, now_ms)
            listed[row.kind].append((row.name, row.role, since, until, key, key == visit.who.key))
    facts = {"people": listed["session"], "tokens": listed["token"], "secret": secret}
    found = await asyncio.to_thread(visit.desk.seals)  # each is tried with the keys there are
    sealed = sealed_by(*found) if found is not None else None
    pages = Pages.at(visit.query("page"), len(sealed.rows)) if sealed is not None else None
    seals = pages.of(sealed.rows) if sealed is not None and pages is not None else ()
    return Shown("settings.html", {**facts, "sealed": sealed, "seals": seals, "pages": pages, "page_query": _query})


def _query(number: int) -> str:
    return f"page={number}"
