"""What the editor of mappings asks, in memory."""

import asyncio
from collections import Counter

from pipeline.console.listings import Listing
from pipeline.console.planning import Descriptions
from pipeline.integration_file.model import IntegrationFile
from pipeline.operations import OperationRefused
from pipeline.operations.field_query import NotAnswered, Wanted
from pipeline.operations.pair_counts import PairCounts
from pipeline.operations.plan import Plan as IntegrationPlan
from schemas.configuration import DescribedEvent, DescribedField, Description, DesiredIntegration
from schemas.records import ObjectMapping
from schemas.values import System


class MemoryPlanner:
    """Both systems in memory: all of their fields, and what a plan counts."""

    def __init__(self) -> None:
        self.fields: dict[System, tuple[DescribedField, ...]] = {
            "hubspot": (
                DescribedField("contacts", "email", "Email", "string", unique=True),
                DescribedField("contacts", "jobtitle", "Job title", "string"),
                DescribedField("contacts", "score", "Score", "number"),
                DescribedField("contacts", "userflow_user_plan", "Userflow user: plan", "string"),
                DescribedField("companies", "name", "Company name", "string"),
            ),
            "userflow": (
                DescribedField("users", "plan", "Plan", "string"),
                DescribedField("users", "title", "Title", "string"),
                DescribedField("users", "signed_up_at", "Signed up", "datetime"),
            ),
        }
        self.silent = ""
        self.listing = Listing.of({"contacts-users": ()})
        self.counts = PairCounts(Counter({"written": 3, "equal": 2}), 1, Counter({"userflow": 3}))
        self.records: tuple[ObjectMapping, ...] = ()
        self.planned: list[tuple[IntegrationFile, DesiredIntegration, str]] = []
        self.go = asyncio.Event()
        self.go.set()

    def seal(self, text: str, place: str) -> bytes:
        return f"sealed for {place}".encode()

    async def every_field(self, integration: str, wanted: Wanted) -> Descriptions:
        if self.silent:
            raise NotAnswered(self.silent)
        events = (DescribedEvent("flow_started", "Flow started"), DescribedEvent("flow_completed", "Flow completed"))
        return {
            "hubspot": Description("i1", None, self.fields["hubspot"]),
            "userflow": Description("i1", None, self.fields["userflow"], events),
        }

    async def plan(self, file: IntegrationFile, request: DesiredIntegration, only: str) -> IntegrationPlan:
        self.planned.append((file, request, only))
        await self.go.wait()
        return IntegrationPlan(file.integration, pairs={only: self.counts}, records=self.records)

    async def unlinked(self, integration: str) -> Listing:
        await self.go.wait()
        if self.silent:
            raise OperationRefused(self.silent)
        return self.listing
