"""The load of the throughput rows: changes over pairs, made once and published before the clock starts."""

import random
import time
from collections.abc import Iterator, Sequence

from connectors.kafka.cluster import Cluster
from schemas.configuration import ConnectorState, IntegrationPart, IntegrationSettings, SystemSettings
from schemas.records import Cause, ChangeEvent, FieldRule, ObjectMapping, StampedValue
from schemas.topics import INTEGRATIONS, MAPPINGS, changes_topic, object_key
from schemas.values import System
from tests.benchmarks.filling import Filling

INTEGRATION = "bench"
FIELDS_A_SIDE = 4


def whole_parts(integration: str, mappings: Sequence[str]) -> Iterator[tuple[str, IntegrationPart]]:
    """What connectors report after a full sync: every object was read, so no pair asks for others before it writes."""
    for system, object_type in (("hubspot", "contacts"), ("userflow", "users")):
        whole = {f"{object_type}/{name}": 1 for name in mappings}
        part = IntegrationPart(integration, connector=ConnectorState(1, 1, 1, "ok", whole=whole))
        yield f"{integration}/{system}", part


def configuration(filling: Filling) -> None:
    """One active integration with one mapping of four fields each way."""
    section = SystemSettings("1")
    settings = IntegrationSettings(1, 1, 1, "active", "bench", "done", None, "", section, section)
    rules = (
        *(FieldRule("to_userflow", f"h{n}", "string", f"hubspot_contact_h{n}", "string") for n in range(FIELDS_A_SIDE)),
        *(FieldRule("to_hubspot", f"u{n}", "string", f"userflow_user_u{n}", "string") for n in range(FIELDS_A_SIDE)),
    )
    mapping = ObjectMapping(
        INTEGRATION, 1, 1, "people", "contacts", "users", "email", "email", on_several="refuse", rules=rules
    )
    filling.put(INTEGRATIONS, f"{INTEGRATION}/settings", IntegrationPart(INTEGRATION, settings=settings))
    for key, read in whole_parts(INTEGRATION, ("people",)):
        filling.put(INTEGRATIONS, key, read)
    filling.put(MAPPINGS, f"{INTEGRATION}/people", mapping)


def changes(number: int, pairs: int) -> Iterator[ChangeEvent]:
    """First both sides of every pair, users first; then changes of random ones, each of all its own fields."""
    random_pair = random.Random(1)
    now = int(time.time() * 1000)
    for n in range(number):
        side: System
        if n < 2 * pairs:
            side, pair = ("userflow" if n < pairs else "hubspot"), n % pairs
        else:
            side, pair = random_pair.choice(("hubspot", "userflow")), random_pair.randrange(pairs)
        yield change(side, pair, n, now + n)


def change(side: System, pair: int, number: int, at_ms: int) -> ChangeEvent:
    hubspot = side == "hubspot"
    own, other = ("h", "userflow_user_u") if hubspot else ("u", "hubspot_contact_h")
    values: dict[str, str | None] = {"email": f"person{pair}@example.com"}
    values |= {f"{own}{n}": f"value {number}" for n in range(FIELDS_A_SIDE)}
    values |= {f"{other}{n}": None for n in range(FIELDS_A_SIDE)}
    return ChangeEvent(
        integration=INTEGRATION,
        connection=1,
        revision=1,
        system=side,
        object_type="contacts" if hubspot else "users",
        object_id=str(pair),
        operation="upserted",
        at_ms=at_ms,
        spread_ms=0,
        origin="webhook",
        fields={name: StampedValue(value, at_ms) for name, value in values.items()},
        caused_by=Cause("bench", 0, number, at_ms),
    )


def publish(servers: str, number: int, pairs: int) -> None:
    """Everything the workers will find when they start."""
    with Filling(Cluster({"bootstrap.servers": servers})) as filling:
        configuration(filling)
        for event in changes(number, pairs):
            key = object_key(INTEGRATION, 1, event.system, event.object_type, event.object_id)
            filling.put(changes_topic(event.system), key, event)
