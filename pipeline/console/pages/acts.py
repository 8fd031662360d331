"""What is done to one integration: a page that says what it comes to, and a form that does it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from connectors.kafka.table import until_read
from pipeline.console.head import settings_in
from pipeline.console.pages.integration import mappings_of
from pipeline.console.visit import Gone, Shown, Visit
from pipeline.counting import counted
from pipeline.full_sync.rows import CONFIRM, STOP
from pipeline.operations import apply, full_sync
from pipeline.operations.pausing import LONGEST, NoReason, pause_reason
from pipeline.operations.runs import held_up
from pipeline.provisioning.state_machine import DISCONNECTED
from schemas.configuration import DesiredState, IntegrationSettings
from schemas.records import ObjectMapping
from schemas.runs import RunProgress
from schemas.topics import MAPPINGS, RUNS
from schemas.values import SYSTEMS

IN_FORCE_S: Final = 30.0
WITHDRAWN_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Confirm:
    """What an act comes to, before it is done."""

    title: str
    lead: str
    button: str
    back: str
    rows: Sequence[tuple[str, str]] = ()
    choices: Sequence[str] = ()
    typed: str = ""  # what has to be typed to confirm it
    danger: bool = False
    command: str = ""  # the command that does the same
    problem: str = ""
    asks: bool = False  # whether it can be asked to count before it writes
    reason: str | None = None  # what was typed as the reason; None: no reason is asked for
    keep: str = "Not now"  # the button that leaves all as it is
    hint: str = ""  # who may do it, and where it is told
    instead: tuple[str, str] | None = None  # what may be done in its place: a button, and where it leads


def _asks(visit: Visit, confirm: Confirm, status: int = 200) -> Shown:
    facts = {"confirm": confirm, "name": visit.integration, "longest_reason": LONGEST}
    return Shown("confirm.html", facts, status)


async def start(visit: Visit) -> Shown:
    """`GET full-sync/start`."""
    settings_in(visit)
    name, back = visit.integration, f"/i/{visit.integration}/full-sync"
    rows = [("Is held up", told) for told in held_up(name, visit.desk.parts, SYSTEMS)]
    lead = "It reads both sides and writes only what differs. What is in step costs no write. Nothing is created."
    choices = [one.name for one in mappings_of(visit)]
    command = f"pairstream full-sync start {name}"
    told = Confirm("Run a full sync?", lead, "Run full sync", back, rows, choices, asks=True, command=command)
    return _asks(visit, told)


async def do_start(visit: Visit) -> Gone:
    """`POST full-sync/start`: the operation of `pairstream full-sync start`."""
    settings, name, desk = settings_in(visit), visit.integration, visit.desk
    rows: Sequence[ObjectMapping] = list(desk.tables.table(MAPPINGS).values())
    chosen = visit.form.several("mapping")
    if len(chosen) == len(mappings_of(visit)):
        chosen = ()
    request = full_sync.new_request(
        name, settings, rows, desk.runs, desk.now_ms(), only=chosen, asks=bool(visit.form.one("asks"))
    )
    await _publish(visit, request.run_id, request)
    return Gone(f"/i/{name}/full-sync")


async def stop(visit: Visit) -> Shown:
    """`GET full-sync/stop`."""
    settings_in(visit)
    name, back = visit.integration, f"/i/{visit.integration}/full-sync"
    full_sync.stop_request(name, visit.desk.runs, visit.desk.now_ms())  # says so where none is under way
    lead = "What is written stays; what was not reached waits for the next full sync. Live changes are not affected."
    title, command = f"Stop the full sync of {name}?", f"pairstream full-sync stop {name}"
    return _asks(visit, Confirm(title, lead, "Stop it", back, danger=True, command=command, keep="Let it run"))


async def do_stop(visit: Visit) -> Gone:
    """`POST full-sync/stop`."""
    settings_in(visit)
    key, row = full_sync.stop_request(visit.integration, visit.desk.runs, visit.desk.now_ms())
    assert key.endswith(STOP)
    await _publish(visit, key, row)
    return Gone(f"/i/{visit.integration}/full-sync")


async def confirm(visit: Visit) -> Shown:
    """`GET full-sync/confirm`."""
    settings_in(visit)
    name, back = visit.integration, f"/i/{visit.integration}/full-sync"
    full_sync.confirm_request(name, visit.desk.runs, visit.desk.now_ms())
    run = full_sync.current(name, visit.desk.runs)
    assert run is not None
    counts = run.row.counts
    rows = [
        ("Userflow", f"{counted(counts.get('written.userflow', 0), 'object')} written"),
        ("HubSpot", f"{counted(counts.get('written.hubspot', 0), 'object')} written"),
        ("Emptied", f"a field of {counted(counts.get('cleared', 0), 'object')}"),
        *(("For example", sample) for sample in run.row.samples),
    ]
    lead = "Nothing is written yet. Pairstream keeps no copy of what is emptied."
    title, command = f"Let the full sync of {name} write?", f"pairstream full-sync confirm {name}"
    return _asks(visit, Confirm(title, lead, "Let it write", back, rows, danger=True, command=command))


async def do_confirm(visit: Visit) -> Gone:
    """`POST full-sync/confirm`."""
    settings_in(visit)
    key, row = full_sync.confirm_request(visit.integration, visit.desk.runs, visit.desk.now_ms())
    assert key.endswith(CONFIRM)
    await _publish(visit, key, row)
    return Gone(f"/i/{visit.integration}/full-sync")


async def pause(visit: Visit, problem: str = "") -> Shown:
    """`GET pause`."""
    settings, name = settings_in(visit), visit.integration
    rows = (
        ("Goes on", "Reading. Changes and events are kept, and written after resuming."),
        ("Stays", "Links, mappings and credentials."),
        ("Waits", "Users do not get their HubSpot fields until you resume."),
        *_given_up(settings),
    )
    told = Confirm(
        f"Pause {name}?",
        "Writing stops at once, in both directions. Reading goes on.",
        "Pause writing",
        f"/i/{name}",
        rows,
        command=f"pairstream integration pause {name}",
        problem=problem,
        reason=visit.form.one("reason"),
        keep="Keep writing",
    )
    return _asks(visit, told, 422 if problem else 200)


async def do_pause(visit: Visit) -> Shown | Gone:
    """`POST pause`, with the reason that was typed, if any."""
    try:
        why = pause_reason(visit.form.one("reason"))
    except NoReason as error:
        return await pause(visit, f"{error}. Nothing was changed.")
    return await _changed(visit, "paused", why)


async def resume(visit: Visit) -> Shown:
    """`GET resume`."""
    settings, name = settings_in(visit), visit.integration
    lead = "Writing goes on at once, in both directions. Every pair is derived again."
    command = f"pairstream integration resume {name}"
    rows = _given_up(settings)
    return _asks(visit, Confirm(f"Resume {name}?", lead, "Resume writing", f"/i/{name}", rows, command=command))


def _given_up(settings: IntegrationSettings) -> Sequence[tuple[str, str]]:
    """What a change of the state costs beside what it is asked for."""
    return () if settings.trial is None else (("Is given up", "The file that waits on trial. Apply it again later."),)


async def do_resume(visit: Visit) -> Gone:
    """`POST resume`."""
    return await _changed(visit, "active")


async def disconnect(visit: Visit, problem: str = "") -> Shown:
    """`GET disconnect`."""
    settings = settings_in(visit)
    name = visit.integration
    rows = (
        ("Stops within a second", f"All writes to HubSpot {settings.hubspot.account} and Userflow."),
        ("Is forgotten", f"The credentials, and what is known of its objects: {_known_of(visit)}."),
        ("Is taken back", "Userflow's webhook subscription."),
        ("Stays", "Every value that was written, the HubSpot properties, events on timelines."),
        ("Cannot be undone", "Connecting again starts anew, with a full sync."),
    )
    lead = "Event streaming and field sync stop at once, for good. Pausing instead keeps everything."
    command = f"pairstream integration disconnect {name}"
    told = Confirm(
        f"Disconnect {name}?",
        lead,
        f"Disconnect {name}",
        f"/i/{name}",
        rows,
        typed=name,
        danger=True,
        command=command,
        problem=problem,
        keep="Keep it connected",
        hint="Only admins can disconnect. It is told under Activity, with your name.",
        instead=("Pause instead", f"/i/{name}/pause") if settings.state == "active" else None,
    )
    return _asks(visit, told, 422 if problem else 200)


def _known_of(visit: Visit) -> str:
    """With figures, as far as they are known."""
    done, refused = full_sync.completed(visit.desk.runs_of(visit.integration)), visit.desk.refused(visit.integration)
    pairs = done.row.counts.get("pairs") if done is not None else None
    links = "links" if pairs is None else counted(pairs, "link")
    return f"{links}, {'refused values' if refused is None else counted(refused, 'refused value')}, held events"


async def do_disconnect(visit: Visit) -> Shown | Gone:
    """`POST disconnect`: only with the name typed."""
    settings, name, desk = settings_in(visit), visit.integration, visit.desk
    if visit.form.one("name") != name:
        return await disconnect(visit, f"Type {name} to confirm. Nothing was changed.")
    if settings.state != "disconnected":
        await _ask(visit, "disconnected")
        await apply.wait_until_withdrawn(desk.tables, name, settings.connection, WITHDRAWN_S)
    return Gone(f"/i/{name}")


async def _changed(visit: Visit, state: DesiredState, why: str = "") -> Gone:
    if settings_in(visit).state == "disconnected":
        raise apply.NotApplied(f"{visit.integration}: {DISCONNECTED}")
    await _ask(visit, state, why)
    return Gone(f"/i/{visit.integration}")


async def _ask(visit: Visit, state: DesiredState, why: str = "") -> None:
    settings, desk = settings_in(visit), visit.desk
    request = apply.changed_state(settings, state, desk.now_ms(), why)
    await apply.ask(desk.publisher, visit.integration, request)
    await apply.wait_until_applied(desk.tables, visit.integration, request, IN_FORCE_S)


async def _publish(visit: Visit, key: str, row: RunProgress) -> None:
    """Ask something of a full sync, and wait until this console reads it: the page that follows shows it."""
    desk = visit.desk
    await desk.publisher.send(RUNS, key, row)
    await until_read(RUNS, lambda: desk.tables.get(RUNS, key) is not None)
