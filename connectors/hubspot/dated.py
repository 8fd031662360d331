"""A call that also tells when its answer was true, and the question it is for: is this record still there?"""

from dataclasses import dataclass
from typing import Generic, TypeVar

from connectors.contract.source import Gone
from connectors.http.messages import Call, Purpose, Response, VendorInterval
from connectors.hubspot.client import HubSpotClient
from connectors.hubspot.protocol import Record, get_object
from connectors.hubspot.translate import gone

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Dated(Generic[T]):
    """What an answer said, and when it was true by HubSpot's clock."""

    found: T
    observed: VendorInterval | None


def dated(call: Call[T]) -> Call[Dated[T]]:
    """The same call, its answer with the time of it: "there is none" is an observation too."""

    def parse(response: Response) -> Dated[T]:
        return Dated(call.parse(response), response.observed)

    return Call(call.request, parse, call.purpose)


async def look_up(
    client: HubSpotClient, object_type: str, object_id: str, fields: tuple[str, ...], purpose: Purpose
) -> Record | Gone:
    """The record of that very id; Gone when there is none, or when the id leads to the record it was merged into."""
    answer = await client.send(dated(get_object(object_type, object_id, fields, purpose=purpose)))
    record = answer.found
    if record is None or record.archived:
        return gone(object_id, answer.observed)
    return record if record.id == object_id else gone(object_id, answer.observed, record.id)
