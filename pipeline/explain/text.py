"""The answer as lines for a person. Values are shown only where they are asked for."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from pipeline.explain.answer import (
    Events,
    Explanation,
    FieldStanding,
    Happening,
    History,
    KnownFields,
    OnTimeline,
    PairAnswer,
    StillThere,
    Trace,
    may_be_address,
)
from pipeline.explain.look_now import LOOK_WORDS, Looked
from schemas.configuration import STANDS
from schemas.records import Cause
from schemas.state import Written
from schemas.values import FieldValue, System

NAMES: Final[Mapping[System, str]] = {"hubspot": "HubSpot", "userflow": "Userflow"}
OTHER: Final[Mapping[System, System]] = {"hubspot": "userflow", "userflow": "hubspot"}
ROADS: Final = "hubspot.changes, userflow.changes, sync.receipts"


def explanation_lines(told: Explanation, *, values: bool = False, looked: Sequence[Looked] = ()) -> Iterator[str]:
    """Everything that is known, the object first, then its pairs, then what happened; `looked`: what systems told."""
    yield _head(told, values=values)
    if told.paused:
        yield f"  paused: nothing is written before `pairstream integration resume {told.integration}`"
    for away in told.away:
        since = f" since {clock(away.since_ms, told.at_ms)}" if away.since_ms is not None else ""
        parked = f"; patches are parked{since}, and derived again when it is back" if away.parked else ""
        yield f"  {NAMES[away.system]} {STANDS[away.status]}: {away.reason or 'no reason told'}{parked}"
    yield from _object_lines(told, looked)
    for pair in told.pairs:
        yield f"{pair.mapping}: {_pair_line(told, pair)}"
        yield from (f"  {line}" for line in _details(told, pair, values=values))
    if told.trace is not None:
        yield from trace_lines(told.trace, told.at_ms)
    yield from event_lines(told.events, told.at_ms)
    yield from history_lines(told.history, told.at_ms)


def trace_lines(trace: Trace, now_ms: int) -> Iterator[str]:
    """The way of the change that was written last, a line for each hop."""
    parts = trace.parts
    began = next(hop.at_ms for hop in trace.hops if hop.word == "received")
    yield (
        f"the last change, {', '.join(trace.written) or 'a field'} of {NAMES[trace.to]}, "
        f"took {duration(trace.took_ms)}: Pairstream {duration(parts.pairstream)}, reads {duration(parts.read)}, "
        f"limits {duration(parts.budget)}, writes {duration(parts.write)}"
    )
    rows = []
    for hop in trace.hops:
        sign = "-" if hop.at_ms < began else "+"
        where = _place(hop.place) if hop.place is not None else ""
        at = clock(hop.at_ms, now_ms, milliseconds=True)
        rows.append((at, f"{sign}{duration(abs(hop.at_ms - began))}", hop.word, where))
    yield from (f"  {line}" for line in _aligned(rows))


def _head(told: Explanation, *, values: bool) -> str:
    if told.named is None:
        pair = told.pairs[0]
        value = f" {pair.match_value}" if values else ""
        return f"{told.integration}, pair{value} of {pair.mapping}       on partition {told.partition}"
    named = told.named
    what = f"{NAMES[named.system]} {named.object_type} {named.object_id}"
    return f"{told.integration}, {what}       {told.key} on partition {told.partition}"


def _object_lines(told: Explanation, looked: Sequence[Looked]) -> Iterator[str]:
    match told.word:
        case "never_seen":
            yield f"  never seen in connection {told.connection}. {_never_seen(told, looked)}"
        case "erased":
            at = clock(told.since_ms, told.at_ms)
            yield f"  erased at {at}: nothing is known of it, and nothing is written to it"
        case "gone":
            survivor = f", merged into {told.merged_into}" if told.merged_into else ""
            yield f"  gone since {clock(told.since_ms, told.at_ms)}{survivor}"
    for one in told.known:
        yield f"  {', '.join(one.names)}   known as of {clock(one.at_ms, told.at_ms)}{_road(one)}"
    if told.unknown:
        yield f"  not readable any more, archived or not permitted: {', '.join(told.unknown)}"


def _never_seen(told: Explanation, looked: Sequence[Looked]) -> str:
    """What helps where nothing is known of an object: a full sync reads what is there, and creates nothing."""
    assert told.named is not None, "a pair is asked for by its match value"
    named, name = told.named, told.integration
    where, pair = NAMES[named.system], ""
    if may_be_address(named.object_id):
        pair = f". By an email its pair is found: pairstream explain {name} MAPPING EMAIL"
    if any(one.integration == name and one.word in ("not_there", "impossible") for one in looked):
        return f"{where} does not have it, and no full sync creates it: check the id, or create it there{pair}"
    asks = "" if looked else f"; --look asks {where} for it"
    return f"Check the id{asks}. What is there a full sync reads: pairstream full-sync start {name}{pair}"


def _road(known: KnownFields) -> str:
    if known.origin is None:
        return ""
    return f" ({known.origin}{', ' + place(known.cause) if known.cause is not None else ''})"


def place(cause: Cause) -> str:
    """As Kafka's people write it; a cause that is no record has its topic only."""
    if cause.offset < 0:
        return cause.topic or "no record"
    return f"{cause.topic}[{cause.partition}]@{cause.offset}"


def _pair_line(told: Explanation, pair: PairAnswer) -> str:
    match pair.word:
        case "never_seen":
            return "never seen: no row is kept for this match value"
        case "no_match_value":
            field = pair.match_fields[told.named.system] if told.named is not None else ""
            return f"no pair: it has no value in {field}, by which the mapping matches"
        case "unmatched":
            return _unmatched(told, pair)
        case "crowded":
            several = [f"{count} or more in {NAMES[system]}" for system, count in sorted(pair.counted.items())]
            held = ", ".join(several) or "more than 25 on a side"
            return f"crowded, nothing is written: its match value is held by {held}. Match by a field that tells apart"
        case "ambiguous":
            return f"ambiguous, nothing is written: its match value is held by {_holders(pair)}. {_rule(pair)}"
        case _:
            return _paired(told, pair)


def _paired(told: Explanation, pair: PairAnswer) -> str:
    field = pair.match_fields["hubspot"]
    if told.named is None:
        ids = " and ".join(f"{NAMES[system]} {pair.objects[system][0]}" for system in sorted(pair.objects))
        return f"paired by {field}: {ids}"
    system, other = told.named.system, OTHER[told.named.system]
    chosen = pair.objects[system][0]
    if chosen != told.named.object_id:
        return f"not in the pair: `on_several: newest` takes {NAMES[system]} {chosen}, with {_first(pair, other)}"
    several = ", the newest of several (`on_several: newest`)" if len(pair.objects[system]) > 1 else ""
    return f"paired by {field} with {_first(pair, other)}{several}"


def _first(pair: PairAnswer, system: System) -> str:
    return f"{NAMES[system]} {pair.objects[system][0]}"


def _unmatched(told: Explanation, pair: PairAnswer) -> str:
    lacking = [system for system in sorted(pair.match_fields) if not pair.objects.get(system)]
    if told.named is not None:
        lacking = [OTHER[told.named.system]]
    who = " or ".join(NAMES[system] for system in lacking)
    fields = " or ".join(dict.fromkeys(pair.match_fields[system] for system in lacking))
    said = f"no pair: nobody in {who} is known to hold this {fields}"
    if pair.read_whole:
        return f"{said}; all of them are known. It is paired once one does"
    once = "It is paired once one does: Pairstream creates none"
    if pair.looked_up_ms is None:
        return f"{said}. Not looked up yet: at its next change, or by a full sync. {once}"
    looked, again = clock(pair.looked_up_ms, told.at_ms), clock(pair.again_ms, told.at_ms)
    return f"{said}. Looked up {looked}; again at its next change after {again}, or by a full sync. {once}"


def _holders(pair: PairAnswer) -> str:
    return ", ".join(f"{system} {object_id}" for system in sorted(pair.objects) for object_id in pair.objects[system])


def _rule(pair: PairAnswer) -> str:
    several = {system for system, ids in pair.objects.items() if len(ids) > 1} | set(pair.counted)
    if several == {"hubspot"} and pair.on_several == "refuse":
        return "`on_several: newest` would take the newest of HubSpot's; else merge them, or delete one"
    return "Merge them, delete one, or change its match value: no rule chooses between them"


def _details(told: Explanation, pair: PairAnswer, *, values: bool) -> Iterator[str]:
    for one in pair.still_there:
        yield _still_there(one, told.at_ms)
    if pair.asking:
        asked = f", asked {clock(pair.asked_ms, told.at_ms)}" if pair.asked_ms is not None else ""
        who = " and ".join(NAMES[system] for system in pair.asking)
        yield f"nothing is written before {who} told who else holds its match value{asked}"
    width = max((len(one.target) for one in pair.fields), default=0)
    for standing in pair.fields:
        arrow = "->" if standing.system == "userflow" else "<-"
        shown = f"   {_shown(standing.value)} for {_shown(standing.wanted)}" if values else ""
        yield f"{arrow} {standing.target.ljust(width)}  {_field(standing, told.at_ms)}{shown}"


def _still_there(one: StillThere, now_ms: int) -> str:
    wrote = f", {_write(one.write, None, now_ms)}" if one.write is not None else ""
    fields = ", ".join(one.fields)
    return f"written while it was a pair, and still there: {one.system} {one.object_id}: {fields}{wrote}"


def _field(one: FieldStanding, now_ms: int) -> str:
    match one.word:
        case "written" if one.write is not None:
            return f"in step    {_write(one.write, one.took_ms, now_ms)}"
        case "settled":
            wrote = f"; {_write(one.write, one.took_ms, now_ms)}" if one.write is not None else ""
            return f"settled    {NAMES[one.system]} keeps another form of what was sent{wrote}"
        case "refused":
            since = f" since {clock(one.since_ms, now_ms)}" if one.since_ms is not None else ""
            return f"REFUSED    {one.reason}{since}: dead letter {(one.letter or '')[:8]}"
        case "contested":
            times = ", ".join(clock(at_ms, now_ms) for at_ms in one.rewrites_ms)
            return (
                f"CONTESTED  somebody else rewrote it at {times}: dead letter {(one.letter or '')[:8]}; "
                "the next full sync tries again"
            )
        case "on_its_way":
            return f"on its way from {one.source}"
        case "parked":
            return f"parked     written once {NAMES[one.system]} is back"
        case "waiting":
            return "waiting    for who else holds the match value"
        case "source_unknown":
            return f"stopped    {one.source} is not known, or not readable any more: it keeps its value"
        case "kept_empty":
            return f"kept       {one.source} is empty, and the rule says `on_empty: keep`"
        case _:
            since = f" since {clock(one.since_ms, now_ms)}" if one.since_ms is not None else ""
            return f"in step    equal{since}"


def _write(write: Written, took_ms: int | None, now_ms: int) -> str:
    """When it was written, how long after its cause, and the cause."""
    exact = write.spread_ms == 0
    at = clock(write.at_ms, now_ms, milliseconds=exact)
    took = f", {duration(took_ms)} after the edit" if took_ms is not None else ""
    run = f"full sync {write.run_id}" if write.run_id else ""
    cause = place(write.caused_by) if write.caused_by is not None else ""
    why = ", ".join(part for part in (run, cause) if part)
    return f"written {at}{took}{f' ({why})' if why else ''}"


def history_lines(history: History, now_ms: int) -> Iterator[str]:
    """A line for each happening, newest first, and how far back was looked."""
    since = f" since {clock(history.searched_since_ms, now_ms)}" if history.searched_since_ms is not None else ""
    if not history.happenings:
        if history.complete:
            yield "history: nothing of it is retained"
        elif since:
            yield f"history: nothing{since}; older records were not searched: --history-within searches for longer"
        return
    yield f"history, newest first ({ROADS};{since or ' all'} that is retained)"
    columns = [_columns(one, now_ms) for one in history.happenings]
    yield from (f"  {line}" for line in _aligned(columns))
    if not history.complete:
        yield "  older records were not searched: --history-within searches for longer"


def event_lines(events: Events, now_ms: int) -> Iterator[str]:
    """A line for each event and mapping, newest first; none where no event is in sight."""
    if not events.happened:
        return
    since = f" since {clock(events.searched_since_ms, now_ms)}" if events.searched_since_ms is not None else ""
    yield f"events, newest first (userflow.activity;{since or ' all'} that is retained)"
    rows = [
        (clock(one.occurred_at_ms, now_ms), one.name, f"{on.mapping}: {_on_timeline(on)}", _place(one.place))
        for one in events.happened
        for on in one.timelines
    ]
    yield from (f"  {line}" for line in _aligned(rows))
    if not events.complete:
        yield "  older events were not searched: --history-within searches for longer"


def _on_timeline(one: OnTimeline) -> str:
    target = f"hubspot {one.object_type} {one.object_id}" if one.object_id is not None else ""
    match one.word:
        case "refused":
            return f"REFUSED {one.reason} for {target}: dead letter {(one.letter or '')[:8]}"
        case "sent":
            return f"sent to {target}" if target else "sent"
        case "on_its_way":
            return f"on its way to {target}" if target else "on its way"
        case "held":
            return "held until its pair is known"
        case "parked":
            return "parked: sent once its pair is derived again"
        case "gone":
            return f"{target or 'its record'} was not there"
        case "off":
            return "not streamed by this mapping"
        case "unsent":
            return "not sent: it had no pair in time, or was not streamed then"


def look_lines(looked: Sequence[Looked]) -> Iterator[str]:
    """What the systems were asked, and told."""
    for one in looked:
        why = f" ({one.reason})" if one.reason else ""
        yield f"{one.integration}, {NAMES[one.system]} {one.object_type} by {one.by}: {LOOK_WORDS[one.word]}{why}"


def happening_line(one: Happening, now_ms: int) -> str:
    """One happening in a line."""
    return "  ".join(_columns(one, now_ms))


def _columns(one: Happening, now_ms: int) -> tuple[str, ...]:
    what = ", ".join(one.fields) if one.operation == "upserted" else one.operation
    run = f" (full sync {one.run_id})" if one.run_id else ""
    why = f": {one.reason}" if one.reason else ""
    led = "" if one.outcome == "unknown" else f"-> {one.outcome}{why}"
    return (
        clock(one.at_ms, now_ms, milliseconds=True),
        one.system,
        one.origin,
        what,
        _place(one.place),
        f"{led}{run}".strip(),
    )


def _place(place: tuple[str, int, int]) -> str:
    topic, partition, offset = place
    return f"{topic}[{partition}]@{offset}"


def _aligned(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def clock(at_ms: int | None, now_ms: int, *, milliseconds: bool = False) -> str:
    """`11:41:02`, with its day where that is another one than today; in UTC."""
    if at_ms is None:
        return "-"
    at, now = (datetime.fromtimestamp(time_ms / 1000, UTC) for time_ms in (at_ms, now_ms))
    text = at.strftime("%H:%M:%S" if at.date() == now.date() else "%Y-%m-%d %H:%M:%S")
    return f"{text}.{at_ms % 1000:03d}" if milliseconds else text


def duration(took_ms: int) -> str:
    """`183 ms`, `2.4 s`, `6 min`."""
    if took_ms < 1_000:
        return f"{took_ms} ms"
    return f"{took_ms / 1000:.1f} s" if took_ms < 100_000 else f"{took_ms / 60_000:.0f} min"


def _shown(value: FieldValue) -> str:
    plain: Any = list(value) if isinstance(value, tuple) else value
    return json.dumps(plain, ensure_ascii=False, default=str)
