"""The base of both simulated vendors: settings, clock, log, faults, webhooks, and a person's edits."""

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar, Generic

import httpx
from starlette.types import ASGIApp

from connectors.simulation.calls import Answer, Call, Json, RequestLog, json_answer
from connectors.simulation.clock import VendorClock
from connectors.simulation.courier import Courier
from connectors.simulation.faults import FaultRule, Faults, fault_rule
from connectors.simulation.settings import S, changed


@dataclass(frozen=True)
class Edit:
    """One edit of a person and its time by the vendor's clock: the truth that tests compare the other system with."""

    time_ms: int
    operation: str
    object_type: str
    object_id: str
    fields: Mapping[str, Json] = field(default_factory=dict)


class Simulator(ABC, Generic[S]):
    """A vendor in memory. `app` is its ASGI app; the methods below are the control API for tests in the same process.

    Use as an async context manager, or serve `app` with a lifespan, so that its webhook tasks end with it.
    `webhook_transport` replaces the network for webhooks (`httpx.ASGITransport(receiver)` in tests).
    """

    FIELDS: ClassVar[str]
    app: ASGIApp
    courier: Courier[Any]

    def __init__(self, settings: S, clock: VendorClock, webhook_transport: httpx.AsyncBaseTransport | None) -> None:
        self.settings = settings
        self.clock = replace(clock, offset_ms=settings.clock_offset_ms)
        self.rng = random.Random(settings.seed)
        self.log = RequestLog(settings.request_log_size)
        self.faults = Faults(self.rng)
        self.closing = asyncio.Event()
        self.webhook_transport = webhook_transport
        self._edits: list[Edit] = []
        self._frozen_ms: int | None = None

    async def __aenter__(self) -> "Simulator[S]":
        self.closing.clear()
        self.courier.wake()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.closing.set()
        await self.courier.close()

    def now_ms(self) -> int:
        """The stamp of a write made now."""
        return self.clock.now_ms() if self._frozen_ms is None else self._frozen_ms

    # a person's edits

    @abstractmethod
    def create_object(
        self, object_type: str, fields: Mapping[str, Json], *, object_id: str | None = None, silent: bool = False
    ) -> Json:
        """Create one record as a person; returns its raw form. `silent` sends no webhook."""

    @abstractmethod
    def edit_object(
        self, object_type: str, object_id: str, fields: Mapping[str, Json], *, silent: bool = False
    ) -> Json:
        """Change fields as a person; KeyError if there is no such record."""

    @abstractmethod
    def delete_object(self, object_type: str, object_id: str, *, silent: bool = False) -> Json:
        """Delete (HubSpot: archive) a record as a person."""

    def forget_object(self, object_type: str, object_id: str) -> Json:
        """Delete a person's record for good, as privacy laws require; ValueError if the vendor has no such deletion."""
        raise ValueError("only HubSpot forgets")

    @abstractmethod
    def restore_object(self, object_type: str, object_id: str, *, silent: bool = False) -> Json:
        """Bring an archived record back."""

    @abstractmethod
    def merge_objects(self, object_type: str, object_id: str, other_id: str, *, silent: bool = False) -> Json:
        """Merge `other_id` into `object_id`; returns the surviving record."""

    @abstractmethod
    def associate(
        self, from_type: str, from_id: str, to_type: str, to_id: str, *, primary: bool = False, silent: bool = False
    ) -> Json:
        """Join two records."""

    @abstractmethod
    def dissociate(self, from_type: str, from_id: str, to_type: str, to_id: str, *, silent: bool = False) -> Json:
        """Separate two records."""

    @abstractmethod
    def list_objects(self, object_type: str) -> list[Json]:
        """Every record of a type in raw form, archived ones included."""

    @abstractmethod
    def read_object(self, object_type: str, object_id: str) -> Json:
        """One record in raw form; KeyError if there is none."""

    @abstractmethod
    def track_event(self, event: Mapping[str, Json]) -> Json:
        """Track a person's event (Userflow); ValueError if the vendor has no such call."""

    @abstractmethod
    def list_events(self) -> list[Json]:
        """Every event received or tracked, oldest first."""

    @abstractmethod
    def define(self, definitions: Mapping[str, Json]) -> None:
        """Add definitions: the same keys as the seed file."""

    @abstractmethod
    def load(self, seed: Mapping[str, Json]) -> None:
        """Fill the store from a seed file's JSON, silently and not as edits."""

    @property
    @abstractmethod
    def created_by_api(self) -> int:
        """The number of records that the API created: 0 unless a client broke the rule never to create."""

    def bulk(self, operations: Iterable[Mapping[str, Json]], *, same_time: bool = False) -> int:
        """Apply operations `{"operation": "edit", "type", "id", ...}`; with `same_time` all in one instant."""
        self._frozen_ms = self.clock.now_ms() if same_time else None
        try:
            return sum(1 for operation in operations if self._operate(operation) is not None)
        finally:
            self._frozen_ms = None

    def _operate(self, wire: Mapping[str, Json]) -> Json:
        kind, object_type, object_id = wire["operation"], wire.get("type", ""), wire.get("id", "")
        silent, fields = bool(wire.get("silent")), wire.get(self.FIELDS, {})
        match kind:
            case "create":
                return self.create_object(object_type, fields, object_id=object_id or None, silent=silent)
            case "edit":
                return self.edit_object(object_type, object_id, fields, silent=silent)
            case "delete":
                return self.delete_object(object_type, object_id, silent=silent)
            case "restore":
                return self.restore_object(object_type, object_id, silent=silent)
            case "merge":
                return self.merge_objects(object_type, object_id, wire["other_id"], silent=silent)
            case "event":
                return self.track_event(wire["event"])
        raise ValueError(f"unknown operation {kind!r}")

    # instruments: what happened, and faults to come

    def edits(self, since: int = 0) -> list[Edit]:
        """The edits made by persons, from index `since` on."""
        return self._edits[since:]

    def note(self, operation: str, object_type: str, object_id: str, fields: Mapping[str, Json] | None = None) -> None:
        """Record one edit of a person."""
        self._edits.append(Edit(self.now_ms(), operation, object_type, object_id, dict(fields or {})))

    def requests(self, last: int | None = None) -> Json:
        """The `last` calls (None: all kept), counters by method and kind, answers by status, `created_by_api`."""
        calls = list(self.log.calls)
        return {
            "requests": [asdict(call) for call in (calls if last is None else calls[max(0, len(calls) - last) :])],
            "counters": dict(self.log.counters),
            "statuses": dict(self.log.statuses),
            "created_by_api": self.created_by_api,
        }

    def add_faults(self, rules: Iterable[FaultRule | Mapping[str, Json]]) -> None:
        """Add fault rules, as values or in their JSON form."""
        self.faults.add([rule if isinstance(rule, FaultRule) else fault_rule(rule) for rule in rules])

    def change_settings(self, **changes: object) -> None:
        """Change settings while running; ValueError for an unknown one."""
        self.settings = changed(self.settings, changes)
        self.clock = replace(self.clock, offset_ms=self.settings.clock_offset_ms)

    # the vendor's side of the gate

    @abstractmethod
    def describe(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Call:
        """Name the endpoint and the objects of a call."""

    @abstractmethod
    def admit(self, call: Call) -> Answer | None:
        """An answer that rejects the call (credentials, limits), or None."""

    @abstractmethod
    def vanish(self, call: Call, object_ids: Sequence[str]) -> None:
        """Delete the records of these ids, of the call's type, without a notification."""

    @abstractmethod
    def error_body(self, status: int, form: str | None) -> Json:
        """The vendor's body for an error of this status."""

    def release(self, call: Call) -> None:
        """Note that the admitted call has ended."""

    def extra_headers(self, call: Call) -> dict[str, str]:
        """The vendor's headers for the answer of this call."""
        return {}

    def route_path(self, path: str) -> str:
        """The router's path for the endpoint."""
        return path

    def status_answer(self, rule: FaultRule) -> Answer:
        """The answer of a `status` fault."""
        body = self.error_body(rule.status, rule.form) if rule.body is None else rule.body
        return json_answer(rule.status, body, rule.headers)
