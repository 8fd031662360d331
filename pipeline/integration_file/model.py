"""What an integration file says, in the words of the pipeline: which objects are paired and which fields flow."""

from dataclasses import dataclass, field
from typing import Final, Literal

from pipeline.integration_file.problems import Positions, Problem

ChangeSource = Literal["webhooks", "journal", "poll"]
UserflowSource = Literal["webhooks", "poll"]
Timeline = Literal["app_events", "custom_events"]
Region = Literal["us", "eu"]
OnSeveral = Literal["refuse", "newest"]
OnEmpty = Literal["clear", "keep"]


class Secret:
    """A text that shows itself only when asked: str(), repr() and format() are masked.

    No dataclass, so that `dataclasses.asdict` does not unwrap it.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The secret itself; for a request header or a seal, never for a log line."""
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"


@dataclass(frozen=True, slots=True)
class OAuth:
    """An OAuth app; without a refresh token, access is granted later."""

    client_id: str
    client_secret: Secret
    refresh_token: Secret | None = None


@dataclass(frozen=True, slots=True)
class HubSpotSection:
    """One HubSpot account; exactly one of `oauth` and `token`."""

    account: int
    app_id: int | None = None
    app_secret: Secret | None = None
    oauth: OAuth | None = None
    token: Secret | None = None
    source: ChangeSource = "webhooks"
    timeline: Timeline = "app_events"


UNREAD_SECTION: Final = HubSpotSection(account=-1)
"""Stands for one that could not be read; account 0: one whose account is not known."""


@dataclass(frozen=True, slots=True)
class UserflowSection:
    """One Userflow environment; `environment` is a name for people, the key is what identifies it."""

    environment: str
    region: Region
    api_key: Secret
    source: UserflowSource = "webhooks"


@dataclass(frozen=True, slots=True)
class Rule:
    """One field's road. `explicit_target`: the target is not the default name, so it is never created in HubSpot."""

    source: str
    target: str
    on_empty: OnEmpty = "clear"
    explicit_target: bool = False


@dataclass(frozen=True, slots=True)
class MappingSpec:
    """One object type pair. `stream_events`: none, all, or the events named."""

    name: str
    hubspot_type: str
    userflow_type: str
    match_hubspot: str
    match_userflow: str
    on_several: OnSeveral = "refuse"
    to_userflow: tuple[Rule, ...] = ()
    to_hubspot: tuple[Rule, ...] = ()
    stream_events: bool | tuple[str, ...] = False


@dataclass(frozen=True, slots=True)
class IntegrationFile:
    """One integration; where each part stood in its file, and what to warn of, are no part of its meaning."""

    integration: str
    hubspot: HubSpotSection
    userflow: UserflowSection
    mappings: tuple[MappingSpec, ...]
    positions: Positions = field(default_factory=Positions, compare=False, repr=False)
    warnings: tuple[Problem, ...] = field(default=(), compare=False, repr=False)
