"""What the commands on integrations do: pause, resume, disconnect, forget."""

from dataclasses import dataclass
from typing import Final, Literal

from connectors.kafka.producer import Publisher
from connectors.kafka.table import TableReader
from pipeline.commands.changing import Change
from pipeline.commands.options import Way
from pipeline.commands.session import audit, known, with_kafka
from pipeline.operations import apply
from pipeline.operations.pausing import pause_reason
from pipeline.process import Process, now_ms
from pipeline.provisioning.remedies import withdrawal
from pipeline.provisioning.state_machine import DISCONNECTED
from schemas.configuration import IntegrationSettings
from schemas.topics import INTEGRATIONS

WITHDRAWN_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class _Words:
    action: str
    would: str
    question: str
    already: str  # of one that is in that state
    stays: str  # and what asking for it comes to


NOT_KEPT: Final = (
    "the reason stands in the audit alone: this command or the scheduler writes records as a release does that knows "
    "no reasons, by PAIRSTREAM_SCHEMAS_UP_TO or because it is of that release"
)
STATES: Final = {
    "paused": _Words(
        "pause",
        "would be paused: nothing is written; what happens meanwhile is derived on resume",
        "Pause",
        "paused already",
        "is paused already: nothing but the reason would change",
    ),
    "active": _Words(
        "resume",
        "would go on: what happened meanwhile is derived and written",
        "Resume",
        "not paused: it goes on as before",
        "is not paused: nothing would change",
    ),
}
TRIAL_ENDS: Final = "the file that is tried beside what is in force is given up: apply it again later"


def disconnect(name: str, way: Way) -> None:
    """Stop at once and forget the credentials; values that were written stay."""

    async def ask(_: Process, publisher: Publisher, tables: TableReader) -> None:
        settings = known(tables.table(INTEGRATIONS), name)
        facts = {"integration": name, "was": settings.state, "state": settings.state, "withdrawn": {}}
        change = Change("integration disconnect", way, **facts)
        if settings.state == "disconnected":
            change.say(f"{name}: disconnected already")
            return change.end(done=False)
        change.agree(
            f"{name} would be disconnected: no request leaves any more, credentials and what is known of its objects "
            "are forgotten; values that were written stay",
            f"Disconnect {name}, and forget its credentials and what is known of its objects?",
            unasked=False,
        )
        settings = known(tables.table(INTEGRATIONS), name)  # another account may be in force by the time of the answer
        request = apply.changed_state(settings, "disconnected", now_ms())
        await apply.ask(publisher, name, request)
        applied = await apply.wait_until_applied(tables, name, request, 30.0)
        change.say(f"{name}: {applied.settings.state}: no request leaves any more")
        told = await apply.wait_until_withdrawn(tables, name, settings.connection, WITHDRAWN_S)
        for system, outcome in told.items():
            change.say(f"{name}: {withdrawal(system, outcome)}")
        change.say(f"{name}: what was known of its objects is forgotten; values that were written stay")
        return change.end(state=applied.settings.state, withdrawn=dict(told))

    with_kafka(ask)


def change_state(name: str, state: Literal["active", "paused"], way: Way, reason: str = "") -> None:
    """Ask for another state and wait until it is in force; `reason`: why it is paused."""

    async def ask(_: Process, publisher: Publisher, tables: TableReader) -> None:
        settings, words = known(tables.table(INTEGRATIONS), name), STATES[state]
        if settings.state == "disconnected":
            raise apply.NotApplied(f"{name}: {DISCONNECTED}")
        why = pause_reason(reason)
        facts: dict[str, str | None] = {"integration": name, "was": settings.state, "state": settings.state}
        facts["pause_reason"] = settings.pause_reason or None
        change = Change(f"integration {words.action}", way, **facts)
        would = f"; {TRIAL_ENDS}" if settings.trial is not None else ""
        outcome = words.stays if settings.state == state else words.would
        change.agree(f"{name} {outcome}{would}", f"{words.question} {name}?")
        settings = known(tables.table(INTEGRATIONS), name)  # the answer may have taken its time
        if settings.state == "disconnected":
            raise apply.NotApplied(f"{name}: {DISCONNECTED}")
        if state == "paused":
            why = why or settings.pause_reason
        request = apply.changed_state(settings, state, now_ms(), why)
        await apply.ask(publisher, name, request)
        now = (await apply.wait_until_applied(tables, name, request, 30.0)).settings
        stood = words.already if settings.state == now.state else now.state
        change.say(f"{name}: {stood}" + (f": {now.pause_reason}" if now.pause_reason else ""))
        if now.reason and now.reason != settings.reason:
            change.say(f"{name}: {now.reason}")
        if why != now.pause_reason:
            change.say(f"{name}: {NOT_KEPT}")
        change.end(
            done=settings.trial is not None or _stands(settings) != _stands(now),
            was=settings.state,
            state=now.state,
            pause_reason=now.pause_reason or None,
        )

    with_kafka(ask)


def _stands(settings: IntegrationSettings) -> tuple[str, str]:
    return settings.state, settings.pause_reason


def forget(name: str, way: Way) -> None:
    """Delete the request of a disconnected integration; the scheduler then deletes the rest."""

    async def ask(_: Process, publisher: Publisher, tables: TableReader) -> None:
        settings = known(tables.table(INTEGRATIONS), name)
        if settings.state != "disconnected":
            raise apply.NotApplied(f"{name} is connected. Fix: `pairstream integration disconnect {name}` first")
        change = Change("integration forget", way, integration=name, was=settings.state)
        change.agree(f"{name} would be forgotten: its file and settings are listed no longer", f"Forget {name}?")
        await apply.forget(publisher, tables, name, 30.0)
        await publisher.send(*audit().deed(name, "forget", ""))
        change.say(f"{name}: forgotten")
        change.end()

    with_kafka(ask)
