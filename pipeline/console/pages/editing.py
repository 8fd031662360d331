"""The editor of one mapping: its form, which holds the whole draft, and what each of its buttons makes of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, count

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
    WAYS,
    Draft,
    Misfit,
    RuleDraft,
    Way,
    acted,
    changes,
    digest,
    document_with,
    draft_in,
    draft_of,
    misfits,
    put_back,
    read,
    removed,
)
from pipeline.console.head import head, settings_in
from pipeline.console.planning import Descriptions
from pipeline.console.visit import NotHere, Shown, Visit
from pipeline.integration_file.loader import read_document
from pipeline.integration_file.model import MappingSpec
from pipeline.integration_file.names import HUBSPOT_TYPES, MATCHES, USERFLOW_TYPES
from pipeline.operations import OperationRefused
from pipeline.operations.field_query import NotAnswered
from pipeline.provisioning.described import described_file
from schemas.configuration import IntegrationSettings


class NotReadable(OperationRefused):
    """The integration's file was stored by a build that wrote it otherwise; the message says what to do."""


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
    taken = {one.name for one in specs_in(settings)}
    facts = {"head": head(visit, settings, await visit.desk.lag()), "taken": sorted(taken)}
    return Shown("mapping-new.html", {**facts, "hubspot_types": HUBSPOT_TYPES, "userflow_types": USERFLOW_TYPES})


async def begin(visit: Visit) -> Shown:
    """`GET mappings/new/begin`: the editor of a mapping that is not saved yet, under a name that is free."""
    settings = settings_in(visit)
    userflow, hubspot = visit.query("userflow") or "users", visit.query("custom").strip() or visit.query("hubspot")
    wanted = visit.query("name").strip() or f"{hubspot or 'contacts'}-{userflow}"
    free = chain([wanted], (f"{wanted}-{number}" for number in count(2)))
    taken = {one.name for one in specs_in(settings)}
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
    before = in_force(settings, name)
    visit.desk.fields.forget(visit.integration)
    if before is None:
        raise NotHere(f"{visit.integration} has no mapping {name}", "the mappings", f"/i/{visit.integration}/mappings")
    return await editor(visit, settings, before, digest(before))


async def draft(visit: Visit) -> Shown:
    """`POST mappings/<mapping>/edit`: the form again, with what a button changed; nothing is saved."""
    settings, name = settings_in(visit), str(visit.request.path_params["mapping"])
    act = visit.form.one("act")
    if act.startswith("typed:"):
        act = f"add:{act.removeprefix('typed:')}:{visit.form.one(act).strip()}"
    return await editor(visit, settings, acted(draft_in(visit.form, name), act), visit.form.one("base"))


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
    known, before = Known.of(told) if told else NOTHING_KNOWN, in_force(settings, draft.name)
    wrong = [] if pristine else list(more) or found_wrong(settings, draft, told)
    facts = {
        "head": head(visit, settings, await visit.desk.lag()),
        "draft": draft,
        "base": base,
        "is_new": before is None,
        "changes": changes(draft, before),
        "sides": [_side(way, draft, before, known, specs_in(settings), wrong) for way in WAYS],
        "matches": matches(draft, known),
        "userflow_matches": MATCHES.get(draft.userflow, ()),
        "events": known.events,
        "wrong": [one for one in wrong if one.way is None],
        "is_wrong": bool(wrong),
        "silent": silent,
        "edited": digest(before) != base,
    }
    return Shown("mapping-edit.html", facts, status)


async def told_of(visit: Visit, settings: IntegrationSettings, draft: Draft) -> tuple[Descriptions | None, str]:
    """What both systems say of all their fields; or why they say nothing."""
    try:
        return await visit.desk.fields.of(visit.integration, settings.connection, wanted_by(draft)), ""
    except NotAnswered as error:
        return None, str(error)


def found_wrong(settings: IntegrationSettings, draft: Draft, told: Descriptions | None) -> list[Misfit]:
    """What the file alone tells and, where both systems told of their fields, what those do."""
    file, wrong = read(settings.document, draft)
    if file is None or told is None:
        return wrong
    described = described_file(file, told["hubspot"], told["userflow"])
    index = document_with(settings.document, draft)[1]
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
    def row(number: int, rule: RuleDraft) -> RuleRow:
        ours = tuple(one for one in wrong if (one.way, one.number) == (way, number))
        mend = draft.default_target(way, rule.source) if ours and rule.target else ""
        source, target = source_shown(draft, way, rule, known), target_shown(draft, way, rule, known)
        return RuleRow(number, rule, source, target, ours, mend)

    rows = [row(number, rule) for number, rule in enumerate(draft.rules(way))]
    gone = [(row(-1, rule), put_back(rule)) for rule in removed(draft, before, way)]
    return Side(way, rows, gone, groups(draft, way, known, others), tuple(targets(draft, way, known)))


def specs_in(settings: IntegrationSettings) -> tuple[MappingSpec, ...]:
    """The mappings in force, as the integration's file has them. Raises NotReadable."""
    try:
        return read_document(settings.document).mappings
    except ValueError as error:
        raise NotReadable(str(error)) from error


def in_force(settings: IntegrationSettings, name: str) -> Draft | None:
    """The mapping of that name as a draft that changes nothing."""
    return next((draft_of(one) for one in specs_in(settings) if one.name == name), None)
