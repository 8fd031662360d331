"""Starting a full sync: both sides crawled as bulk under one run id."""

import uuid
from collections.abc import Iterable

from connectors.kafka.producer import Publisher
from pipeline.operations import OperationRefused
from schemas.configuration import IntegrationSettings
from schemas.records import Cause, ConnectorRequest, ObjectMapping
from schemas.topics import requests_topic
from schemas.values import System

SYSTEMS: tuple[System, ...] = ("userflow", "hubspot")


class NotStarted(OperationRefused):
    """A full sync cannot be started; the message says why and what to do."""


def crawls(
    integration: str, settings: IntegrationSettings, mappings: Iterable[ObjectMapping], run_id: str, now_ms: int
) -> tuple[tuple[System, ConnectorRequest], ...]:
    """One crawl for each object type that the mappings name, Userflow first: most of a CRM has no user.

    Raises NotStarted.
    """
    if settings.state != "active":
        raise NotStarted(f"integration {integration} is {settings.state}: only an active one is synced")
    ours = [mapping for mapping in mappings if mapping.integration == integration]
    if not ours:
        raise NotStarted(f"integration {integration} has no such mapping in force")
    types = {
        "userflow": sorted({mapping.userflow_type for mapping in ours}),
        "hubspot": sorted({mapping.hubspot_type for mapping in ours}),
    }
    cause = Cause("", -1, -1, now_ms)
    return tuple(
        (
            system,
            ConnectorRequest(integration, settings.connection, "crawl", object_type, run_id=run_id, caused_by=cause),
        )
        for system in SYSTEMS
        for object_type in types[system]
    )


async def start(publisher: Publisher, integration: str, requests: Iterable[tuple[System, ConnectorRequest]]) -> None:
    """Hand the crawls to the connectors that own the integration."""
    for system, request in requests:
        await publisher.send(requests_topic(system), integration, request)


def new_run_id(now_ms: int) -> str:
    """Sorts by time: an older run that is replayed must not pass for a new one."""
    return f"{now_ms:013d}-{uuid.uuid4().hex[:4]}"
