"""The editor of one mapping: its form, which holds the whole draft, and what each of its buttons makes of it."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count
from typing import Any

from pipeline.console.asking import is_from_here
from pipeline.console.choosing import (
    NOTHING_KNOWN,
    FieldShown,
    Group,
    Known,
    groups,
    matches,
    source_shown,
    target_shown,
    targets,
    wanted_by,
)
from pipeline.console.drafts import (
    MOST_RULES,
    WAYS,
    Draft,
    Misfit,
    RuleDraft,
    Way,
    acted,
    changes,
    digest,
    draft_in,
    draft_of,
    misfits,
    put_back,
    read,
    removed,
)
from pipeline.console.files import file_of
from pipeline.console.form import whole_number
from pipeline.console.head import head, settings_in
from pipeline.console.pages.integration import newest_of
from pipeline.console.planning import Descriptions
from pipeline.console.visit import NotHere, Shown, Visit
from pipeline.integration_file.model import MappingSpec
from pipeline.integration_file.names import HUBSPOT_TYPES, MATCHES, USERFLOW_TYPES
from pipeline.operations import OperationRefused
from pipeline.operations.audit import document_of
from pipeline.operations.field_query import NotAnswered
from pipeline.provisioning.described import described_file
from schemas.configuration import IntegrationSettings


class TooManyRules(OperationRefused):
    """A mapping that no page holds; the message says how it is edited."""

    def __init__(self, number: int) -> None:
        super().__init__(
            f"{number:,} rules are more than the {MOST_RULES} that a mapping may have to be edited here.\n"
            "Edit its file: `pairstream export NAME --out NAME.yaml`, then `pairstream apply NAME.yaml`."
        )


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A rule as the form shows it."""

    number: int
    rule: RuleDraft
    source: FieldShown
    target: FieldShown
    wrong: tuple[Misfit, ...] = ()
    mend: str = ""  # the target that one click gives it


@dataclass(frozen=True, slots=True)
class Side:
    """One way of the form."""

    way: Way
    rows: Sequence[RuleRow]
    gone: Sequence[tuple[RuleRow, str]]  # removed rules, and what puts each back
    groups: Sequence[Group]
    targets: Sequence[FieldShown]


async def new(visit: Visit) -> Shown:
    """`GET mappings/new`: which objects, and how to know that two are the same."""
    settings = settings_in(visit)
    taken = {one.name for one in await specs_in(settings)}
    facts = {"head": head(visit, settings, await visit.desk.lag()), "taken": sorted(taken)}
    return Shown("mapping-new.html", {**facts, "hubspot_types": HUBSPOT_TYPES, "userflow_types": USERFLOW_TYPES})


async def begin(visit: Visit) -> Shown:
    """`GET mappings/new/begin`: the editor of a mapping that is not saved yet, under a name that is free."""
    settings = settings_in(visit)
    userflow, hubspot = visit.query("userflow") or "users", visit.query("custom").strip() or visit.query("hubspot")
    wanted = visit.query("name").strip() or f"{hubspot or 'contacts'}-{userflow}"
    free = chain([wanted], (f"{wanted}-{number}" for number in count(2)))
    taken = {one.name for one in await specs_in(settings)}
    by_id = visit.query("by") == "id" or "email" not in MATCHES.get(userflow, ())
    begun = Draft(
        next(one for one in free if one not in taken),
        hubspot or "contacts",
        userflow,
        visit.query("property").strip() if by_id else "email",
        "id" if by_id else "email",
        visit.query("on_several") or "refuse",
    )
    visit.desk.fields.forget(visit.integration)
    return await editor(visit, settings, begun, "", pristine=True)


async def edit(visit: Visit) -> Shown:
    """`GET mappings/<mapping>/edit`: as it is in force, or as a review left it."""
    settings, name = settings_in(visit), str(visit.request.path_params["mapping"])
    review = visit.desk.reviews.of(visit.query("review"), visit.who.key, visit.integration)
    if review is not None:
        return await editor(visit, settings, review.draft, review.base)
    before = await in_force(settings, name)
    visit.desk.fields.forget(visit.integration)
    if visit.query("revision"):
        return await editor(visit, settings, await _as_it_was(visit, name), digest(before))
    if before is None:
        raise NotHere(f"{visit.integration} has no mapping {name}", "the mappings", f"/i/{visit.integration}/mappings")
    return await editor(visit, settings, before, digest(before))


async def _as_it_was(visit: Visit, name: str) -> Draft:
    """The mapping at the revision in the address. Raises OperationRefused, NotHere."""
    revision = whole_number(visit.query("revision")) or 0
    document = document_of(await visit.desk.audit_look.get(), visit.integration, revision)
    spec = next((one for one in await specs_of(document) if one.name == name), None)
    if spec is None:
        path = f"/i/{visit.integration}/mappings"
        raise NotHere(f"Revision {revision} had no mapping {name}", "the mappings", path)
    return bounded(draft_of(spec))


async def draft(visit: Visit) -> Shown:
    """`POST mappings/<mapping>/edit`: the form again, with what a button changed; nothing is saved."""
    settings, name = settings_in(visit), str(visit.request.path_params["mapping"])
    act = visit.form.one("act")
    if act.startswith("typed:"):
        act = f"add:{act.removeprefix('typed:')}:{visit.form.one(act).strip()}"
    sent, base = bounded(draft_in(visit.form, name)), visit.form.one("base")
    changed = acted(sent, act)
    if changed.size > MOST_RULES:
        full = Misfit(f"a mapping that is edited here has {MOST_RULES} rules at most", "remove one, or edit the file")
        return await editor(visit, settings, sent, base, 422, [full])
    return await editor(visit, settings, changed, base)


def bounded(draft: Draft) -> Draft:
    """The draft, before any of its rules is looked at. Raises TooManyRules for one that no page holds."""
    if draft.size > MOST_RULES:
        raise TooManyRules(draft.size)
    return draft


async def editor(
    visit: Visit,
    settings: IntegrationSettings,
    draft: Draft,
    base: str,
    status: int = 200,
    more: Sequence[Misfit] = (),
    *,
    pristine: bool = False,
) -> Shown:
    """The form of a draft, what is wrong with it in its place; nothing is wrong yet with one that nobody touched."""
    told, silent = await told_of(visit, settings, draft)
    wrong = [] if pristine else list(more) or await found_wrong(settings, draft, told)
    specs, before = await specs_in(settings), await in_force(settings, draft.name)
    facts = await asyncio.to_thread(_form, draft, before, told, specs, wrong)
    about = {"head": head(visit, settings, await visit.desk.lag()), "base": base, "silent": silent}
    about["elsewhere"] = _applied_elsewhere(visit)
    return Shown("mapping-edit.html", {**facts, **about, "edited": digest(before) != base}, status, large=True)


def _applied_elsewhere(visit: Visit) -> str:
    """Who applied last, where that was not done in the console, as far as the audit is known."""
    last = next((one for one in newest_of(visit) if one.action == "apply"), None)
    return f"{last.by}, {last.place}" if last is not None and not is_from_here(last.place) else ""


def _form(
    draft: Draft,
    before: Draft | None,
    told: Descriptions | None,
    specs: Sequence[MappingSpec],
    wrong: Sequence[Misfit],
) -> Mapping[str, Any]:
    """What the form shows; Any: what a template takes. Both systems may list thousands of fields: it takes a while."""
    known = Known.of(told) if told else NOTHING_KNOWN
    return {
        "draft": draft,
        "is_new": before is None,
        "changes": changes(draft, before),
        "sides": [_side(way, draft, before, known, specs, wrong) for way in WAYS],
        "matches": matches(draft, known),
        "userflow_matches": MATCHES.get(draft.userflow, ()),
        "events": known.events,
        "wrong": [one for one in wrong if one.way is None],
        "is_wrong": bool(wrong),
    }


async def told_of(visit: Visit, settings: IntegrationSettings, draft: Draft) -> tuple[Descriptions | None, str]:
    """What both systems say of all their fields; or why they say nothing."""
    try:
        return await visit.desk.fields.of(visit.integration, settings.connection, wanted_by(draft)), ""
    except NotAnswered as error:
        return None, str(error)


async def found_wrong(settings: IntegrationSettings, draft: Draft, told: Descriptions | None) -> list[Misfit]:
    """What the file alone tells and, where both systems told of their fields, what those do."""
    return await asyncio.to_thread(_wrong, settings.document, draft, told)


def _wrong(document: str, draft: Draft, told: Descriptions | None) -> list[Misfit]:
    file, wrong = read(document, draft)
    if file is None or told is None:
        return wrong
    described = described_file(file, told["hubspot"], told["userflow"])
    index = next(at for at, one in enumerate(file.mappings) if one.name == draft.name)
    ours = [one for one in described.misfits() if one.path.startswith(f"mappings[{index}]")]
    return misfits(ours, index)


def _side(
    way: Way,
    draft: Draft,
    before: Draft | None,
    known: Known,
    others: Sequence[MappingSpec],
    wrong: Sequence[Misfit],
) -> Side:
    at_rule = defaultdict[int, list[Misfit]](list)
    for one in wrong:
        if one.way == way:
            at_rule[one.number].append(one)

    def row(number: int, rule: RuleDraft) -> RuleRow:
        ours = tuple(at_rule.get(number, ()))
        mend = draft.default_target(way, rule.source) if ours and rule.target else ""
        source, target = source_shown(draft, way, rule, known), target_shown(draft, way, rule, known)
        return RuleRow(number, rule, source, target, ours, mend)

    rows = [row(number, rule) for number, rule in enumerate(draft.rules(way))]
    gone = [(row(-1, rule), put_back(rule)) for rule in removed(draft, before, way)]
    return Side(way, rows, gone, groups(draft, way, known, others), tuple(targets(draft, way, known)))


async def specs_in(settings: IntegrationSettings) -> tuple[MappingSpec, ...]:
    """The mappings in force, as the integration's file has them. Raises NotReadable."""
    return await specs_of(settings.document)


async def specs_of(document: str) -> tuple[MappingSpec, ...]:
    """The mappings of a stored file. Raises NotReadable."""
    return (await asyncio.to_thread(file_of, document)).mappings


async def in_force(settings: IntegrationSettings, name: str) -> Draft | None:
    """The mapping of that name as a draft that changes nothing. Raises TooManyRules for one that no page holds."""
    spec = next((one for one in await specs_in(settings) if one.name == name), None)
    return bounded(draft_of(spec)) if spec is not None else None
