"""What applying an integration file would do: a pure comparison of the file with what is in force."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from pipeline.exit_codes import CHANGES, DONE, REFUSED
from pipeline.integration_file.loader import read_document
from pipeline.integration_file.model import IntegrationFile
from pipeline.integration_file.problems import Problem, in_order
from pipeline.operations.pair_counts import PairCounts
from pipeline.operations.plan_diff import MappingChange, file_changes, record_changes, setting_changes
from pipeline.provisioning.claims import check_claims, same_accounts
from pipeline.provisioning.custom_types import resolved
from pipeline.provisioning.described import DescribedFile
from pipeline.provisioning.resolve import object_mappings, to_create
from pipeline.provisioning.scopes import lacking_scopes
from pipeline.provisioning.sources import heard, is_asked
from pipeline.provisioning.streams import streamed
from pipeline.provisioning.subscriptions import TypeSubscriptions, subscriptions
from schemas.configuration import (
    DescribedEvent,
    DescribedField,
    DesiredIntegration,
    IntegrationPart,
    IntegrationSettings,
)
from schemas.integrations import settings_of, types_of
from schemas.records import ObjectMapping


@dataclass(frozen=True, slots=True)
class Plan:
    """What `apply` would do. `unknown` says why fields and pairs were not looked at, where they were not."""

    integration: str
    settings: tuple[str, ...] = ()
    create: tuple[DescribedField, ...] = ()
    events: tuple[str, ...] = ()  # types of timeline events that are new: `flow_started on contacts`
    mappings: tuple[MappingChange, ...] = ()
    problems: tuple[Problem, ...] = ()
    unknown: str | None = None
    subscriptions: tuple[TypeSubscriptions, ...] = ()
    subscriptions_changed: bool = False
    news: tuple[str, ...] = ()  # how edits are heard of, where systems are asked for them
    pairs: Mapping[str, PairCounts] = field(default_factory=dict)
    lacking_scopes: tuple[str, ...] = ()  # what HubSpot has not granted, and the file needs
    records: tuple[ObjectMapping, ...] = ()  # the mappings as they would be in force, where fields were looked at

    @property
    def changes(self) -> bool:
        return bool(
            self.settings or self.create or self.events or any(one.kind != "unchanged" for one in self.mappings)
        )

    @property
    def exit_code(self) -> int:
        """0: nothing would change, 1: it would be refused, 2: something would change."""
        return REFUSED if self.problems else CHANGES if self.changes else DONE


@dataclass(frozen=True, slots=True)
class InForce:
    """What there is before the file: the configuration, its mappings, and how a seal is opened."""

    parts: Mapping[str, IntegrationPart]
    mappings: Mapping[str, ObjectMapping]
    open_seal: Callable[[bytes, str], str]

    def settings(self, integration: str) -> IntegrationSettings | None:
        """None where nothing of the integration is in force."""
        settings = settings_of(self.parts, integration)
        connected = settings is not None and settings.state != "disconnected" and settings.active_revision > 0
        return settings if connected else None

    def same_accounts(self, request: DesiredIntegration, integration: str) -> IntegrationSettings | None:
        """The settings in force where the request is for their accounts: their connectors can be asked."""
        settings = self.settings(integration)
        return settings if settings is not None and same_accounts(request, settings) else None

    def mappings_of(self, settings: IntegrationSettings, integration: str) -> dict[str, ObjectMapping]:
        """By name."""
        return {
            mapping.name: mapping
            for mapping in self.mappings.values()
            if mapping.integration == integration and mapping.connection == settings.connection
        }

    def file(self, settings: IntegrationSettings, integration: str) -> IntegrationFile:
        """The file in force, its custom types resolved as far as HubSpot's connector described them."""
        return resolved(read_document(settings.document), types_of(self.parts, integration))


def make_plan(file: IntegrationFile, request: DesiredIntegration, now: InForce, described: DescribedFile | str) -> Plan:
    """The plan without its pairs; `described`: what both systems say of the fields, or why they were not asked."""
    name, settings = file.integration, now.settings(file.integration)
    named = file if isinstance(described, str) else described.file
    before = now.file(settings, name) if settings is not None else None
    misfits = described.misfits() if isinstance(described, DescribedFile) else ()
    plan = Plan(
        name,
        settings=tuple(setting_changes(name, request, settings, now.open_seal)),
        mappings=tuple(file_changes(named, before)),
        problems=in_order((*check_claims(file, request, now.parts), *misfits)),
        unknown=described if isinstance(described, str) else None,
        subscriptions=_subscriptions(named),
        lacking_scopes=lacking_scopes(named, now.parts),
        news=heard(named) if is_asked(named) else (),
        subscriptions_changed=before is None or _subscriptions(before) != _subscriptions(named),
    )
    if plan.problems or settings is None or isinstance(described, str):
        return plan
    records = planned_mappings(described, settings)
    changes = record_changes({one.name: one for one in records}, now.mappings_of(settings, name))
    events = tuple(_new_events(streamed(named, described.events), settings.events))
    created = to_create(named, described.fields)
    return replace(plan, create=created, events=events, mappings=tuple(changes), records=records)


def planned_mappings(described: DescribedFile, settings: IntegrationSettings) -> tuple[ObjectMapping, ...]:
    """The mappings that applying would put in force under the present connection."""
    return object_mappings(described.file, settings.connection, settings.revision + 1, described.fields)


def _new_events(wanted: tuple[DescribedEvent, ...], present: tuple[DescribedEvent, ...]) -> Iterator[str]:
    there = {(event.name, object_type) for event in present for object_type in event.timelines}
    for event in wanted:
        new = [object_type for object_type in event.timelines if (event.name, object_type) not in there]
        if new:
            yield f"{event.name} on {', '.join(new)}"


def _subscriptions(file: IntegrationFile) -> tuple[TypeSubscriptions, ...]:
    return subscriptions(file) if file.hubspot.source == "webhooks" else ()
