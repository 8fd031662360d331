"""Options that HubSpot keeps outside a property: read from the API that gives them, else HubSpot judges the values."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from connectors.contract.errors import Misconfigured, Missing, Refused
from connectors.http.messages import Call
from connectors.hubspot.client import HubSpotClient
from connectors.hubspot.protocol import OwnerPage, Pipeline, list_owners, list_pipelines
from schemas.configuration import DescribedField

OWNER: Final = "hubspot_owner_id"
PIPELINE: Final = frozenset({"pipeline", "hs_pipeline"})
STAGE: Final = frozenset({"dealstage", "hs_pipeline_stage"})
MOST_OPTIONS: Final = 2_000
"""HubSpot judges longer lists: a connector's description has to fit into one record."""


class Choices:
    """The options of one description; a source that several fields share is read once."""

    def __init__(self, client: HubSpotClient) -> None:
        self._client = client
        self._owners: tuple[str, ...] | None = None
        self._pipelines: dict[str, tuple[Pipeline, ...]] = {}

    async def completed(self, field: DescribedField) -> DescribedField:
        """The field with the options from the API; unchanged if no API gives them or the app may not ask."""
        if not field.external or field.options:
            return field
        try:
            options = await self._options(field)
        except (Misconfigured, Missing, Refused):
            return field
        return replace(field, options=options) if len(options) <= MOST_OPTIONS else field

    async def _options(self, field: DescribedField) -> tuple[str, ...]:
        if field.name == OWNER:
            return await self._all_owners()
        if field.name in PIPELINE:
            return tuple(pipeline.id for pipeline in await self._of(field.object_type))
        if field.name in STAGE:
            stages = (stage for pipeline in await self._of(field.object_type) for stage in pipeline.stages)
            return tuple(dict.fromkeys(stages))
        return ()

    async def _all_owners(self) -> tuple[str, ...]:
        if self._owners is None:
            found: list[str] = []
            call: Call[OwnerPage] | None = list_owners()
            while call is not None and len(found) <= MOST_OPTIONS:
                page = await self._client.send(call)
                call = list_owners(after=page.after) if page.after and page.ids else None
                found += page.ids
            self._owners = tuple(dict.fromkeys(found))
        return self._owners

    async def _of(self, object_type: str) -> Sequence[Pipeline]:
        if object_type not in self._pipelines:
            self._pipelines[object_type] = await self._client.send(list_pipelines(object_type))
        return self._pipelines[object_type]
