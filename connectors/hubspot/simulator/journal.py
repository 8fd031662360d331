"""The simulated webhooks journal (`apis/hubspot.md`, section 5): subscriptions, and files of what they tell."""

import json
import random
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from connectors.hubspot.simulator.definitions import ObjectType
from connectors.hubspot.simulator.errors import ErrorAnswer, invalid, not_found
from connectors.hubspot.simulator.settings import HubSpotSettings
from connectors.hubspot.simulator.webhooks import Happening
from connectors.simulation.calls import Json
from connectors.simulation.clock import iso_z

JOURNAL_SCOPES: Final = (
    "developer.webhooks_journal.read",
    "developer.webhooks_journal.subscriptions.read",
    "developer.webhooks_journal.subscriptions.write",
)
_ACTIONS: Final[Mapping[str, str]] = {
    "creation": "CREATE",
    "propertyChange": "UPDATE",
    "deletion": "DELETE",
    "merge": "MERGE",
    "restore": "RESTORE",
    "privacyDeletion": "GDPR_DELETE",
}


@dataclass(frozen=True)
class JournalFile:
    """One file: its events, when it came into the journal, and the offset that names it."""

    offset: str
    published_ms: int
    events: Sequence[Json]

    def body(self) -> bytes:
        wire = {"offset": self.offset, "journalEvents": list(self.events), "publishedAt": iso_z(self.published_ms)}
        return json.dumps(wire).encode()


@dataclass
class _Subscription:
    id: int
    wire: dict[str, Json]

    @property
    def key(self) -> tuple[Json, ...]:
        """What an app has one subscription for."""
        return tuple(self.wire.get(name) for name in ("subscriptionType", "portalId", "objectTypeId"))

    def tells(self, kind: str, type_id: str, action: str) -> bool:
        return (self.wire["subscriptionType"], self.wire["objectTypeId"]) == (kind, type_id) and (
            action in self.wire["actions"]
        )


@dataclass
class Journal:
    """What the account's subscriptions tell; `now_ms` is the vendor's clock."""

    settings: Callable[[], HubSpotSettings]
    now_ms: Callable[[], int]
    rng: random.Random
    subscriptions: dict[int, _Subscription] = field(default_factory=dict)
    _files: list[JournalFile] = field(default_factory=list)
    _open: list[tuple[int, Json]] = field(default_factory=list)  # events of no file yet, and when they happened
    _addresses: dict[str, tuple[str, int]] = field(default_factory=dict)  # signature -> offset, end of its life
    _next_id: int = 1

    # subscriptions

    def put(self, wire: Mapping[str, Json]) -> Json:
        """Make a subscription, or replace the one of its account and type."""
        needed = ("subscriptionType", "portalId", "objectTypeId", "actions")
        of_objects = ("properties", "objectIds") if wire.get("subscriptionType") == "OBJECT" else ()
        lacking = [name for name in (*needed, *of_objects) if name not in wire]
        if lacking:
            raise invalid(f"{lacking[0]} is missing")
        if int(wire["portalId"]) != self.settings().portal_id:
            raise ErrorAnswer(403, "MISSING_SCOPES", "The app is not installed in this account.")
        made = _Subscription(self._next_id, dict(wire))
        found = next((one for one in self.subscriptions.values() if one.key == made.key), None)
        if found is not None:
            found.wire = dict(wire)
            return self._shown(found)
        self._next_id += 1
        self.subscriptions[made.id] = made
        return self._shown(made)

    def delete(self, id: str) -> None:
        if not id.isdecimal() or self.subscriptions.pop(int(id), None) is None:
            raise not_found()

    def listed(self) -> list[Json]:
        return [self._shown(one) for one in self.subscriptions.values()]

    def _shown(self, one: _Subscription) -> Json:
        at = iso_z(self.now_ms())
        return {**one.wire, "id": one.id, "appId": self.settings().app_id, "createdAt": at, "updatedAt": at}

    # what happens

    def note(self, happening: Happening) -> None:
        """Keep what some subscription tells of; several changes of one write come as one event."""
        event = self._event(happening)
        if event is None:
            return
        same = ("action", "objectId", "occurredAt", "objectTypeId")
        before = self._open[-1][1] if self._open else None
        if before and event["action"] == "UPDATE" and all(before.get(name) == event.get(name) for name in same):
            before["propertyChanges"] |= event["propertyChanges"]
            return
        self._open.append((happening.time_ms, event))
        if self.rng.random() < self.settings().journal_duplicate_probability:
            self._open.append((happening.time_ms, dict(event)))

    def _event(self, happening: Happening) -> Json | None:
        kind, extra = happening.kind, happening.extra
        if happening.action == "associationChange":
            return self._association(happening)
        action = _ACTIONS.get(happening.action)
        told_by = "GDPR_PRIVACY_DELETION" if action == "GDPR_DELETE" else "OBJECT"
        found = [one for one in self.subscriptions.values() if action and one.tells(told_by, kind.type_id, action)]
        if not found or action is None:
            return None
        event = self._base("crmObject", happening, action)
        if action == "UPDATE":
            name = extra["propertyName"]
            if not any(name in one.wire["properties"] for one in found):
                return None
            event["propertyChanges"] = {name: extra["propertyValue"]}
        if action == "MERGE":
            event |= {name: extra[name] for name in ("primaryObjectId", "mergedObjectIds", "newObjectId")}
        return event

    def _association(self, happening: Happening) -> Json | None:
        extra, action = happening.extra, "ASSOCIATION_REMOVED"
        if not extra["associationRemoved"]:
            action = "ASSOCIATION_ADDED"
        told = any(
            one.tells("ASSOCIATION", happening.kind.type_id, action)
            and extra["toObjectTypeId"] in one.wire["associatedObjectTypeIds"]
            for one in self.subscriptions.values()
        )
        if not told:
            return None
        names = ("fromObjectId", "toObjectId", "fromObjectTypeId", "toObjectTypeId", "associationTypeId")
        event = {**self._base("association", happening, action), **{name: extra[name] for name in names}}
        return {**event, "associationCategory": "HUBSPOT_DEFINED", "isPrimary": extra["isPrimaryAssociation"]}

    def _base(self, type_: str, happening: Happening, action: str) -> dict[str, Json]:
        kind: ObjectType = happening.kind
        base: dict[str, Json] = {
            "type": type_,
            "portalId": self.settings().portal_id,
            "occurredAt": iso_z(happening.time_ms),
            "action": action,
            "objectTypeId": kind.type_id,
        }
        if happening.object_id is not None:
            base["objectId"] = int(happening.object_id)
        return base

    # reading

    def earliest(self) -> JournalFile | None:
        self._close()
        return self._files[0] if self._files else None

    def latest(self) -> JournalFile | None:
        self._close()
        return self._files[-1] if self._files else None

    def after(self, offset: str) -> JournalFile | None:
        """The file after that one; ErrorAnswer where the offset is none, or too old."""
        self._close()
        place = next((number for number, one in enumerate(self._files) if one.offset == offset), None)
        if place is None:
            status = self.settings().journal_expired_status
            raise ErrorAnswer(status, "VALIDATION_ERROR", f"Offset {offset} could not be found.")
        return self._files[place + 1] if place + 1 < len(self._files) else None

    def expire(self) -> None:
        """All that the journal holds is older than it keeps: the files are gone, and so are their offsets."""
        self._close(at_once=True)
        self._files.clear()

    def address(self, file: JournalFile) -> tuple[str, int]:
        """A new signature for a file, and when it ends."""
        signature = uuid.UUID(int=self.rng.getrandbits(128), version=4).hex
        ends_ms = self.now_ms() + int(self.settings().journal_file_life_ms)
        self._addresses[signature] = (file.offset, ends_ms)
        return signature, ends_ms

    def file(self, signature: str) -> JournalFile | None:
        """The file of a signature that still holds."""
        offset, ends_ms = self._addresses.get(signature, ("", 0))
        if self.now_ms() >= ends_ms:
            return None
        return next((one for one in self._files if one.offset == offset), None)

    def _close(self, *, at_once: bool = False) -> None:
        """Put into files what happened long enough ago; forget files that are too old."""
        settings, now_ms = self.settings(), self.now_ms()
        until_ms = now_ms - (0 if at_once else settings.journal_lag_ms)
        ready = [event for time_ms, event in self._open if time_ms <= until_ms]
        self._open = [(time_ms, event) for time_ms, event in self._open if time_ms > until_ms]
        most = settings.journal_file_events
        for start in range(0, len(ready), most):
            offset = str(uuid.UUID(int=self.rng.getrandbits(128), version=4))
            self._files.append(JournalFile(offset, now_ms, ready[start : start + most]))
        oldest_ms = now_ms - settings.journal_kept_ms
        self._files = [one for one in self._files if one.published_ms > oldest_ms]
