"""The links at which people grant access: the receiver's view of `sync.integrations`, and its way to the connector."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from connectors.kafka.producer import Publisher, PublishFailed
from connectors.receiver import NotStored, OpenLink
from pipeline.secrets import NoKeyFits, SecretBox
from schemas.configuration import IntegrationPart
from schemas.integrations import settings_of, to_connect
from schemas.records import ConnectorRequest, Consent
from schemas.topics import HUBSPOT_REQUESTS

Parts = Mapping[str, IntegrationPart]


@dataclass(frozen=True, slots=True)
class KafkaConsentDesk:
    """A `ConsentDesk` over the table that `parts` gives; the code travels with HubSpot's other requests, sealed."""

    parts: Callable[[], Parts]
    box: SecretBox
    publisher: Publisher

    def link(self, link: str) -> OpenLink | None:
        """The integration's newest link if it is that one, with the integration as it is now."""
        parts = self.parts()
        for key, part in parts.items():
            if part.link is not None and part.link.link == link and key.endswith("/link"):
                return _open_link(part.integration, part, parts)
        return None

    def seal(self, text: str, place: str) -> bytes:
        return self.box.seal(text, place)

    def unseal(self, sealed: bytes, place: str) -> str | None:
        try:
            return self.box.open(sealed, place)
        except NoKeyFits:
            return None

    async def hand_over(self, integration: str, connection: int, consent: Consent) -> None:
        request = ConnectorRequest(integration, connection, "consent", "", consent=consent)
        try:
            await self.publisher.send(HUBSPOT_REQUESTS, integration, request)
        except PublishFailed as error:
            raise NotStored(str(error)) from error


def _open_link(name: str, part: IntegrationPart, parts: Parts) -> OpenLink | None:
    settings = settings_of(parts, name)
    if settings is None or part.link is None:
        return None
    told = parts.get(f"{name}/hubspot/consent")
    answer = told.consent if told is not None else None
    hubspot = to_connect(parts, name, settings).hubspot
    asks = settings.state != "disconnected" and "token" not in hubspot.secrets
    return OpenLink(
        name,
        settings.connection,
        hubspot.account,
        hubspot.options.get("client_id", "") if asks else "",
        part.link,
        answer if answer is not None and answer.link == part.link.link else None,
    )
