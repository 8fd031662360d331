"""Reads options kept outside properties: the account's owners, and pipelines with their stages.

Follows HubSpot's guides "owners" and "pipelines".
"""

from dataclasses import dataclass

from connectors.http.answers import content
from connectors.http.lenient_json import JsonObject, flag_at, objects_at, text_at
from connectors.http.messages import Call, Request, Response, segment
from connectors.hubspot.protocol.answers import call, following, rows
from connectors.hubspot.protocol.paths import OWNERS, PIPELINES

OWNERS_LIMIT = 500


@dataclass(frozen=True, slots=True)
class OwnerPage:
    """Ids of owners; `after` None at the end."""

    ids: tuple[str, ...]
    after: str | None


@dataclass(frozen=True, slots=True)
class Pipeline:
    """One pipeline of an object type, and the ids of its stages."""

    id: str
    stages: tuple[str, ...]


def list_owners(*, after: str | None = None) -> Call[OwnerPage]:
    """One page of the account's owners."""
    query = (("limit", str(OWNERS_LIMIT)), *([("after", after)] if after else []))

    def page(response: Response) -> OwnerPage:
        ids = tuple(id for row in rows(response) if (id := text_at(row, "id")))
        return OwnerPage(ids, following(content(response)))

    return call(Request("GET", OWNERS, query), page, "control")


def list_pipelines(object_type: str) -> Call[tuple[Pipeline, ...]]:
    """Every pipeline of an object type."""

    def read(response: Response) -> tuple[Pipeline, ...]:
        return tuple(
            Pipeline(text_at(row, "id") or "", _live(objects_at(row, "stages")))
            for row in rows(response)
            if not flag_at(row, "archived")
        )

    return call(Request("GET", f"{PIPELINES}/{segment(object_type)}"), read, "control")


def _live(stages: tuple[JsonObject, ...]) -> tuple[str, ...]:
    return tuple(id for stage in stages if not flag_at(stage, "archived") and (id := text_at(stage, "id")))
