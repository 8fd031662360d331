"""What saving a mapping would do, counted beforehand; and saving it, by the operation of `pairstream apply`."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from connectors.kafka.table import until_read
from pipeline.console.choosing import target_of
from pipeline.console.drafts import (
    WAYS,
    Draft,
    Misfit,
    Way,
    digest,
    document_with,
    draft_in,
    form_of,
    misfits,
    read,
    removed,
)
from pipeline.console.head import head, settings_in
from pipeline.console.pages.acts import Confirm
from pipeline.console.pages.editing import bounded, editor, found_wrong, in_force, specs_in, told_of
from pipeline.console.pages.integration import newest_of
from pipeline.console.planning import Review
from pipeline.console.visit import Gone, NotHere, Shown, Visit
from pipeline.explain.answer import may_be_address
from pipeline.integration_file.model import IntegrationFile, MappingSpec
from pipeline.operations import OperationRefused, apply, full_sync
from pipeline.operations.pair_counts import PairCounts
from pipeline.operations.plan import Plan
from pipeline.provisioning.state_machine import DISCONNECTED
from schemas.configuration import UNDER_WAY, DesiredIntegration, IntegrationSettings
from schemas.integrations import awaits_grant
from schemas.topics import MAPPINGS, RUNS
from schemas.values import FieldValue

IN_FORCE_S: Final = 60.0
COUNTED_MS: Final = 5 * 60 * 1000
"""So old what was counted may be when it is saved: records go on coming."""
ANEW: Final = "anew=yes"


@dataclass(frozen=True, slots=True)
class Difference:
    """One rule or setting that saving would change."""

    kind: str  # added, changed, removed
    way: Way | None
    source: str
    target: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class SampleShown:
    """A patch that would be written; an id that may be an address of a person is hidden like a value."""

    system: str
    object_id: str
    fields: Sequence[tuple[str, str, str]]  # name, what is there, what would be; `empty`, or the value where asked for


async def review(visit: Visit) -> Shown | Gone:
    """`POST mappings/<mapping>/review`: the draft is kept, and what saving it would do is looked at."""
    settings, name = settings_in(visit), str(visit.request.path_params["mapping"])
    draft, base = bounded(draft_in(visit.form, name)), visit.form.one("base")
    told, _ = await told_of(visit, settings, draft)
    wrong = await found_wrong(settings, draft, told)
    if wrong:
        return await editor(visit, settings, draft, base, 422, wrong)
    if visit.form.one("on_top"):
        base = digest(await in_force(settings, name))
    return Gone(await _kept(visit, settings, draft, base))


async def _kept(visit: Visit, settings: IntegrationSettings, draft: Draft, base: str) -> str:
    """Where the review stands that was begun."""
    desk, (file, _) = visit.desk, await asyncio.to_thread(read, settings.document, draft)
    assert file is not None  # nothing was wrong with it
    file, request = await _requested(visit, settings, file.mappings)
    plan = asyncio.create_task(desk.planner.plan(file, request, draft.name))
    kept = Review(visit.who.key, visit.integration, draft, base, settings.revision, plan, desk.now_ms())
    return f"/i/{visit.integration}/mappings/{draft.name}/review/{desk.reviews.keep(kept)}"


async def reviewed(visit: Visit) -> Shown:
    """`GET mappings/<mapping>/review/<review>`: what it does, as soon as that is known."""
    return await _shown(visit, _review_of(visit))


async def values(visit: Visit) -> Shown:
    """`POST …/values`: the same with the samples' values, for a minute; told to the audit before."""
    found, desk = _review_of(visit), visit.desk
    if not desk.looks.may(visit.who.name, desk.now_ms()):
        return await _shown(visit, found, "No more values for now: you looked at values 60 times within an hour.", 429)
    detail = f"samples of a review of mapping {found.draft.name}"
    await visit.audit("values shown", detail)
    shown = await _shown(visit, found, values=True)
    back = str(visit.request.scope["path"]).removesuffix("/values")
    return shown.for_a_minute(back)


async def save(visit: Visit) -> Shown | Gone:
    """`POST mappings/<mapping>/review/<review>`: in force as a new revision, unless somebody else saved meanwhile."""
    settings, found, desk = settings_in(visit), _review_of(visit), visit.desk
    _check_saves(visit)
    if not found.plan.done():
        return await _shown(visit, found, "Not saved: what it would do is not counted yet.", 409)
    if digest(await in_force(settings, found.draft.name)) != found.base:
        return await _shown(visit, found, status=409)
    if desk.now_ms() - found.at_ms > COUNTED_MS:
        return Gone(f"{await _kept(visit, settings, found.draft, found.base)}?{ANEW}")
    plan = await found.plan
    if emptied(plan, found.draft.name) and not visit.form.one("seen"):
        return await _shown(visit, found, "Tick that you have seen what will be emptied.", 422)
    file, wrong = await asyncio.to_thread(read, settings.document, found.draft)
    held = _held_up(visit, settings)
    if file is None or plan.problems or held:
        return await _shown(visit, found, f"Not saved: {held or _said(wrong) or 'it does not fit'}.", 409)
    file, request = await _requested(visit, settings, file.mappings)
    try:
        await apply.put_in_force(desk.publisher, desk.tables, file, request, IN_FORCE_S)
    except apply.NotApplied as refusal:
        return await _shown(visit, found, f"Not saved: {refusal}", 409)
    then, name = visit.form.one("then"), str(visit.request.path_params["review"])
    syncs = then in ("sync", "ask")
    path = f"/i/{visit.integration}/full-sync" if syncs else f"/i/{visit.integration}/mappings/{found.draft.name}"
    desk.reviews.forget(name)
    visit.acted_on(name, path)
    if syncs:
        await _sync(visit, found.draft.name, asks=then == "ask")
    return Gone(path)


def _check_saves(visit: Visit) -> None:
    """Raises NotApplied where mappings are applied elsewhere."""
    if visit.desk.about.proposes:
        raise apply.NotApplied("Mappings are not saved here (PAIRSTREAM_CONSOLE_MAPPINGS=propose): apply the file.")


async def _requested(
    visit: Visit, settings: IntegrationSettings, mappings: Sequence[MappingSpec]
) -> tuple[IntegrationFile, DesiredIntegration]:
    """What is in force with other mappings; written in a thread, for a file may hold thousands of rules."""
    return await asyncio.to_thread(apply.with_mappings, settings, mappings, visit.desk.now_ms())


def _held_up(visit: Visit, settings: IntegrationSettings) -> str:
    """Why nothing can be saved now."""
    if settings.state == "disconnected":
        return DISCONNECTED
    if awaits_grant(visit.desk.parts, visit.integration, settings):
        return "its newest file waits for access to HubSpot: connect it, or apply the file in force to withdraw it"
    return "another change of this integration is on its way" if settings.apply_state in UNDER_WAY else ""


async def _sync(visit: Visit, mapping: str, *, asks: bool) -> None:
    """A full sync of that mapping; one under way, which began with other rules, gives way."""
    desk, settings = visit.desk, settings_in(visit)
    rows = list(desk.tables.table(MAPPINGS).values())
    only = () if len(await specs_in(settings)) == 1 else (mapping,)
    request = full_sync.new_request(
        visit.integration, settings, rows, desk.runs, desk.now_ms(), only=only, supersede=True, asks=asks
    )
    await desk.publisher.send(RUNS, request.run_id, request)
    await until_read(RUNS, lambda: desk.tables.get(RUNS, request.run_id) is not None)


async def remove(visit: Visit) -> Shown:
    """`GET mappings/<mapping>/remove`."""
    settings, name = settings_in(visit), str(visit.request.path_params["mapping"])
    await _in_force(visit, settings, name)
    rows = (
        ("Stops", "Its fields flow no more in either direction, and its events reach no timeline."),
        ("Stays", "Every value that was written, and the HubSpot properties."),
    )
    back = f"/i/{visit.integration}/mappings/{name}"
    confirm = Confirm(f"Remove mapping {name}?", "The other mappings go on.", "Remove it", back, rows, danger=True)
    return Shown("confirm.html", {"confirm": confirm, "name": visit.integration})


async def do_remove(visit: Visit) -> Gone:
    """`POST mappings/<mapping>/remove`."""
    settings, name, desk = settings_in(visit), str(visit.request.path_params["mapping"]), visit.desk
    _check_saves(visit)
    await _in_force(visit, settings, name)
    if held := _held_up(visit, settings):
        raise apply.NotApplied(f"{visit.integration}: {held}")
    kept = [one for one in await specs_in(settings) if one.name != name]
    file, request = await _requested(visit, settings, kept)
    await apply.put_in_force(desk.publisher, desk.tables, file, request, IN_FORCE_S)
    return Gone(f"/i/{visit.integration}/mappings")


async def _in_force(visit: Visit, settings: IntegrationSettings, name: str) -> None:
    """Raises NotHere where no such mapping is in force: without it, there is nothing to save."""
    if all(one.name != name for one in await specs_in(settings)):
        raise NotHere(f"{visit.integration} has no mapping {name}", "the mappings", f"/i/{visit.integration}/mappings")


def _review_of(visit: Visit) -> Review:
    """Raises NotHere for one of another session, or one that is over: Elsewhere for one that was saved."""
    settings_in(visit)
    name = str(visit.request.path_params["review"])
    found = visit.desk.reviews.of(name, visit.who.key, visit.integration)
    if found is None:
        path = f"/i/{visit.integration}/mappings"
        told = NotHere("This review was made in another session, or it is over", "the mappings", path)
        raise visit.over(name, told)
    return found


async def _shown(visit: Visit, found: Review, problem: str = "", status: int = 200, *, values: bool = False) -> Shown:
    settings, draft, desk = settings_in(visit), found.draft, visit.desk
    before = await in_force(settings, draft.name)
    plan, failed = _plan(found)
    counts = plan.pairs.get(draft.name) if plan is not None else None
    conflict = digest(before) != found.base
    facts = {
        "head": head(visit, settings, await desk.lag()),
        "draft": draft,
        "is_new": before is None,
        "differences": differences(draft, before),
        "plan": plan,
        "failed": failed,
        "problems": misfits(plan.problems, -1) if plan is not None else [],
        "counts": counts,
        "emptied": emptied(plan, draft.name),
        "values_refused": sum(counts.refused.values()) if counts is not None else 0,
        "nothing_known": counts is not None and not counts.pairs and not counts.hubspot_only,
        "samples": samples(counts, shown=values) if counts is not None else [],
        "values": values,
        "problem": problem,
        "anew": bool(visit.query("anew")),
        "file": await asyncio.to_thread(_file, settings.document, draft) if desk.about.proposes else "",
        "conflict": await _who_saved(visit, settings) if conflict else "",
        "at": f"/i/{visit.integration}/mappings/{draft.name}",
        "held": list(form_of(draft)),
        "review": str(visit.request.path_params["review"]),
        "next_revision": settings.revision + 1,
        "active": settings.state == "active",
    }
    return Shown("mapping-review.html", facts, status, large=True)


@lru_cache(maxsize=16)
def _file(document: str, draft: Draft) -> str:
    """The integration's file with the draft in it; kept, for a page is made each second while it is looked at."""
    return document_with(document, draft)[0]


def _plan(found: Review) -> tuple[Plan | None, str]:
    """The plan as far as it is; or why there is none."""
    if not found.plan.done() or found.plan.cancelled():
        return None, ""
    error = found.plan.exception()
    if error is None:
        return found.plan.result(), ""
    if isinstance(error, OperationRefused):
        return None, str(error)
    raise error


async def _who_saved(visit: Visit, settings: IntegrationSettings) -> str:
    """Who saved while this was edited, as far as the audit tells."""
    await visit.desk.audit_look.get()
    by = next((one.by for one in newest_of(visit) if one.action == "apply"), "Somebody")
    return f"{by} saved revision {settings.revision} while you edited."


def emptied(plan: Plan | None, mapping: str) -> int:
    """How many pairs would lose a value."""
    counts = plan.pairs.get(mapping) if plan is not None else None
    return counts.emptied if counts is not None else 0


def differences(draft: Draft, before: Draft | None) -> list[Difference]:
    """What saving changes, rule by rule."""
    there = before or Draft(draft.name, draft.hubspot, draft.userflow, draft.match_hubspot, draft.match_userflow)
    found = [
        Difference("changed", None, word, "", f"{old} → {new}")
        for word, old, new in (
            ("match in HubSpot", there.match_hubspot, draft.match_hubspot),
            ("match in Userflow", there.match_userflow, draft.match_userflow),
            ("several match", there.on_several, draft.on_several),
            ("stream events", _events(there), _events(draft)),
        )
        if old != new
    ]
    for way in WAYS:
        then = {target_of(there, way, rule): rule for rule in there.rules(way)}
        for rule in draft.rules(way):
            target = target_of(draft, way, rule)
            old = then.get(target)
            if old is None:
                found.append(Difference("added", way, rule.source, target, _word(rule.on_empty)))
            elif old.source != rule.source:
                found.append(Difference("changed", way, rule.source, target, f"from {old.source}"))
            elif old.on_empty != rule.on_empty:
                found.append(Difference("changed", way, rule.source, target, _word(rule.on_empty)))
        written = {target_of(draft, way, rule) for rule in draft.rules(way)}
        for rule in removed(draft, before, way):
            target = target_of(there, way, rule)
            if target not in written:
                found.append(Difference("removed", way, rule.source, target, "no longer written; the value stays"))
    return found


def _events(draft: Draft) -> str:
    return ", ".join(draft.event_names) if draft.events == "some" else draft.events


def _word(on_empty: str) -> str:
    return "where it is empty, the target keeps its value" if on_empty == "keep" else ""


def samples(counts: PairCounts, *, shown: bool) -> list[SampleShown]:
    """Examples of what would be written; values only where they were asked for."""
    return [
        SampleShown(
            one.system,
            "an id that is hidden" if may_be_address(one.object_id) and not shown else one.object_id,
            [(name, _value(old, shown=shown), _value(new, shown=shown)) for name, (old, new) in one.fields.items()],
        )
        for one in counts.samples
    ]


def _value(value: FieldValue, *, shown: bool) -> str:
    """`empty`, `hidden`, or `= ` and the value."""
    if value is None or value == "":
        return "empty"
    return f"= {value}" if shown else "hidden"


def _said(wrong: Sequence[Misfit]) -> str:
    return "; ".join(one.message for one in wrong)
