"""How integrations stand, as lines for a terminal. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from pipeline.counting import counted
from pipeline.full_sync.text import duration, state_word
from pipeline.lag.text import NAMES, aligned, seconds
from schemas.configuration import STANDS

Shown = dict[str, Any]

LIST_HEAD: Final = (
    "NAME",
    "STATE",
    "REVISION",
    "HUBSPOT",
    "USERFLOW",
    "PAIRS",
    "REFUSED",
    "BEHIND",
    "LAST-FULL-SYNC",
)
MAPPING_HEAD: Final = (
    "MAPPING",
    "PAIRS",
    "IN STEP",
    "WAITING",
    "REFUSED",
    "AMBIGUOUS",
    "CROWDED",
    "HUBSPOT ONLY",
    "USERFLOW ONLY",
)
COUNTED: Final = "PAIRS and REFUSED as the last full sync that completed counted them"
ASKED: Final = {
    "mismatch": "is the secret right? is PAIRSTREAM_PUBLIC_URL what the vendor calls?",
    "stale": "are both clocks right?",
    "missing": "is it signed at all?",
}
"""What to ask of webhooks that are refused."""
COLUMNS: Final = ("pairs", "in_step", "waiting", "refused", "ambiguous", "crowded", "hubspot_only", "userflow_only")


def list_table(shown: Sequence[Shown]) -> list[str]:
    """A line for each integration, and below it what is wrong with any."""
    notes = [f"{one['integration']}: {note}" for one in shown for note in _notes(one)]
    return [*aligned(LIST_HEAD, [_line(one) for one in shown], right=(2, 5, 6, 7)), COUNTED, *notes]


def _notes(one: Shown) -> list[str]:
    found = _applied_last(one)
    found += [f"paused: {one['pause_reason']}"] if one["pause_reason"] else []
    found += _awaited(one)
    for system, told in one["systems"].items():
        if told["status"] not in ("ok", "unknown") or told["reason"]:
            found.append(f"{system} {STANDS.get(told['status'], 'is unknown')}: {told['reason']}")
        found += [f"{system}: {note}" for note in _denied(told)]
    return found


def _applied_last(one: Shown) -> list[str]:
    """What there is to say of the newest apply: why it was refused, or given up."""
    if one["refusal"]:
        return [f"its last apply was refused: {one['refusal']}"]
    return [one["reason"]] if one["apply_state"] == "done" and one["reason"] else []


def _awaited(one: Shown) -> list[str]:
    account = one["awaits_access"]
    return [f"its newest file waits for access to HubSpot account {account}"] if account else []


def _denied(told: Shown) -> list[str]:
    return [
        f"may not {name.rpartition('.')[2]} {name.rpartition('.')[0]}: {why}" for name, why in told["denied"].items()
    ]


def _line(one: Shown) -> tuple[str, ...]:
    run = one["last_full_sync"]
    return (
        one["integration"],
        one["state"],
        str(one["revision"]),
        _status(one["systems"]["hubspot"]),
        _status(one["systems"]["userflow"]),
        _sum(one, "pairs"),
        _sum(one, "refused"),
        seconds(one["behind_s"]),
        f"{state_word(run['state'])} {moment(run['finished_at'] or run['started_at'])}" if run else "none yet",
    )


def _sum(one: Shown, key: str) -> str:
    known = [mapping[key] for mapping in one["mappings"] if mapping[key] is not None]
    return f"{sum(known):,}" if known else "-"


def lines(one: Shown) -> list[str]:
    """One integration in full."""
    revision = f"revision {one['revision']}{_applied(one['applied_at_ms'], one['at_ms'])}"
    connected_ms = one["connected_at_ms"]
    since = f", since {_instant(connected_ms):%Y-%m-%d}" if connected_ms is not None else ""
    found = [f"{one['integration']}  {one['state']}, {revision}, connection {one['connection']}{since}"]
    found += [f"  {note}" for note in _applied_last(one)]
    found += [f"  paused: {one['pause_reason']}"] if one["pause_reason"] else []
    found += [f"  {note}" for note in _awaited(one)]
    found += [line for system, told in one["systems"].items() for line in _system(system, told, one["at_ms"])]
    rows = [(mapping["mapping"], *(_number(mapping[key]) for key in COLUMNS)) for mapping in one["mappings"]]
    found += aligned(MAPPING_HEAD, rows, right=tuple(range(1, len(MAPPING_HEAD)))) if rows else []
    found += [_counted(one)] if rows else []
    waiting = counted(one["lag"], "record")
    found.append(f"behind {seconds(one['behind_s'])} ({waiting}) · {_runs(one)}")
    newest, total = one["secrets"]["newest_key"], one["secrets"]["all"]
    if newest is not None:
        found.append(f"{newest} of {total} secrets are sealed with the newest key")
    to_do = things_to_do(one)
    found += [f"{counted(len(to_do), 'thing')} to do: {'; '.join(to_do)}"] if to_do else []
    return found


def _counted(one: Shown) -> str:
    """Of what time the table of mappings is."""
    at = one["counted_at"]
    if at is None:
        return "WAITING is of now; the rest is counted by a full sync, and none has completed"
    return f"WAITING is of now; the rest as the full sync of {moment(at)} counted it"


def _system(system: str, told: Shown, now_ms: int) -> list[str]:
    account = f"{NAMES[system]} {told['account']}" + (f" {told['region']}" if told["region"] else "")
    facts = [", ".join(told["credentials"]) or "no credentials"]
    facts.append(f"owner {told['owner'] or 'nobody'}, partition {told['partition']}")
    if told["requests_left"] is not None:
        facts.append(f"{counted(told['requests_left'], 'request')} left")
    status = _status(told)
    found = [f"  {account}  {status}" + (f": {told['reason']}" if told["reason"] else "") + f"  {'; '.join(facts)}"]
    last = told["last_webhook_at_ms"]
    when = (
        f"last accepted {_clock(last)} ({(now_ms - last) / 1000:,.0f} s ago)"
        if last
        else "none since its receiver began"
    )
    refused = [
        f"{result} {(now_ms - at_ms) / 1000:,.0f} s ago -> {ASKED.get(result, 'pairstream doctor')}"
        for result, at_ms in told["webhooks_refused"].items()
        if at_ms > (last or 0)
    ]
    found.append("; ".join([f"    webhooks  {when}", *(f"refused: {one}" for one in refused)]))
    found += [f"    {note}" for note in _denied(told)]
    return found


def things_to_do(one: Shown) -> list[str]:
    """Commands that mend what stands badly."""
    name, found = one["integration"], []
    if one["apply_state"] == "failed":
        found.append("mend its file and `pairstream apply` it")
    if one["awaits_access"]:
        found.append(f"pairstream connect {name}")
    if any(told["status"] not in ("ok", "unknown") or told["denied"] for told in one["systems"].values()):
        found.append("pairstream doctor")
    if any(mapping["refused"] for mapping in one["mappings"]):
        found.append(f"pairstream dead-letters list --integration {name}")
    if one["state"] == "paused":
        found.append(f"pairstream integration resume {name}")
    if one["state"] == "active" and one["last_full_sync"] is None:
        found.append(f"pairstream full-sync start {name}")
    return found


def _runs(one: Shown) -> str:
    run, following = one["last_full_sync"], one["next_full_sync_at_ms"]
    after = f", next {datetime.fromtimestamp(following / 1000, UTC):%Y-%m-%d %H:%M}" if following else ""
    if run is None:
        return f"no full sync yet{after}"
    took = duration(round(run["took_s"]))
    return (
        f"last full sync {state_word(run['state'])} {moment(run['finished_at'] or run['started_at'])} ({took}){after}"
    )


def _status(told: Shown) -> str:
    return str(told["status"]).replace("_", " ")


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def moment(instant: str) -> str:
    """`2026-11-26 11:43`."""
    return instant[:16].replace("T", " ")


def _applied(at_ms: int | None, now_ms: int) -> str:
    """The time, of another day with its date."""
    if at_ms is None:
        return ""
    at = _instant(at_ms)
    return f" (applied {_clock(at_ms) if at.date() == _instant(now_ms).date() else f'{at:%Y-%m-%d %H:%M}'})"


def _clock(at_ms: int) -> str:
    return f"{_instant(at_ms):%H:%M:%S}"


def _instant(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
