"""Looking now for an object that was never read: its systems are asked through their connectors, for some seconds."""

from collections.abc import Callable, Hashable, Sequence

from pipeline.console import objects
from pipeline.console.asked_now import looked_row
from pipeline.console.head import settings_in
from pipeline.console.pages.explain import Unknown, asking, id_of, path_of
from pipeline.console.visit import Gone, NotHere, Shown, Visit
from pipeline.explain.answer import Named
from pipeline.explain.look_now import LOOK_NOW, Looked, place_of
from schemas.values import SYSTEMS, System

NOT_THERE = frozenset({"not_there", "impossible", "erased"})


async def look(visit: Visit) -> Shown | Gone:
    """`POST explain/look`: for what was typed, in one system and type or wherever it could be."""
    settings_in(visit)
    typed, where = id_of(visit.form.one("id")), _where(visit.form.one("where"))
    if not typed:
        return Shown("explain.html", await asking(visit, Unknown()), 422)
    unknown = Unknown(typed, where=visit.form.one("where") if where is not None else "")
    place = " ".join((*(where or ()), "(what was typed is hidden)"))
    name, desk = visit.integration, visit.desk.objects
    return await _looked(visit, unknown, place, (typed, where), lambda: desk.look(name, typed, where))


async def look_at(visit: Visit) -> Shown | Gone:
    """`POST objects/<system>/<type>/<id>/look`: for the one that the address names."""
    settings_in(visit)
    path = visit.request.path_params
    named = visit.desk.handles.named(visit.integration, str(path["system"]), str(path["type"]), str(path["handle"]))
    if named is None:
        raise NotHere("No object has this address", "Explain", f"/i/{visit.integration}/explain")
    unknown = Unknown(of=named, path=path_of(visit, named))
    name, desk = visit.integration, visit.desk.objects
    return await _looked(visit, unknown, place_of(named), named, lambda: desk.look(name, named))


async def _looked(
    visit: Visit, unknown: Unknown, place: str, what: Hashable, ask: Callable[[], Sequence[Looked]]
) -> Shown | Gone:
    """To whoever was found, or what was told in place of that; who looks is recorded before anybody is asked."""
    if not visit.desk.looks_now.may(visit.who.name, visit.desk.now_ms()):
        lines = ("You had systems asked 60 times within an hour. Wait, or ask a colleague: it takes of their limits.",)
        told = {"title": "No more looks for now. Nobody was asked.", "lines": lines, "icon": "lock"}
        return Shown("message.html", {**told, "href": f"/i/{visit.integration}/explain", "act": "Back"}, 429)
    await visit.audit(LOOK_NOW, place)
    looked = await visit.desk.asked_now.answer((visit.integration, what), ask)
    found = list(dict.fromkeys(named for one in looked for named in one.found))
    if len(found) == 1:
        return Gone(path_of(visit, found[0]))
    return Shown("explain.html", await asking(visit, _told(visit, unknown, looked, found)), _status(looked, found))


def _told(visit: Visit, unknown: Unknown, looked: Sequence[Looked], found: Sequence[Named]) -> Unknown:
    there = [(objects.title(one), path_of(visit, one)) for one in found]
    rows = [looked_row(one) for one in looked]
    return Unknown(unknown.typed, unknown.of, unknown.path, unknown.where, rows, there)


def _status(looked: Sequence[Looked], found: Sequence[Named]) -> int:
    nowhere = not found and all(one.word in NOT_THERE for one in looked)
    return 404 if nowhere else 200


def _where(text: str) -> tuple[System, str] | None:
    """One system and type; None: wherever it could be."""
    named, _, kind = text.partition(".")
    system = next((one for one in SYSTEMS if one == named), None)
    return (system, kind) if system is not None and kind else None
