"""Why an object is as it is: which pairs it is in, how each field stands, what was written. Pure; names no value."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipeline.core.candidates import paired, side
from pipeline.core.derive import Paired, derive
from pipeline.core.holders import unknown_sides
from pipeline.core.mapping import OTHER, MappingView
from pipeline.core.written import written_values
from schemas.records import FieldRule
from schemas.state import ObjectState, PairState
from schemas.values import System


@dataclass(frozen=True, slots=True)
class Explained:
    """An object's row, and its pairs' rows by mapping; None where there is none."""

    system: System
    object_id: str
    row: ObjectState | None
    pairs: Mapping[str, PairState | None]
    views: Mapping[str, MappingView]
    whole: frozenset[str]  # `<system>.<object type>`s that were read whole


def explain(about: Explained) -> Iterator[str]:
    """Lines for a person."""
    row = about.row
    if row is None:
        yield "never seen under this connection: `pairstream full-sync start` reads everything"
    elif row.erased_ms:
        yield "erased: nothing is known of it, and nothing is written to it"
    elif not row.present:
        survivor = f"; it was merged into {row.merged_into}" if row.merged_into else ""
        yield f"gone{survivor}"
    else:
        yield f"known: {', '.join(sorted(row.fields)) or 'no field that a mapping reads'}"
        if row.unknown:
            yield f"not known any more, archived or not readable: {', '.join(row.unknown)}"
        for name, view in sorted(about.views.items()):
            yield f"{name}: {_pair_line(about, view)}"
            yield from (f"  {line}" for line in _details(about, view))


def _pair_line(about: Explained, view: MappingView) -> str:
    state = about.pairs.get(view.name)
    if about.row is None or view.name not in about.row.matches or state is None:
        return f"no pair: it has no value in {view.match_field(about.system)}, by which the mapping matches"
    pair = paired(state, view)
    if isinstance(pair, Paired):
        return f"paired with {', '.join(f'{system} {id}' for system, id in pair.ids.items() if system != about.system)}"
    if pair == "unmatched":
        return f"no pair: nobody in {OTHER[about.system]} is known to hold its match value"
    held = ", ".join(f"{system} {object_id}" for system in OTHER for object_id in sorted(side(state, system)))
    return f"{pair}, nothing is written: its match value is held by {held}"


def _details(about: Explained, view: MappingView) -> Iterator[str]:
    state = about.pairs.get(view.name)
    pair = paired(state, view) if state is not None else "unmatched"
    if state is None or pair == "unmatched":
        return
    if not isinstance(pair, Paired):
        for (system, object_id), names in written_values(state, view).items():
            yield f"written while it was a pair, and still there: {system} {object_id}: {', '.join(names)}"
        return
    asking = unknown_sides(state, view, about.whole)
    if asking:
        yield f"nothing is written before {' and '.join(asking)} told who else holds its match value"
    patches = derive(state, pair, view).patches
    for system in sorted(OTHER, reverse=True):
        for rule, _ in view.rules_for[system]:
            yield f"{_arrow(system)} {rule.target}  {_standing(state, system, rule, patches)}"


def _arrow(written: System) -> str:
    return "->" if written == "userflow" else "<-"


def _standing(state: PairState, system: System, rule: FieldRule, patches: Mapping[System, Mapping[str, object]]) -> str:
    name = f"{system}.{rule.target}"
    if name in state.contested:
        return "contested: somebody else keeps rewriting it; the next full sync tries again"
    if name in state.refused:
        return f"refused: {state.refused[name].reason}"
    if rule.target in patches.get(system, {}):
        return "parked: written once its system is back" if state.parked else "on its way"
    known = side(state, system)
    ours = any(rule.target in one.fields and one.fields[rule.target].ours for one in known.values())
    form = ", in another form than was sent" if name in state.settled else ""
    return f"in step{', written' if ours else ''}{form}"
