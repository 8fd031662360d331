"""Faults that tests request: rules that match calls and define the fault, its count and its probability."""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from connectors.simulation.calls import Call, Json

FaultAction = Literal[
    "status",
    "timeout_before_effect",
    "timeout_after_effect",
    "close_connection",
    "row_error",
    "refuse_property",
    "delete_before_write",
]


@dataclass(frozen=True)
class FaultRule:
    """One fault; as JSON `{"match": {"method", "path_contains", "object_id"}, "action": ..., "times", ...}`.

    Every part of `match` is optional. `times` None means for ever; each matching call draws by `probability`.
    - `status`: answers `status` with `body` (None: the vendor's own for it) and `headers`; `form` picks between the
      vendor's bodies for one status (HubSpot 429: `burst`, `daily`, `secondly`, `bare`).
    - `timeout_before_effect`, `timeout_after_effect`: no answer until the client gives up; with `after_ms` the
      connection closes after that time. In process (no socket) the client sees `httpx.ReadTimeout` at once.
    - `close_connection`: cut before any effect; in process the client sees `httpx.RemoteProtocolError`.
    - `row_error`: the object `object_id` of a batch gets an error (`body`: category, message), others pass.
    - `refuse_property`: refuses a write whose fields include `property`; `code` gives the reason.
    - `delete_before_write`: `object_id`, or every object named by the call, vanishes just before the call is served.
    """

    action: FaultAction
    method: str | None = None
    path_contains: str | None = None
    object_id: str | None = None
    times: int | None = None
    probability: float = 1.0
    status: int = 500
    body: Json = None
    form: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    after_ms: float | None = None
    property: str = ""
    code: str = "PROPERTY_DOESNT_EXIST"

    def matches(self, call: Call) -> bool:
        """Whether the rule matches this call, chance aside."""
        return (
            (self.method is None or self.method.upper() == call.method)
            and (self.path_contains is None or self.path_contains in call.path)
            and (self.object_id is None or self.object_id in call.object_ids)
        )


def fault_rule(wire: Mapping[str, Json]) -> FaultRule:
    """The rule of its JSON form; ValueError names the part that is not understood."""
    flat = {**wire.get("match", {}), **{name: value for name, value in wire.items() if name != "match"}}
    if flat.get("action") not in get_args(FaultAction):
        raise ValueError(f"unknown fault action {flat.get('action')!r}, expected one of {get_args(FaultAction)}")
    try:
        return FaultRule(**flat)
    except TypeError as error:
        raise ValueError(f"unknown part of a fault rule: {error}") from error


class Faults:
    """The rules in force, each with its remaining strikes."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._left: list[tuple[FaultRule, int | None]] = []

    def add(self, rules: Iterable[FaultRule]) -> None:
        """Add rules behind those in force."""
        self._left += [(rule, rule.times) for rule in rules]

    def clear(self) -> None:
        """Lift every rule."""
        self._left = []

    def strike(self, call: Call) -> tuple[FaultRule, ...]:
        """The rules that hit this call; each hit uses up one of the rule's times."""
        hits: list[FaultRule] = []
        kept: list[tuple[FaultRule, int | None]] = []
        for rule, left in self._left:
            hit = rule.matches(call) and (rule.probability >= 1 or self._rng.random() < rule.probability)
            if hit:
                hits.append(rule)
                left = None if left is None else left - 1
            if left is None or left > 0:
                kept.append((rule, left))
        self._left = kept
        return tuple(hits)
