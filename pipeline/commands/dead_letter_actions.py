"""What the commands on dead letters do: list, show, redrive, discard."""

import asyncio
import difflib
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from connectors.kafka.producer import Publisher
from connectors.kafka.table import TableReader
from pipeline.commands.letter_desk import LetterDesk, Outcomes, of_ids
from pipeline.commands.options import since_ms
from pipeline.commands.output import say, say_bytes, say_object
from pipeline.commands.session import audit, confirm, known, with_kafka
from pipeline.core.conversion import MEANING
from pipeline.counting import counted
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
from pipeline.operations.letters import SHORT, Letter, NoSuchLetter, Wanted, chosen, named
from pipeline.operations.positions import Position
from pipeline.operations.redrive import LEFT, Plan, plan
from pipeline.operations.shown_record import repeated
from pipeline.process import Process, now_ms
from schemas.reasons import REASONS
from schemas.topics import INTEGRATIONS, LETTER_MARKS, REPLAYS, RUNS


def list_letters(
    run: str | None,
    reason: str | None,
    stage: str | None,
    integration: str | None,
    since: Position | None,
    *,
    everything: bool,
    most: int,
    shape: str,
) -> None:
    """Print the letters that are open, or all; grouped, or one by one where a reason or a run is named.

    Of the newest `most`: each costs a decoded letter and its pair's row.
    """
    wanted = Wanted((), integration, stage, reason, run, since_ms(since))

    async def tell(process: Process, _: Publisher, tables: TableReader) -> None:
        desk = LetterDesk(process, tables)
        letters, older = await asyncio.to_thread(desk.newest, most)
        check(wanted, letters, tables)
        judged = await asyncio.to_thread(desk.told, chosen(letters, wanted))
        one_by_one = bool(reason or run)
        told = judged if everything else _listed(judged, one_by_one=one_by_one)
        at_ms = now_ms()
        if shape == "json":
            return say_object({**list_report(told, at_ms), "looked_at": len(letters), "older": older})
        if told:
            rows = letter_rows(told, at_ms) if one_by_one else group_rows(told, at_ms)
            say(*table(LETTERS if one_by_one else GROUPS, rows))
        else:
            say("no dead letter" if everything else "no open dead letter; --all shows those that were")
        if older:
            say(
                f"the newest {len(letters):,} were looked at, up to {older:,} are older: "
                f"--max {len(letters) + older} looks at them too"
            )

    with_kafka(tell, topics=_tables(run))


def _tables(run: str | None) -> tuple[str, ...]:
    """What is read beside the configuration; runs and replays only where one is named."""
    return (LETTER_MARKS, RUNS, REPLAYS) if run else (LETTER_MARKS,)


def check(wanted: Wanted, letters: Sequence[Letter], tables: TableReader) -> None:
    """That a mistyped word is no good news: what no letter has is told. Letters of what is forgotten stay.

    Raises OperationRefused, and UsageError for a reason that is none.
    """
    integration, reason, run = wanted.integration, wanted.reason, wanted.run
    if integration is not None and not any(one.letter.integration == integration for one in letters):
        known(tables.table(INTEGRATIONS), integration)
    if reason is not None and not _is_reason(reason, letters):
        there = sorted({one.letter.reason for one in letters})
        close = next(iter(difflib.get_close_matches(reason, [*there, *REASONS, *MEANING], n=1)), None)
        hint = f" Did you mean {close}?" if close else ""
        of = f"Letters are there of: {', '.join(there)}" if there else "No letter is there"
        raise click.UsageError(f"{reason!r} is no reason.{hint} {of}.")
    if run is not None and not any(one.about.run_id == run for one in letters):
        runs = {key.partition("/")[0] for key in tables.table(RUNS)}
        if run not in runs | tables.table(REPLAYS).keys():
            raise NoSuchLetter(
                f"no full sync or replay {run}: `pairstream full-sync status` and `pairstream replay status` show "
                "those there are"
            )


def _is_reason(word: str, letters: Sequence[Letter]) -> bool:
    """One of ours, or a system's own code that a letter has."""
    return word in REASONS or word in MEANING or any(one.letter.reason == word for one in letters)


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
            return say_bytes(whole.value)
        told = (await asyncio.to_thread(desk.told, [letter]))[0]
        record = repeated(whole, process.codec, values=values) if decoded else None
        at_ms = now_ms()
        if shape == "json":
            return say_object({"at_ms": at_ms, **report(told), **({"value": record} if decoded else {})})
        say(*(f"{word:<11} {text}" for word, text in details(told, at_ms)))
        if decoded:
            say(json.dumps(record, ensure_ascii=False, indent=2))

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
        check(wanted, letters, tables)
        told = await asyncio.to_thread(desk.told, chosen(letters, wanted))
        planned = plan([(one.letter, one.now) for one in told], desk.marks, most=most, force=force)
        if shape == "text":
            say(*_planned(planned))
        if dry_run or not planned.tries:
            if shape == "json":
                say_object(plan_object(planned, None))
            held = any(why in planned.left for why in ("looping", "unsure", "no_record", "no_bytes", "match"))
            sys.exit(REFUSED if held and not planned.tries else DONE)
        if not yes:
            confirm(f"Redrive {len(planned.tries):,}?")
        watch = await asyncio.to_thread(desk.watch, planned) if wait else None
        last = await desk.redrive(publisher, planned, per_s)
        for name, number in planned.by_integration().items():
            await publisher.send(*audit().deed(name, "dead-letters redrive", counted(number, "letter")))
        outcomes = await watch.outcomes(last, within_s) if watch is not None else None
        if shape == "json":
            say_object(plan_object(planned, outcomes))
        else:
            say(*_became(planned, outcomes))
        good = outcomes is None or not (outcomes.waiting or outcomes.count("refused again"))
        sys.exit(DONE if good else REFUSED)

    with_kafka(work, topics=_tables(run))


def discard_letters(ids: Sequence[str], *, note: str, dry_run: bool, yes: bool, shape: str) -> None:
    """Put letters away."""

    async def work(process: Process, publisher: Publisher, tables: TableReader) -> None:
        desk = LetterDesk(process, tables)
        letters = of_ids(await asyncio.to_thread(desk.letters), ids)
        if shape == "text":
            say(*(f"{one.id[:SHORT]}  {one.letter.reason} in {one.letter.stage}" for one in letters))
        if not dry_run:
            if not yes:
                confirm(f"Discard {len(letters):,}?")
            await desk.mark(publisher, letters, note)
            for one in letters:
                detail = f"{one.id[:SHORT]} {one.letter.reason}: {note}".rstrip(": ")
                await publisher.send(*audit().deed(one.letter.integration or "", "dead-letters discard", detail))
        done = 0 if dry_run else len(letters)
        if shape == "json":
            say_object(
                {"at_ms": now_ms(), "dry_run": dry_run, "discarded": done, "letters": [one.id for one in letters]}
            )
        else:
            say(f"{len(letters):,} would be discarded" if dry_run else f"{done:,} discarded")

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
