"""What the commands on dead letters do: list, show, redrive, discard."""

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from connectors.kafka.producer import Publisher
from connectors.kafka.table import TableReader
from pipeline.commands.letter_desk import LetterDesk, Outcomes, of_ids
from pipeline.commands.options import since_ms
from pipeline.commands.session import audit, confirm, known, with_kafka
from pipeline.exit_codes import DONE, REFUSED
from pipeline.operations.letter_report import (
    GROUPS,
    LETTERS,
    Told,
    clock,
    details,
    group_rows,
    letter_rows,
    list_report,
    report,
    table,
)
from pipeline.operations.letters import SHORT, Letter, Wanted, chosen, named
from pipeline.operations.positions import Position
from pipeline.operations.redrive import LEFT, Plan, plan
from pipeline.operations.shown_record import repeated
from pipeline.process import Process, now_ms
from pipeline.visible import visible_lines
from schemas.topics import INTEGRATIONS, LETTER_MARKS


def list_letters(
    run: str | None,
    reason: str | None,
    stage: str | None,
    integration: str | None,
    since: Position | None,
    *,
    everything: bool,
    shape: str,
) -> None:
    """Print the letters that are open, or all; grouped, or one by one where a reason or a run is named."""
    wanted = Wanted((), integration, stage, reason, run, since_ms(since))

    async def tell(process: Process, _: Publisher, tables: TableReader) -> None:
        desk = LetterDesk(process, tables)
        letters = await asyncio.to_thread(desk.letters)
        _check(integration, letters, tables)
        judged = await asyncio.to_thread(desk.told, chosen(letters, wanted))
        told = judged if everything else _listed(judged, one_by_one=bool(reason or run))
        at_ms = now_ms()
        if shape == "json":
            return _print(list_report(told, at_ms))
        if not told:
            return _say("no dead letter" if everything else "no open dead letter; --all shows those that were")
        one_by_one = bool(reason or run)
        rows = letter_rows(told, at_ms) if one_by_one else group_rows(told, at_ms)
        _say(*table(LETTERS if one_by_one else GROUPS, rows))

    with_kafka(tell, topics=(LETTER_MARKS,))


def _check(integration: str | None, letters: Sequence[Letter], tables: TableReader) -> None:
    """That a mistyped name is no good news. Raises OperationRefused; letters of one that is forgotten stay."""
    if integration is not None and not any(one.letter.integration == integration for one in letters):
        known(tables.table(INTEGRATIONS), integration)


def _listed(judged: Sequence[Told], *, one_by_one: bool) -> list[Told]:
    """Open ones; looked at one by one, those that are mended by now too."""
    return [one for one in judged if one.now.open or (one_by_one and one.now.word in ("mended", "on_its_way"))]


def show_letter(beginning: str, *, decoded: bool, raw: bool, values: bool, shape: str) -> None:
    """Print one letter, or the bytes of its record."""

    async def tell(process: Process, __: Publisher, tables: TableReader) -> None:
        desk = LetterDesk(process, tables)
        letter = named(await asyncio.to_thread(desk.letters), beginning)
        whole = await asyncio.to_thread(desk.body, letter)
        if raw:
            click.get_binary_stream("stdout").write(whole.value)
            return
        told = (await asyncio.to_thread(desk.told, [letter]))[0]
        record = repeated(whole, process.codec, values=values) if decoded else None
        at_ms = now_ms()
        if shape == "json":
            return _print({"at_ms": at_ms, **report(told), **({"value": record} if decoded else {})})
        _say(*(f"{word:<11} {text}" for word, text in details(told, at_ms)))
        if decoded:
            _say(json.dumps(record, ensure_ascii=False, indent=2))

    with_kafka(tell, topics=(LETTER_MARKS,))


def redrive_letters(
    ids: Sequence[str],
    run: str | None,
    reason: str | None,
    stage: str | None,
    integration: str | None,
    since: Position | None,
    *,
    dry_run: bool,
    yes: bool,
    wait: bool,
    within_s: float,
    per_s: float,
    most: int | None,
    force: bool,
    shape: str,
) -> None:
    """Say what trying letters again comes to, then do it; exits 1 where nothing is tried, or one is refused again."""
    wanted = Wanted(tuple(ids), integration, stage, reason, run, since_ms(since))

    async def work(process: Process, publisher: Publisher, tables: TableReader) -> None:
        desk = LetterDesk(process, tables)
        letters = await asyncio.to_thread(desk.letters)
        _check(integration, letters, tables)
        told = await asyncio.to_thread(desk.told, chosen(letters, wanted))
        planned = plan([(one.letter, one.now) for one in told], desk.marks, most=most, force=force)
        if shape == "text":
            _say(*_planned(planned))
        if dry_run or not planned.tries:
            if shape == "json":
                _print(plan_object(planned, None))
            held = any(why in planned.left for why in ("looping", "unsure", "no_record", "no_bytes", "match"))
            sys.exit(REFUSED if held and not planned.tries else DONE)
        if not yes:
            confirm(f"Redrive {len(planned.tries):,}?")
        watch = await asyncio.to_thread(desk.watch, planned) if wait else None
        last = await desk.redrive(publisher, planned, per_s)
        for name, number in planned.by_integration().items():
            await publisher.send(*audit().deed(name, "dead-letters redrive", f"{number} letters"))
        outcomes = await watch.outcomes(last, within_s) if watch is not None else None
        if shape == "json":
            _print(plan_object(planned, outcomes))
        else:
            _say(*_became(planned, outcomes))
        good = outcomes is None or not (outcomes.waiting or outcomes.count("refused again"))
        sys.exit(DONE if good else REFUSED)

    with_kafka(work, topics=(LETTER_MARKS,))


def discard_letters(ids: Sequence[str], *, note: str, dry_run: bool, yes: bool, shape: str) -> None:
    """Put letters away."""

    async def work(process: Process, publisher: Publisher, tables: TableReader) -> None:
        desk = LetterDesk(process, tables)
        letters = of_ids(await asyncio.to_thread(desk.letters), ids)
        if shape == "text":
            _say(*(f"{one.id[:SHORT]}  {one.letter.reason} in {one.letter.stage}" for one in letters))
        if not dry_run:
            if not yes:
                confirm(f"Discard {len(letters):,}?")
            await desk.mark(publisher, letters, note)
            for one in letters:
                detail = f"{one.id[:SHORT]} {one.letter.reason}: {note}".rstrip(": ")
                await publisher.send(*audit().deed(one.letter.integration or "", "dead-letters discard", detail))
        done = 0 if dry_run else len(letters)
        if shape == "json":
            _print({"at_ms": now_ms(), "dry_run": dry_run, "discarded": done, "letters": [one.id for one in letters]})
        else:
            _say(f"{len(letters):,} would be discarded" if dry_run else f"{done:,} discarded")

    with_kafka(work, topics=(LETTER_MARKS,))


def _planned(planned: Plan) -> list[str]:
    lines = []
    mended = len(planned.left.get("mended", ()))
    also = f" ({mended:,} {'is' if mended == 1 else 'are'} mended)" if mended else ""
    if planned.fields:
        writes = " and ".join(
            f"{number:,} {'write' if number == 1 else 'writes'} to {name}"
            for system, name in (("hubspot", "HubSpot"), ("userflow", "Userflow"))
            if (number := planned.writes(system))
        )
        fields, pairs = len(planned.fields), planned.pairs
        lines.append(
            f"{fields:,} {'field' if fields == 1 else 'fields'} of {pairs:,} {'pair' if pairs == 1 else 'pairs'} "
            f"would be tried once more{also}; at most {writes}"
        )
    if planned.records:
        number = len(planned.records)
        lines.append(f"{number:,} {'record' if number == 1 else 'records'} would be published again")
    if not planned.tries:
        lines.append(f"nothing would be tried once more{also}")
    if lasting := len(planned.tries) - len(planned.promising.tries):
        lines.append(f"{lasting:,} of them would be refused again: what is in force still says no")
    lines += [f"{len(some):,} left alone: {LEFT[why]}" for why, some in planned.left.items() if why != "mended"]
    return lines


def _became(planned: Plan, outcomes: Outcomes | None) -> list[str]:
    number = len(planned.tries)
    if outcomes is None:
        return [f"{number:,} redriven; `pairstream dead-letters list --all` shows how they stand"]
    lines = [f"{id[:SHORT]}  {what} {_at(outcomes, id)}".rstrip() for id, what in outcomes.became.items()]
    counts = [f"{word} {count:,}" for word, count in _counts(outcomes).items() if count or word == "refused again"]
    return [*lines, f"{number:,} redriven: {', '.join(counts)}"]


def _at(outcomes: Outcomes, id: str) -> str:
    at_ms = outcomes.at_ms.get(id)
    return clock(at_ms, now_ms(), milliseconds=True) if at_ms else ""


def _counts(outcomes: Outcomes) -> dict[str, int]:
    return {
        "written": outcomes.count("written"),
        "handled": outcomes.count("handled"),
        "refused again": outcomes.count("refused again"),
        "gone": outcomes.count("gone"),
        "not known yet": outcomes.count("not known yet"),
    }


def plan_object(planned: Plan, outcomes: Outcomes | None) -> Mapping[str, Any]:
    """What `redrive` tells, as an object."""
    became: Mapping[str, str] = outcomes.became if outcomes is not None else {}
    tried = [
        {
            "id": one.letter.id,
            "reason": one.letter.letter.reason,
            "road": one.road,
            "redrives": one.redrives,
            "became": became.get(one.letter.id),
        }
        for one in planned.tries
    ]
    return {
        "at_ms": now_ms(),
        "fields": len(planned.fields),
        "pairs": planned.pairs,
        "records": len(planned.records),
        "most_writes": {system: planned.writes(system) for system in ("hubspot", "userflow")},
        "refused_again": len(planned.tries) - len(planned.promising.tries),
        "left": {why: [letter.id for letter in some] for why, some in planned.left.items()},
        "tried": tried,
        "counts": None if outcomes is None else _counts(outcomes),
    }


def _say(*texts: str) -> None:
    for text in texts:
        click.echo(visible_lines(text))


def _print(told: Mapping[str, Any]) -> None:
    click.echo(json.dumps(told, ensure_ascii=False))
