"""The records of `sync.integrations`: configuration, each key with exactly one writer.

| key | part | written by |
|---|---|---|
| `<integration>/desired` | DesiredIntegration | `pairstream apply`, `integration pause` and the console |
| `<integration>/settings` | IntegrationSettings | the active scheduler |
| `claim/<system>/<account>` | IntegrationClaim | the active scheduler |
| `<integration>/<system>` | ConnectorState | the connector that owns the integration |
| `<integration>/inquiry` | Inquiry | `pairstream plan` |
| `<integration>/<system>/description` | Description | the connector that owns the integration |
| `<integration>/<system>/trial` | Description | the same; its inquiry is what `IntegrationSettings.tried` names |
| `<integration>/former` | Former | the active scheduler |
| `<integration>/<system>/grant` | KeptGrant | the connector: access granted; `/trial-grant`: to what is on trial |
| `<integration>/link` | ConnectLink | `pairstream connect` and the console |
| `<integration>/<system>/consent` | ConnectAnswer | the connector that owns the integration |
| `seals` | SealRequest | `pairstream secrets rotate` |
| `installation` | Installation | the first process that writes here, by packaged ids whatever it says |
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from schemas.values import FieldType, System

DesiredState = Literal["active", "paused", "disconnected"]
ApplyState = Literal["proving", "describing", "provisioning", "done", "failed"]
IntegrationState = Literal["connecting", "active", "paused", "disconnected"]
SchemaIds = Literal["packaged", "registry"]
ConnectorStatus = Literal["ok", "needs_reconnect", "unavailable", "failed"]


STANDS: Final[Mapping[ConnectorStatus, str]] = {
    "ok": "is ok",
    "needs_reconnect": "needs reconnect",
    "unavailable": "is unavailable",
    "failed": "has failed",
}
"""A status as the predicate of a sentence on a system."""

UNDER_WAY: Final[frozenset[ApplyState]] = frozenset({"proving", "describing", "provisioning"})
NOT_GRANTED: Final = "not_granted"
"""Reason of credentials to which nobody has granted access yet, in a browser: an apply waits for it."""

SEALS: Final = "seals"
INSTALLATION: Final = "installation"
"""The one key whose value has a packaged schema id in every installation: it says where all other ids come from."""

GRANT: Final = "grant"
CONSENT: Final = "consent"
SIGNING: Final = "webhook_secret"
"""Names of the secrets that a system gave: kept by its connector, and not in a file. A consent's goes to it sealed."""


JOURNAL: Final = "journal"
"""The feed of HubSpot's journal; the names of all others hold a slash: `contacts/modified`."""


def is_feed(name: str) -> bool:
    """Whether what a connector reports as denied is a feed of news, and no object type."""
    return name == JOURNAL or "/" in name


def secret_place(integration: str, system: System, name: str) -> str:
    """Where a sealed secret stands: `acme/hubspot/token`. It opens nowhere else."""
    return f"{integration}/{system}/{name}"


@dataclass(frozen=True, slots=True)
class SystemSettings:
    """One system's section of an integration file."""

    account: str  # HubSpot account id, or Userflow environment
    options: Mapping[str, str] = field(default_factory=dict)  # plain settings of the section
    secrets: Mapping[str, bytes] = field(default_factory=dict)  # sealed with PAIRSTREAM_SECRET_KEY
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # object type -> fields the mappings use


@dataclass(frozen=True, slots=True)
class DescribedField:
    """What a system says of one field that a mapping uses."""

    object_type: str  # the system's object type
    name: str  # the field's name
    label: str  # for people
    type: FieldType  # its type in neutral words
    options: tuple[str, ...] = ()  # what an enumeration or multi-select accepts
    read_only: bool = False  # true: the system refuses writes
    unique: bool = False  # true: the system lets no two objects share its value
    archived: bool = False  # true: it was deleted; creating it again brings it back, its type too
    unreadable: bool = False  # true: it is there, but records are shown without it: a permission is lacking
    external: bool = False  # true: its options are kept elsewhere; where none are known the system judges a value


@dataclass(frozen=True, slots=True)
class DescribedEvent:
    """What a system says of one kind of event."""

    name: str  # the event's name, e.g. flow_started
    label: str  # for people
    attributes: tuple[DescribedField, ...] = ()  # what its events can carry
    timelines: tuple[str, ...] = ()  # the HubSpot object types whose timelines show it, where mappings stream it


@dataclass(frozen=True, slots=True)
class DescribedType:
    """What a system says of an object type that an account made itself."""

    object_type: str  # as mappings spell it
    type_id: str  # as the system's webhooks spell it
    name: str  # its schema's name, the word that stands in field names


@dataclass(frozen=True, slots=True)
class DesiredIntegration:
    """What somebody asked for."""

    apply_id: str  # one per request, so that the asker can wait for its end
    state: DesiredState  # what the integration should be
    document: str  # the integration file, secrets replaced by ${NAME}
    hubspot: SystemSettings  # its HubSpot section
    userflow: SystemSettings  # its Userflow section
    applied_at_ms: int  # our clock
    pause_reason: str = ""  # why it is to be paused, in the asker's words; empty: none was given
    state_only: bool = False  # true: the state alone is asked for; file and sections count for nothing


@dataclass(frozen=True, slots=True)
class Sections:
    """An integration file as the connectors need it."""

    document: str  # the integration file, secrets replaced by ${NAME}
    hubspot: SystemSettings  # its HubSpot section
    userflow: SystemSettings  # its Userflow section
    events: tuple[DescribedEvent, ...] = ()  # the Userflow events that its mappings stream to timelines

    def section(self, system: System) -> SystemSettings:
        """That system's section."""
        return self.hubspot if system == "hubspot" else self.userflow


@dataclass(frozen=True, slots=True)
class IntegrationSettings:
    """What is in force, and how far the newest request has come."""

    connection: int  # raised by every connect; part of every object and pair key
    revision: int  # raised by every apply
    active_revision: int  # the revision whose mappings are in force
    state: IntegrationState  # what the integration is
    apply_id: str  # the newest request
    apply_state: ApplyState  # how far it has come
    reason: str | None  # why it failed
    document: str  # the integration file of this revision
    hubspot: SystemSettings  # its HubSpot section
    userflow: SystemSettings  # its Userflow section
    create: tuple[DescribedField, ...] = ()  # HubSpot fields to create while provisioning
    events: tuple[DescribedEvent, ...] = ()  # the Userflow events that mappings stream to timelines
    fallback: Sections | None = None  # what was in force, and is again if the newest request is refused
    descriptions: int = 0  # how many of both connectors' descriptions the mappings in force take into account
    trial: Sections | None = None  # asked for: connects anew, and is not proven yet; what is in force stays meanwhile
    forgotten: int = 0  # the state of connections up to this one was told to be forgotten
    pause_reason: str = ""  # why it is paused, in the asker's words; empty: it is not, or none was given

    def section(self, system: System) -> SystemSettings:
        """That system's section."""
        return self.hubspot if system == "hubspot" else self.userflow

    @property
    def describes_what_is_in_force(self) -> bool:
        """Whether connectors describe the fields of what is in force, and not those of a newer file."""
        return self.trial is not None or self.apply_state not in UNDER_WAY or self.revision == self.active_revision

    @property
    def tried(self) -> str:
        """Names the step of the trial that both connectors answer; each answer repeats it."""
        sections = (self.trial.hubspot, self.trial.userflow) if self.trial is not None else ()
        asked = json.dumps([self.apply_state, *(dict(section.fields) for section in sections)], sort_keys=True)
        return f"{self.apply_id}/{hashlib.sha256(asked.encode()).hexdigest()[:12]}"


@dataclass(frozen=True, slots=True)
class IntegrationClaim:
    """Which integration holds an account."""

    integration: str  # the holder


@dataclass(frozen=True, slots=True)
class ConnectorState:
    """What the owning connector reports of its system."""

    connection: int  # the connection it reports on
    described_revision: int  # fields are those of this revision
    provisioned_revision: int  # what this revision needs exists in the system
    status: ConnectorStatus  # whether the system can be worked with
    checked_revision: int = 0  # the revision whose credentials the status speaks of
    reason: str | None = None  # why not
    fields: tuple[DescribedField, ...] = ()  # definitions of the fields that mappings use
    grant: bytes | None = None  # sealed: the newest refresh token, where an earlier build kept it; now a KeptGrant
    webhook_secret: bytes | None = None  # sealed: what signs the system's webhooks
    events: tuple[DescribedEvent, ...] = ()  # every kind of event the system knows
    types: tuple[DescribedType, ...] = ()  # the account's own object types that mappings use
    crawled: tuple[str, ...] = ()  # object types that were crawled to their end under this connection
    parked: bool = False  # something was parked since the pairs were last derived again
    descriptions: int = 0  # how often what the system says of the fields has changed
    clock_ahead_ms: int = 0  # by how much the system's clock is ahead of ours, where more than is believed
    denied: Mapping[str, str] = field(default_factory=dict)  # <object type>.<verb> that is not permitted -> reason
    withdrawn: str | None = None  # the connection is over: `done`, or the stable code why something is left there
    whole: Mapping[str, int] = field(
        default_factory=dict
    )  # <object type>/<mapping> -> the mapping's revision under which every object of the type was read


@dataclass(frozen=True, slots=True)
class Former:
    """What is left of an integration that was forgotten."""

    connection: int  # its last connection: no later one of that name may share a key with it


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What somebody wants to know of both systems, while nothing is to change."""

    inquiry_id: str  # one per inquiry, so that the asker knows its answers
    hubspot: Mapping[str, tuple[str, ...]]  # HubSpot object type -> fields
    userflow: Mapping[str, tuple[str, ...]]  # Userflow object type -> fields
    asked_at_ms: int  # our clock
    webhooks: bool = False  # true: the systems are asked for their webhook subscriptions too

    def fields(self, system: System) -> Mapping[str, tuple[str, ...]]:
        """The fields of that system, by object type."""
        return self.hubspot if system == "hubspot" else self.userflow


@dataclass(frozen=True, slots=True)
class Description:
    """What one system told of the fields of an inquiry."""

    inquiry_id: str  # the inquiry
    reason: str | None = None  # stable code: why the system told nothing
    fields: tuple[DescribedField, ...] = ()  # those that exist
    events: tuple[DescribedEvent, ...] = ()  # every kind of event the system knows
    types: tuple[DescribedType, ...] = ()  # the account's own object types among those asked for
    webhooks: str | None = None  # its subscription: ok, missing, disabled, incomplete, or why it is not known


@dataclass(frozen=True, slots=True)
class KeptGrant:
    """Access to an account that somebody granted; its refresh token is kept here before it is used."""

    account: str  # whose access it is; empty: the system did not say
    refresh_token: bytes  # sealed: the newest
    scopes: tuple[str, ...] = ()  # what was granted; empty: the system did not say
    origin: str = ""  # fingerprint of the refresh token that stood in the file then; empty: none did
    link: str = ""  # the link by which it was granted; empty: it came with the file
    granted_at_ms: int = 0  # our clock: when it was granted, or first kept
    client: str = ""  # the client id of the app that it was granted to; empty: an earlier build kept it


@dataclass(frozen=True, slots=True)
class ConnectLink:
    """A one-time link at which somebody grants access in a browser."""

    link: str  # SHA-256 of the link's token, which stands nowhere on the brokers
    scopes: tuple[str, ...]  # what the page asks for
    asked_at_ms: int  # our clock
    expires_at_ms: int  # our clock: from then on it opens nothing


@dataclass(frozen=True, slots=True)
class ConnectAnswer:
    """What became of a link: written once, by whoever owns the integration, so that a link counts once."""

    link: str  # the link
    reason: str | None = None  # stable code: why nobody is connected by it; null: connected
    account: str = ""  # whose access was granted, wanted or not
    scopes: tuple[str, ...] = ()  # what was granted
    answered_at_ms: int = 0  # our clock


@dataclass(frozen=True, slots=True)
class SealRequest:
    """Every secret is to be sealed again with the newest key."""

    key_id: str  # which key that is; says nothing about it
    asked_at_ms: int  # our clock


@dataclass(frozen=True, slots=True)
class Installation:
    """The facts that every process of an installation has to share."""

    schema_ids: SchemaIds  # where the schema ids of its records come from


@dataclass(frozen=True, slots=True)
class IntegrationPart:
    """One key of `sync.integrations`: exactly one of the parts is set."""

    integration: str  # whose configuration; empty for the installation's
    desired: DesiredIntegration | None = None  # key <integration>/desired
    settings: IntegrationSettings | None = None  # key <integration>/settings
    claim: IntegrationClaim | None = None  # key claim/<system>/<account>
    connector: ConnectorState | None = None  # key <integration>/<system>
    inquiry: Inquiry | None = None  # key <integration>/inquiry
    description: Description | None = None  # key <integration>/<system>/description, or /trial
    installation: Installation | None = None  # key installation
    former: Former | None = None  # key <integration>/former
    grant: KeptGrant | None = None  # key <integration>/<system>/grant, or /trial-grant
    link: ConnectLink | None = None  # key <integration>/link
    consent: ConnectAnswer | None = None  # key <integration>/<system>/consent
    seals: SealRequest | None = None  # key seals
