"""The keys of an integration file: what each takes, as pydantic checks it and the JSON schema tells it."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Final, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from pipeline.integration_file.model import ChangeSource, OnEmpty, OnSeveral, Region, Timeline, UserflowSource
from pipeline.integration_file.names import (
    ALIASES,
    CUSTOM_TYPE,
    HUBSPOT_TYPES,
    INTEGRATION_NAME,
    MAPPING_NAME,
    MATCHES,
    MOST_NAME_CHARACTERS,
    USERFLOW_TYPES,
)
from pipeline.integration_file.variables import SENDABLE, VARIABLE
from pipeline.integration_file.yaml_tree import UNREAD

MOST_FIELD_CHARACTERS: Final = 255
# pydantic puts the name of a union's branch into an error's location; no key of a file can equal these
_ONE, _TABLE, _SEVERAL = "\0one", "\0table", "\0several"
_UNSEEN: Final = re.compile("[\u00ad\u034f\u061c\u115f\u1160\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,18}")
_OF_VARIABLE: Final = {"type": "string", "pattern": f"^{VARIABLE}$", "examples": ["${NAME}"]}


def is_branch(key: int | str) -> bool:
    """Whether a part of a problem's location names a branch of a union, and no key."""
    return isinstance(key, str) and key.startswith("\0")


def _or_variable(*schemas: dict[str, Any]) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [*schemas, _OF_VARIABLE]})


def _whole_number(value: object) -> int:
    """The number, also from text, since a variable holds text; 0 for one whose variable is not set."""
    text = str(value) if type(value) in (int, str) else ""
    if value != UNREAD and not _NUMBER.fullmatch(text):
        raise PydanticCustomError("whole_number", "expected a whole number")
    return 0 if value == UNREAD else int(text)


def _name(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "maxLength": MOST_NAME_CHARACTERS, "pattern": f"^(?:{pattern})$"})


def _seen(text: str) -> str:
    """Refuses a name that looks like another: what is pasted from a page may hold characters without a width."""
    found = _UNSEEN.search(text)
    if found is not None:
        place = {"code": f"U+{ord(found[0]):04X}", "number": found.start() + 1}
        raise PydanticCustomError("unseen", "character {number} is {code}, which nobody sees", place)
    return text


Word = Annotated[str, Field(min_length=1, max_length=MOST_FIELD_CHARACTERS), AfterValidator(_seen)]
# `fill_in` refuses variables in texts that are shown; `$${` writes a literal `${`
Text = Annotated[Word, Field(json_schema_extra={"pattern": r"^([^$]|\$\$\{|\$(?!\{))*$"})]
Number = Annotated[
    int,
    BeforeValidator(_whole_number),
    _or_variable({"type": "integer", "minimum": 1}, {"type": "string", "pattern": f"^{_NUMBER.pattern}$"}),
]
Credential = Annotated[
    str,
    Field(min_length=1),
    WithJsonSchema({"type": "string", "pattern": rf"^(?!\$[A-Za-z_]){SENDABLE}$", "examples": ["${NAME}"]}),
]
HubSpotType = Annotated[
    Word,
    WithJsonSchema(
        {
            "type": "string",
            "anyOf": [{"enum": [*HUBSPOT_TYPES, *ALIASES]}, {"pattern": f"^(?:{CUSTOM_TYPE})$"}],
            "examples": [*HUBSPOT_TYPES, "2-123456", "p12345678_pet"],
        }
    ),
]


class Keys(BaseModel):
    """A table of a file: no unknown keys, nothing taken for what it is not, and a key without a value left out."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, validate_by_name=False)

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        names = {field.alias or name for name, field in cls.model_fields.items()}
        return {key: entry for key, entry in value.items() if key not in names or not _is_left_out(key, entry)}

    @classmethod
    def known_keys(cls) -> Iterator[tuple[str, bool]]:
        """Every key as files spell it, and whether it is needed."""
        return ((field.alias or name, field.is_required()) for name, field in cls.model_fields.items())


def _is_left_out(key: str, entry: object) -> bool:
    """Whether the key counts as absent: it has no value, or it takes one of a few words and its variable is not set."""
    return entry is None or (entry == UNREAD and key in ("source", "timeline", "region"))


class OAuthKeys(Keys):
    client_id: Credential = Field(description="The app's client ID.")
    client_secret: Credential = Field(description="The app's client secret.")
    refresh_token: Credential | None = Field(
        None,
        description="What HubSpot gave when access was granted; omitted: `pairstream connect` asks for it.",
    )


class HubSpotKeys(Keys):
    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["oauth"]}, {"required": ["token"]}]})

    account: Number = Field(description="The account's number, its hub ID.", examples=[12345678])
    app_id: Number | None = Field(
        None, description="Has no effect yet.", examples=[4242], json_schema_extra={"deprecated": True}
    )
    app_secret: Credential | None = Field(None, description="Verifies webhooks: the client secret of the HubSpot app.")
    oauth: OAuthKeys | None = Field(None, description="An OAuth app; either this or `token`.")
    token: Credential | None = Field(
        None, description="The token of a private app or a service key; either this or `oauth`."
    )
    source: Annotated[ChangeSource, _or_variable({"enum": list(get_args(ChangeSource))})] = Field(
        "webhooks",
        description="How edits in HubSpot are heard of: `journal` needs `oauth` and no public URL, `poll` neither.",
    )
    timeline: Annotated[Timeline, _or_variable({"enum": list(get_args(Timeline))})] | None = Field(
        None,
        description="How events reach timelines: `app_events` need `oauth`, `custom_events` take any token.",
    )


class UserflowKeys(Keys):
    environment: Text = Field(description="The environment's name, for people.", examples=["production"])
    region: Annotated[Region, _or_variable({"enum": list(get_args(Region))})] = Field(
        "us", description="Where Userflow keeps the environment's data."
    )
    api_key: Credential = Field(description="An API key of the environment.")
    source: Annotated[UserflowSource, _or_variable({"enum": list(get_args(UserflowSource))})] = Field(
        "webhooks",
        description="How edits in Userflow are heard of: `poll` needs no public URL, and tells of no events.",
    )


class MatchKeys(Keys):
    hubspot: Text = Field(description="A property of the HubSpot object.", examples=["email"])
    userflow: Annotated[
        Word, WithJsonSchema({"enum": list(dict.fromkeys(name for names in MATCHES.values() for name in names))})
    ] = Field(description="`email` of a user, or `id`.")


class RuleKeys(Keys):
    source: Text = Field(alias="from", description="The field that is read; `company.name`: of an associated object.")
    to: Text | None = Field(
        None,
        description="The field that is written; in HubSpot it must exist. Without: named after system, type and field.",
    )
    on_empty: OnEmpty = Field("clear", description="What an empty source does: clear the target, or keep it.")


def _rule_branch(rule: object) -> str:
    return _TABLE if isinstance(rule, dict) else _ONE


def _events_branch(events: object) -> str:
    return _SEVERAL if isinstance(events, list) else _ONE


Rules = list[Annotated[Annotated[Text, Tag(_ONE)] | Annotated[RuleKeys, Tag(_TABLE)], Discriminator(_rule_branch)]]
Events = Annotated[
    Annotated[bool, Tag(_ONE)] | Annotated[list[Text], Field(min_length=1), Tag(_SEVERAL)],
    Discriminator(_events_branch),
]


class MappingKeys(Keys):
    name: Annotated[Word, _name(MAPPING_NAME)] = Field(description="Its name.", examples=["contacts-users"])
    hubspot: HubSpotType = Field(description="The HubSpot object type.")
    userflow: Annotated[Word, WithJsonSchema({"enum": list(USERFLOW_TYPES)})] = Field(
        description="The Userflow object type."
    )
    match: MatchKeys = Field(description="Two objects are the same customer where these fields hold the same value.")
    on_several: OnSeveral = Field(
        "refuse", description="Where several objects hold the value: write none, or the newest."
    )
    to_userflow: Rules = Field([], description="HubSpot properties that Userflow gets.", examples=[["jobtitle"]])
    to_hubspot: Rules = Field([], description="Userflow attributes that HubSpot gets.", examples=[["signed_up_at"]])
    stream_events: Events = Field(
        False, description="Which Userflow events appear on HubSpot timelines.", examples=[["flow_started"]]
    )


class FileKeys(Keys):
    """One integration: a HubSpot account, a Userflow environment, and the mappings between them."""

    integration: Annotated[Word, _name(INTEGRATION_NAME)] = Field(
        description="The integration's name.", examples=["acme-production"]
    )
    hubspot: HubSpotKeys = Field(description="The HubSpot account and how to reach it.")
    userflow: UserflowKeys = Field(description="The Userflow environment and how to reach it.")
    mappings: list[MappingKeys] = Field(
        description="The pairs of object types, and their fields; `[]`: connected, and nothing is mapped yet."
    )
