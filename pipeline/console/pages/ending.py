"""What is done about refused values: trying them again, putting them away, and giving those back."""

import asyncio
from typing import Final

from pipeline.console.head import head, settings_in
from pipeline.console.letter_rows import letter_row
from pipeline.console.letters import Redriving, Selection
from pipeline.console.pages.refused import chosen
from pipeline.console.visit import Gone, Shown, Visit
from pipeline.console.words import clock
from pipeline.counting import counted
from pipeline.operations import OperationRefused
from pipeline.operations.redrive import LEFT, Plan, plan

PER_S: Final = 50.0
WAITED_S: Final = 2.0
"""So long a form waits for the letters that it tries again; then they go on by themselves."""
MOST_SHOWN: Final = 100


class NotPlanned(OperationRefused):
    """The form names no selection that may be acted on; the message says why."""


async def again(visit: Visit) -> Shown:
    """`GET …/again`: what trying them again comes to; the selection is fixed."""
    return await _selected(visit, "redrive.html")


async def discard(visit: Visit) -> Shown:
    """`GET …/discard`: likewise."""
    return await _selected(visit, "discard.html")


async def do_again(visit: Visit) -> Gone:
    """`POST …/again`: the operation of `pairstream dead-letters redrive`; many take longer than anybody waits."""
    taken, desk, name = _taken(visit), visit.desk, visit.integration
    before = desk.redriving.get(name)
    if before is not None and not before.task.done():
        raise NotPlanned(f"{before.number:,} letters are being tried again. Wait until they were.")
    planned = taken.plan.promising if visit.form.one("which") == "promising" else taken.plan
    await visit.audit("dead-letters redrive", counted(len(planned.tries), "letter"))
    task = asyncio.create_task(desk.letters.redrive(desk.publisher, planned, PER_S))
    desk.redriving[name] = Redriving(len(planned.tries), desk.now_ms(), task)
    await asyncio.wait({task}, timeout=WAITED_S)
    desk.letters_look.forget()
    return Gone(f"/i/{name}/refused")


async def away(visit: Visit) -> Shown:
    """`/i/<integration>/discarded`: what somebody put away, and why."""
    settings, now_ms = settings_in(visit), visit.desk.now_ms()
    visit.desk.letters_look.forget()  # what is decided on is as it is now
    looked = await visit.desk.letters_look.get()
    found = looked.away.get(visit.integration, ())
    rows = [
        (letter_row(one, now_ms), one.mark, clock(one.mark.at_ms, now_ms) if one.mark else "")
        for one in reversed(found)
    ]
    letters = tuple(one.letter for one in found)
    name = visit.desk.selections.keep(Selection(visit.who.key, visit.integration, Plan(), letters, now_ms))
    facts = {"head": head(visit, settings, await visit.desk.lag()), "rows": rows[:MOST_SHOWN], "many": len(found)}
    return Shown("discarded.html", {**facts, "selection": name})


async def give_back(visit: Visit) -> Gone:
    """`POST …/discarded`: those that were shown are open again."""
    taken = _taken(visit)
    await visit.desk.letters.give_back(visit.desk.publisher, taken.letters)
    await visit.audit("dead-letters give back", counted(len(taken.letters), "letter"))
    visit.desk.letters_look.forget()
    return Gone(f"/i/{visit.integration}/refused")


async def do_discard(visit: Visit) -> Shown | Gone:
    """`POST …/discard`: the operation of `pairstream dead-letters discard`; only with a reason."""
    note = visit.form.one("note").strip()[:200]
    if not note:
        raise NotPlanned("Say why they are discarded: others will ask.")
    taken = _taken(visit)
    await visit.desk.letters.mark(visit.desk.publisher, taken.letters, note)
    await visit.audit("dead-letters discard", f"{counted(len(taken.letters), 'letter')}: {note}")
    visit.desk.letters_look.forget()
    return Gone(f"/i/{visit.integration}/refused")


async def _selected(visit: Visit, template: str) -> Shown:
    settings_in(visit)
    visit.desk.letters_look.forget()  # what is decided on is as it is now
    found, now_ms = [one for one in await chosen(visit) if one.now.open], visit.desk.now_ms()
    planned = plan([(one.letter, one.now) for one in found], visit.desk.letters.marks)
    letters = tuple(one.letter for one in found)
    name = visit.desk.selections.keep(Selection(visit.who.key, visit.integration, planned, letters, now_ms))
    left = [(LEFT[why], len(some)) for why, some in planned.left.items()]
    code = str(visit.request.path_params["reason"])
    facts = {"name": visit.integration, "reason": code, "number": len(found), "plan": planned, "left": left}
    return Shown(template, {**facts, "selection": name, "at": clock(now_ms, now_ms)})


def _taken(visit: Visit) -> Selection:
    settings_in(visit)
    name = visit.form.one("selection")
    taken = visit.desk.selections.take(name, visit.who.key, visit.integration, visit.desk.now_ms())
    if taken is None:
        raise NotPlanned("This selection was acted on already, or it is older than 10 minutes. Look again.")
    return taken
