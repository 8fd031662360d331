"""Why an object is as it is: which pairs it is in, how each field stands, what was written. Pure; names no value."""

from collections.abc import Iterator

from pipeline.core.mapping import OTHER
from pipeline.operations.object_report import Explained, FieldReport, PairReport, report
from schemas.values import System


def explain(about: Explained) -> Iterator[str]:
    """Lines for a person."""
    told = report(about)
    row = told.row
    if row is None:
        yield "never seen under this connection: `pairstream full-sync start` reads everything"
    elif told.word == "erased":
        yield "erased: nothing is known of it, and nothing is written to it"
    elif told.word == "gone":
        survivor = f"; it was merged into {row.merged_into}" if row.merged_into else ""
        yield f"gone{survivor}"
    else:
        yield f"known: {', '.join(sorted(row.fields)) or 'no field that a mapping reads'}"
        if row.unknown:
            yield f"not known any more, archived or not readable: {', '.join(row.unknown)}"
        for pair in told.pairs:
            yield f"{pair.view.name}: {_pair_line(about, pair)}"
            yield from (f"  {line}" for line in _details(pair))


def _pair_line(about: Explained, pair: PairReport) -> str:
    if pair.word == "no_value":
        return f"no pair: it has no value in {pair.view.match_field(about.system)}, by which the mapping matches"
    if pair.word == "paired":
        others = (f"{system} {id}" for system, ids in pair.ids.items() for id in ids if system != about.system)
        return f"paired with {', '.join(others)}"
    if pair.word == "unmatched":
        return f"no pair: nobody in {OTHER[about.system]} is known to hold its match value"
    held = ", ".join(f"{system} {object_id}" for system in OTHER for object_id in pair.ids[system])
    return f"{pair.word}, nothing is written: its match value is held by {held}"


def _details(pair: PairReport) -> Iterator[str]:
    for (system, object_id), names in pair.left.items():
        yield f"written while it was a pair, and still there: {system} {object_id}: {', '.join(names)}"
    if pair.asking:
        yield f"nothing is written before {' and '.join(pair.asking)} told who else holds its match value"
    for field in pair.fields:
        yield f"{_arrow(field.written)} {field.rule.target}  {_standing(field)}"


def _arrow(written: System) -> str:
    return "->" if written == "userflow" else "<-"


def _standing(field: FieldReport) -> str:
    match field.word:
        case "contested":
            return "contested: somebody else keeps rewriting it; the next full sync tries again"
        case "refused":
            return f"refused: {field.reason}"
        case "parked":
            return "parked: written once its system is back"
        case "on_its_way":
            return "on its way"
    form = ", in another form than was sent" if field.settled else ""
    return f"in step{', written' if field.ours else ''}{form}"
