"""Asking for the erasure of an object, and waiting until state and topics are rid of it."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from connectors.kafka.cluster import Cluster
from connectors.kafka.latest import latest_row
from connectors.kafka.producer import Publisher
from connectors.kafka.table import TableReader
from pipeline.erasure.schedule import LOOKS_S, looked_at
from pipeline.integration_file.names import HUBSPOT_TYPES
from pipeline.operations import OperationRefused
from schemas.codec import Codec
from schemas.configuration import IntegrationSettings
from schemas.erasures import Erasure
from schemas.records import Cause, ChangeEvent, ObjectMapping
from schemas.state import ObjectState
from schemas.topics import ERASURES, OBJECTS_STATE, changes_topic, object_key

POLL_S: Final = 0.1
SYSTEM: Final = "hubspot"  # an id of Userflow's may come back: whoever is deleted there is another


def integration_of(name: str | None, there: Mapping[str, IntegrationSettings]) -> str:
    """The integration whose object it is. Raises OperationRefused."""
    connected = [one for one, settings in there.items() if settings.state != "disconnected"]
    if name is None and len(connected) == 1:
        return connected[0]
    if name is None:
        names = ", ".join(connected) or "none is connected"
        raise OperationRefused(f"ids are per HubSpot account. Fix: name the integration with --integration ({names})")
    if name not in there:
        raise OperationRefused(f"no integration {name}; there are: {', '.join(there) or 'none'}")
    if name not in connected:
        raise OperationRefused(
            f"{name} is disconnected: its state is forgotten, and topics hold what they do until it expires. Fix: "
            "connect it again to have it erased sooner"
        )
    return name


def check_object(integration: str, mappings: Iterable[ObjectMapping], object_type: str, object_id: str) -> None:
    """That there can be such an object: of a mistyped one it would be told that nothing is left.

    HubSpot's own types need no mapping: one that was removed may have left records. Raises OperationRefused.
    """
    types = {*HUBSPOT_TYPES, *(one.hubspot_type for one in mappings if one.integration == integration)}
    if object_type not in types:
        raise OperationRefused(
            f"{object_type} is no HubSpot type of {integration}. Fix: write one of {', '.join(sorted(types))}"
        )
    if not (object_id.isascii() and object_id.isdigit()):
        raise OperationRefused(
            f"{object_id} is no id of a HubSpot record. Fix: write the digits at the end of its address in HubSpot"
        )


def key_of(integration: str, settings: IntegrationSettings, object_type: str, object_id: str) -> str:
    """The object's key under the connection in force."""
    return object_key(integration, settings.connection, SYSTEM, object_type, object_id)


def erased_before_ms(cluster: Cluster, codec: Codec, partitions: int, key: str) -> int:
    """When the object was erased; 0 where it was not. Blocks: reads one partition of the objects' state."""
    newest = latest_row(cluster, OBJECTS_STATE, partitions, key)
    state = codec.decode(OBJECTS_STATE, newest) if newest is not None else None
    return state.erased_ms if isinstance(state, ObjectState) else 0


async def ask(
    publisher: Publisher, integration: str, settings: IntegrationSettings, object_type: str, object_id: str, now_ms: int
) -> None:
    """Hand the erasure to OBJECTS, on the topic by which HubSpot's own privacy deletions come."""
    change = ChangeEvent(
        integration=integration,
        connection=settings.connection,
        revision=settings.active_revision,
        system=SYSTEM,
        object_type=object_type,
        object_id=object_id,
        operation="erased",
        at_ms=now_ms,
        spread_ms=0,
        origin="lookup",
        caused_by=Cause("", -1, -1, now_ms),
    )
    await publisher.send(changes_topic(SYSTEM), key_of(integration, settings, object_type, object_id), change)


async def wait_until_erased(erasures: TableReader, key: str, since_ms: int, within_s: float) -> Erasure:
    """The erasure, once OBJECTS has carried it out. Raises OperationRefused."""
    deadline = time.monotonic() + within_s
    while True:
        part = erasures.get(ERASURES, key)
        if part is not None and part.erasure is not None and part.erasure.erased_ms >= since_ms:
            erasure: Erasure = part.erasure
            return erasure
        if time.monotonic() > deadline:
            raise OperationRefused(
                f"asked for, and not carried out within {within_s:.0f} s: is `pairstream run worker` (or `up`) running?"
                " It goes on by itself once one does"
            )
        await asyncio.sleep(POLL_S)


async def wait_until_looked(erasures: TableReader, key: str, erasure: Erasure, within_s: float) -> None:
    """Wait until topics were looked through. Raises OperationRefused."""
    deadline = time.monotonic() + within_s
    while looked_at(erasures.table(ERASURES), key, erasure) is None:
        if time.monotonic() > deadline:
            raise OperationRefused(
                f"topics are not rid of it after {within_s:.0f} s: is `pairstream run scheduler` (or `up`) running?"
                " It goes on by itself once one does"
            )
        await asyncio.sleep(POLL_S)


def with_pairs(erasure: Erasure) -> str:
    """How many pairs went with it."""
    number = len(erasure.pairs)
    return "with no pair" if not number else f"with {number} pair{'s' if number > 1 else ''}"


def told(erasure: Erasure) -> str:
    """When the last traces are gone."""
    last = instant(erasure.erased_ms + int(LOOKS_S[-1] * 1000))
    return (
        f"they are looked through again for what was under way, the last time at {last}; "
        "compacted topics drop their old rows within a day"
    )


def instant(at_ms: int) -> str:
    """ISO 8601, in UTC."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds")
