"""A plan as text for people and as JSON for machines; field values only where they are asked for."""

import json
from collections.abc import Iterator
from typing import Any

from pipeline.operations.pair_counts import PairCounts, Sample
from pipeline.operations.plan import Plan
from pipeline.provisioning.scopes import lacking_sentence
from pipeline.visible import visible
from schemas.configuration import DescribedField
from schemas.values import FieldValue

SIGNS = {"added": "+", "changed": "~", "removed": "-"}


def as_text(plan: Plan, *, show_values: bool = False) -> str:
    """Lines for a terminal; labels of a vendor and names of a file reach it without control characters."""
    return "\n".join(map(visible, _lines(plan, show_values)))


def as_json(plan: Plan, *, show_values: bool = False) -> str:
    """One JSON object."""
    shown = {
        "integration": plan.integration,
        "changes": plan.changes,
        "exit_code": plan.exit_code,
        "problems": [str(problem) for problem in plan.problems],
        "settings": plan.settings,
        "create": [{"object_type": one.object_type, "name": one.name, "type": one.type} for one in plan.create],
        "events": plan.events,
        "mappings": [{"name": one.name, "kind": one.kind, "details": one.details} for one in plan.mappings],
        "unknown": plan.unknown,
        "subscriptions": [
            {"object_type": one.object_type, "kinds": one.kinds, "properties": one.properties}
            for one in plan.subscriptions
        ],
        "subscriptions_changed": plan.subscriptions_changed,
        "lacking_scopes": plan.lacking_scopes,
        "pairs": {name: _counts(counts, show_values) for name, counts in plan.pairs.items()},
    }
    return json.dumps(shown, indent=2, ensure_ascii=False)


def _lines(plan: Plan, show_values: bool) -> Iterator[str]:
    if plan.problems:
        yield from map(str, plan.problems)
        if plan.lacking_scopes:
            yield lacking_sentence(plan.integration, plan.lacking_scopes)
        return
    yield f"{plan.integration}: {'would change' if plan.changes else 'nothing would change'}"
    yield from (f"  ~ {line}" for line in plan.settings)
    yield from (f"  + HubSpot field {_field(one)}" for one in plan.create)
    yield from (f"  + timeline event {one}" for one in plan.events)
    for change in plan.mappings:
        if change.kind != "unchanged":
            yield f"  {SIGNS[change.kind]} mapping {change.name}"
            yield from (f"      {line}" for line in change.details)
    if plan.unknown:
        yield f"  {plan.unknown}"
    for name, counts in plan.pairs.items():
        yield from _pair_lines(name, counts, show_values)
    yield from (f"  {sentence}" for sentence in plan.news)
    if plan.lacking_scopes:
        yield f"  {lacking_sentence(plan.integration, plan.lacking_scopes)}"
    if plan.subscriptions and plan.subscriptions_changed:
        yield "  the HubSpot app must subscribe to (no token can read what it subscribes to, so this is not checked):"
        yield from (f"      {one}" for one in plan.subscriptions)


def _field(field: DescribedField) -> str:
    return f"{field.object_type}.{field.name} ({field.type}, labelled {field.label})"


def _pair_lines(name: str, counts: PairCounts, show_values: bool) -> Iterator[str]:
    if not counts.pairs and not counts.hubspot_only:
        yield f"  pairs of {name}: nothing known yet, run a full sync"
        return
    ends = ", ".join(f"{number} {end}" for end, number in sorted(counts.pairs.items()) if number)
    yield f"  pairs of {name} as last seen: {ends or 'none'}; {counts.hubspot_only} HubSpot objects without a match"
    for system, number in counts.written.items():
        yield f"      {system}: {number} objects written, of {counts.cleared[system]} a value is cleared"
    yield from (f"      refused {refusal}: {number}" for refusal, number in sorted(counts.refused.items()))
    yield from (f"      for example {_sample(sample, show_values)}" for sample in counts.samples)
    if counts.not_read:
        yield f"      not read yet, so not counted: {', '.join(counts.not_read)}"


def _sample(sample: Sample, show_values: bool) -> str:
    fields = (f"{name}: {old!r} -> {new!r}" if show_values else name for name, (old, new) in sample.fields.items())
    return f"{sample.system} {sample.object_id}: {', '.join(fields)}"


def _counts(counts: PairCounts, show_values: bool) -> dict[str, Any]:
    return {
        "pairs": dict(counts.pairs),
        "hubspot_only": counts.hubspot_only,
        "userflow_only": counts.userflow_only,
        "emptied": counts.emptied,
        "written": dict(counts.written),
        "cleared": dict(counts.cleared),
        "refused": dict(counts.refused),
        "not_read": counts.not_read,
        "samples": [
            {
                "system": sample.system,
                "object_id": sample.object_id,
                "fields": {name: list(map(_plain, change)) for name, change in sample.fields.items()}
                if show_values
                else list(sample.fields),
            }
            for sample in counts.samples
        ],
    }


def _plain(value: FieldValue) -> Any:
    return value if value is None or isinstance(value, bool | int | float | str | tuple) else value.isoformat()
