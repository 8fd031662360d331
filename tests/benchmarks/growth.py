"""How the cost of one change grows with fields, with mappings of a type and with integrations: both agents, no broker.

Decoding, deciding and encoding as in a step: what is left out is Kafka's own work, which grows with bytes alone.
"""

import random
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from pipeline.agents.configuration import Configuration
from pipeline.agents.objects import Objects
from pipeline.agents.pairs import Pairs
from pipeline.agents.rows import MemoryRows, Rows
from pipeline.agents.state import Output, Overlay, StateLog
from pipeline.agents.step import Incoming, Stage
from schemas.codec import Codec
from schemas.configuration import IntegrationPart, IntegrationSettings, SystemSettings
from schemas.records import Cause, ChangeEvent, FieldRule, ObjectMapping, StampedValue
from schemas.registry import LocalRegistry
from schemas.topics import INTEGRATIONS, MAPPINGS, MATCHES, OBJECTS_STATE, PAIRS_STATE, changes_topic, object_key
from schemas.values import SYSTEMS, System
from tests.benchmarks.load import whole_parts

FIELDS: Final = (2, 4, 25, 150)
SEVERAL: Final = (1, 5, 20)
INTEGRATED: Final = (1, 10, 50)
PAIRS: Final = 200
CHANGES: Final = 2_000
AT_ONCE: Final = 100
HOUR_MS: Final = 3_600_000


@dataclass(frozen=True, slots=True)
class Shape:
    """How much is mapped."""

    fields: int = 4  # each way
    mappings: int = 1  # of the same two types; each reads the same fields
    integrations: int = 1


def cost_us(shape: Shape) -> float:
    """Processor time of one change of one field, in microseconds."""
    road = _Road(shape)
    for pair in range(PAIRS):
        for system in SYSTEMS:
            road.handle([road.change(system, pair, 0, pair)])
    chosen = random.Random(1)
    changes = [
        road.change(chosen.choice(SYSTEMS), chosen.randrange(PAIRS), number + 1, PAIRS + number)
        for number in range(CHANGES)
    ]
    began = time.process_time()
    for start in range(0, CHANGES, AT_ONCE):
        road.handle(changes[start : start + AT_ONCE])
    return (time.process_time() - began) / CHANGES * 1e6


def growth() -> Mapping[str, Mapping[int, float]]:
    """By what grows: its number -> microseconds."""
    return {
        "fields each way": {number: cost_us(Shape(fields=number)) for number in FIELDS},
        "mappings of a type": {number: cost_us(Shape(mappings=number)) for number in SEVERAL},
        "integrations": {number: cost_us(Shape(integrations=number)) for number in INTEGRATED},
    }


class _Road:
    """Both agents over rows in memory; what is committed is encoded and kept as a worker does."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._codec = Codec(LocalRegistry())
        self._now_ms = int(time.time() * 1000)
        configuration = Configuration()
        for number in range(shape.integrations):
            for topic, key, record in _configured(f"bench-{number}", shape):
                configuration.apply(topic, key, record)
        now_ms = lambda: self._now_ms  # noqa: E731 - one clock for both
        self._stages: tuple[tuple[Stage[Any], str, _Rows], ...] = (
            (Objects(configuration.view, now_ms, HOUR_MS), OBJECTS_STATE, _Rows(self._codec, OBJECTS_STATE)),
            (Pairs(configuration.view, now_ms, HOUR_MS, HOUR_MS), PAIRS_STATE, _Rows(self._codec, PAIRS_STATE)),
        )

    def change(self, system: System, pair: int, number: int, at_ms: int) -> tuple[str, str, bytes]:
        """Topic, key and bytes of an object whose first field changed; the other side's fields are as they were."""
        own, other = ("h", "userflow_user_u") if system == "hubspot" else ("u", "hubspot_contact_h")
        values: dict[str, str | None] = {"email": f"person{pair}@example.com"}
        values |= {f"{own}{n}": f"value {n}" for n in range(self._shape.fields)}
        values |= {f"{other}{n}": f"value {n}" for n in range(self._shape.fields)}
        values[f"{own}0"] = f"changed {number}"
        at_ms += self._now_ms - HOUR_MS
        event = ChangeEvent(
            integration=f"bench-{pair % self._shape.integrations}",
            connection=1,
            revision=1,
            system=system,
            object_type="contacts" if system == "hubspot" else "users",
            object_id=str(pair),
            operation="upserted",
            at_ms=at_ms,
            spread_ms=0,
            origin="webhook",
            fields={name: StampedValue(value, at_ms) for name, value in values.items()},
            caused_by=Cause("bench", 0, number, at_ms),
        )
        topic = changes_topic(system)
        key = object_key(event.integration, 1, system, event.object_type, event.object_id)
        return topic, key, self._codec.encode(topic, event)

    def handle(self, records: Sequence[tuple[str, str, bytes]]) -> None:
        """One step of each agent."""
        for stage, state_topic, rows in self._stages:
            overlay = Overlay(rows.rows)
            outputs: list[Output] = []
            for offset, (topic, key, value) in enumerate(records):
                incoming = Incoming(topic, 0, offset, key, value, self._codec.decode(topic, value))
                trial = Overlay(overlay)
                outputs += stage.decide(incoming, trial).outputs
                overlay.changed.update(trial.changed)
            written = {key: row and self._codec.encode(state_topic, row) for key, row in overlay.changed.items()}
            rows.rows.apply(overlay.changed, written)
            encoded = [(one.topic, one.key, self._codec.encode(one.topic, one.record)) for one in outputs]
            records = [one for one in encoded if one[0] == MATCHES]


class _Rows:
    """An agent's rows, as a worker keeps them."""

    def __init__(self, codec: Codec, topic: str) -> None:
        self._codec, self._topic = codec, topic
        self.rows: Rows[Any] = Rows(MemoryRows())
        self.rows.restore(cast(StateLog, self))  # nothing but these two is asked of it

    def decode(self, value: bytes) -> Any:
        return self._codec.decode(self._topic, value)

    def restore(self, offset: int) -> Iterable[Any]:
        return ()


def _configured(name: str, shape: Shape) -> Iterable[tuple[str, str, Any]]:
    section = SystemSettings("1")
    settings = IntegrationSettings(1, 1, 1, "active", "bench", "done", None, "", section, section)
    yield INTEGRATIONS, f"{name}/settings", IntegrationPart(name, settings=settings)
    names = ["people" + (f"_{number}" if number else "") for number in range(shape.mappings)]
    yield from ((INTEGRATIONS, key, part) for key, part in whole_parts(name, names))
    for number in range(shape.mappings):
        suffix = f"_{number}" if number else ""
        rules = (
            *(_rule("to_userflow", f"h{n}", f"hubspot_contact_h{n}{suffix}") for n in range(shape.fields)),
            *(_rule("to_hubspot", f"u{n}", f"userflow_user_u{n}{suffix}") for n in range(shape.fields)),
        )
        mapping = ObjectMapping(
            name, 1, 1, names[number], "contacts", "users", "email", "email", on_several="refuse", rules=rules
        )
        yield MAPPINGS, f"{name}/{mapping.name}", mapping


def _rule(direction: Any, source: str, target: str) -> FieldRule:
    return FieldRule(direction, source, "string", target, "string")
