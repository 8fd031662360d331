"""The configuration in force as one system's connector reads it from the compacted topics."""

from collections.abc import Mapping

from connectors.kafka.table import TableReader
from connectors.runtime.grants import GRANT_KEYS, GrantKey
from schemas.configuration import (
    SEALS,
    ConnectAnswer,
    ConnectLink,
    ConnectorState,
    Description,
    Inquiry,
    IntegrationPart,
    IntegrationSettings,
    KeptGrant,
    SealRequest,
    Sections,
)
from schemas.integrations import to_connect, trial_answer
from schemas.records import ObjectMapping, SourcePosition
from schemas.topics import INTEGRATIONS, MAPPINGS, POSITIONS
from schemas.values import SYSTEMS, System


class ConnectorConfiguration:
    """Settings, mappings and inquiries of every integration, and the last report of this system's connector on each."""

    def __init__(self, tables: TableReader, system: System) -> None:
        self._tables = tables
        self._system = system

    def settings(self) -> Mapping[str, IntegrationSettings]:
        """By the name of the integration."""
        return {
            key.removesuffix("/settings"): part.settings
            for key, part in self._tables.table(INTEGRATIONS).items()
            if isinstance(part, IntegrationPart) and part.settings is not None and key.endswith("/settings")
        }

    def settings_of(self, integration: str) -> IntegrationSettings | None:
        """Those of one integration, found without a look at all others."""
        part = self._part(f"{integration}/settings")
        return part.settings if part is not None else None

    def asked_at_ms(self, integration: str) -> int:
        """When somebody last asked for a change of the integration, as for its end; 0 where nobody has."""
        part = self._part(f"{integration}/desired")
        return part.desired.applied_at_ms if part is not None and part.desired is not None else 0

    def connected(self, integration: str) -> bool:
        settings = self.settings_of(integration)
        return settings is not None and settings.state != "disconnected"

    def mappings(self, integration: str, connection: int) -> list[ObjectMapping]:
        """The mappings in force under a connection."""
        return [
            mapping
            for mapping in self._tables.table(MAPPINGS).values()
            if mapping.integration == integration and mapping.connection == connection
        ]

    def state(self, integration: str) -> ConnectorState | None:
        """What this connector, or its former owner, last reported."""
        part = self._part(f"{integration}/{self._system}")
        return part.connector if part is not None else None

    def descriptions_elsewhere(self, integration: str) -> int:
        """How often what the other systems say of the integration's fields has changed."""
        others = (self._part(f"{integration}/{system}") for system in SYSTEMS if system != self._system)
        return sum(part.connector.descriptions for part in others if part is not None and part.connector is not None)

    def grant(self, integration: str, key: GrantKey = "grant") -> KeptGrant | None:
        """The newest access that is kept, by this connector or its former owner."""
        part = self._part(f"{integration}/{self._system}/{key}")
        return part.grant if part is not None else None

    def link(self, integration: str) -> ConnectLink | None:
        """The newest link at which access may be granted, valid or not."""
        part = self._part(f"{integration}/link")
        return part.link if part is not None else None

    def consent(self, integration: str) -> ConnectAnswer | None:
        """What became of the link that was answered last."""
        part = self._part(f"{integration}/{self._system}/consent")
        return part.consent if part is not None else None

    def position(self, key: str) -> SourcePosition | None:
        """The newest row of a feed, whoever wrote it."""
        row = self._tables.get(POSITIONS, key)
        return row if isinstance(row, SourcePosition) else None

    def seals(self) -> SealRequest | None:
        """The newest request to seal everything again."""
        part = self._part(SEALS)
        return part.seals if part is not None else None

    def own(self, integration: str) -> Mapping[str, IntegrationPart]:
        """What this connector wrote of an integration, by key."""
        place = f"{integration}/{self._system}"
        found = ((key, self._part(key)) for key in (place, *(f"{place}/{grant}" for grant in GRANT_KEYS)))
        return {key: part for key, part in found if part is not None}

    def grants(self, integration: str) -> Mapping[GrantKey, KeptGrant]:
        """All access that is kept, by where."""
        found = {key: self.grant(integration, key) for key in GRANT_KEYS}
        return {key: grant for key, grant in found.items() if grant is not None}

    def to_connect(self, integration: str, settings: IntegrationSettings) -> IntegrationSettings | Sections:
        """What somebody who connects the integration grants access for."""
        return to_connect(self._tables.table(INTEGRATIONS), integration, settings)

    def trial_answer(self, integration: str, settings: IntegrationSettings) -> Description | None:
        """What this system has answered to the step of the trial that is under way."""
        return trial_answer(self._tables.table(INTEGRATIONS), integration, self._system, settings)

    def is_tried(self, integration: str, settings: IntegrationSettings) -> bool:
        """Whether the trial's step that those settings ask for is under way still."""
        now = self.settings_of(integration)
        return now is not None and now.state != "disconnected" and now.trial is not None and now.tried == settings.tried

    def inquiry(self, integration: str) -> Inquiry | None:
        """The newest inquiry about the system's fields; None where this system has answered it already."""
        asked = self._part(f"{integration}/inquiry")
        answer = self._part(f"{integration}/{self._system}/description")
        inquiry = asked.inquiry if asked is not None else None
        description = answer.description if answer is not None else None
        answered = inquiry is not None and description is not None and description.inquiry_id == inquiry.inquiry_id
        return None if answered else inquiry

    def _part(self, key: str) -> IntegrationPart | None:
        part = self._tables.get(INTEGRATIONS, key)
        return part if isinstance(part, IntegrationPart) else None
