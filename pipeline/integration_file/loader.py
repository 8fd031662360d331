"""The text of an integration file -> its model, or everything that is wrong with it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from pipeline.integration_file.checks import check, without_effect
from pipeline.integration_file.document import FileKeys, HubSpotKeys, Keys, MappingKeys, RuleKeys, UserflowKeys
from pipeline.integration_file.misreadings import keys_of, misreadings
from pipeline.integration_file.model import (
    UNREAD_SECTION,
    HubSpotSection,
    IntegrationFile,
    MappingSpec,
    OAuth,
    Rule,
    Secret,
    UserflowSection,
)
from pipeline.integration_file.names import ALIASES, default_target
from pipeline.integration_file.problems import Positions, Problem, in_order
from pipeline.integration_file.variables import Filled, fill_in
from pipeline.integration_file.yaml_tree import EXAMPLE, MOST_BYTES, UNREAD, parse
from schemas.values import System

_Model = TypeVar("_Model", bound=Keys)
# unreadable events count as streamed: "moves nothing" would be a second report of the same mistake
_STAND_INS: Final[Mapping[str, Any]] = {"list_type": [UNREAD], "bool_type": True, "too_short": True}


def load(
    text: str, file_name: str, environment: Mapping[str, str], *, all_set: bool = True
) -> IntegrationFile | tuple[Problem, ...]:
    """The model, or all problems in the order of the file.

    One wrong key hides no other mistake: what can be read is checked all the same. Unless `all_set`, a variable need
    not be set; what it would hold is not judged.
    """
    if len(text) > MOST_BYTES:
        return (too_large(file_name),)
    tree = parse(text, file_name)
    if tree.data is None:
        return tree.problems or (Problem(1, 1, "", "the file is empty", EXAMPLE, file_name),)
    filled = fill_in(tree, environment, all_set=all_set)
    file, misread = _read(filled, tree.positions)
    problems = in_order([*filled.problems, *misread, *check(file)])
    return problems or file


def read_document(document: str) -> IntegrationFile:
    """A stored integration file; its secrets are placeholders. Raises ValueError for what cannot be read at all."""
    tree = parse(document, "")
    filled = fill_in(tree, {}, all_set=False)
    file, misread = _read(filled, tree.positions)
    if filled.problems or misread:
        raise ValueError("a stored integration file can no longer be read: apply it again")
    return file


def too_large(file_name: str) -> Problem:
    """The refusal of a file that nobody wrote by hand."""
    return Problem(0, 0, "", f"larger than {MOST_BYTES:,} bytes", "write one file for each integration", file_name)


def _read(filled: Filled, positions: Positions) -> tuple[IntegrationFile, Sequence[Problem]]:
    """The model as far as it can be read, with empty values for the rest, and what cannot."""
    try:
        return _file(FileKeys.model_validate(filled.data), filled, positions), ()
    except ValidationError as error:
        errors = error.errors(include_url=False)
    problems = misreadings(errors, filled, positions)
    for one in errors:
        _take_out(filled.data, keys_of(one["loc"]), one["type"])
    return _partial(filled, positions), problems


def _take_out(data: Any, location: Sequence[Any], kind: str) -> None:
    """Replaces the value that pydantic refused by a stand-in, so that the rest of its table is read."""
    if len(location) > 3 and location[0] == "mappings" and location[2] in ("to_userflow", "to_hubspot"):
        location, kind = location[:4], "rule"
    if not location:
        return
    for key in location[:-1]:
        data = data[key]
    if kind == "literal_error" and tuple(location) == ("hubspot", "source"):
        data["source"] = "poll"  # which needs nothing else: a mistyped word is one mistake, and not two
    elif kind in ("extra_forbidden", "literal_error"):
        del data[location[-1]]
    elif location[-1] == "match":
        data["match"] = {"hubspot": UNREAD, "userflow": UNREAD}
    else:
        data[location[-1]] = _STAND_INS.get(kind, UNREAD)


def _partial(filled: Filled, positions: Positions) -> IntegrationFile:
    data = filled.data if isinstance(filled.data, dict) else {}
    name, mappings = data.get("integration"), data.get("mappings")
    keys = FileKeys.model_construct(
        integration=name if isinstance(name, str) else "",
        hubspot=_model_of(HubSpotKeys, data.get("hubspot")),
        userflow=_model_of(UserflowKeys, data.get("userflow")),
        mappings=[_model_of(MappingKeys, each) for each in mappings] if isinstance(mappings, list) else [],
    )
    return _file(keys, filled, positions)


def _model_of(keys: type[_Model], data: Any) -> _Model | None:
    try:
        return keys.model_validate(data)
    except ValidationError:
        return None  # already reported, by the validation of the whole


def _file(keys: FileKeys, filled: Filled, positions: Positions) -> IntegrationFile:
    file = IntegrationFile(
        integration=_known(keys.integration),
        hubspot=_hubspot(keys.hubspot),
        userflow=_userflow(keys.userflow),
        mappings=tuple(map(_mapping, keys.mappings)),
        positions=positions,
    )
    return replace(file, warnings=in_order([*filled.warnings, *without_effect(file)]))


def _known(text: str) -> str:
    return "" if text == UNREAD else text


def _hubspot(keys: HubSpotKeys | None) -> HubSpotSection:
    if keys is None:
        return UNREAD_SECTION
    oauth = None
    if keys.oauth is not None:
        secret, grant = Secret(keys.oauth.client_secret), _secret(keys.oauth.refresh_token)
        oauth = OAuth(_known(keys.oauth.client_id), secret, grant)
    return HubSpotSection(
        account=keys.account,
        app_id=keys.app_id or None,
        app_secret=_secret(keys.app_secret),
        oauth=oauth,
        token=_secret(keys.token),
        source=keys.source,
        timeline=keys.timeline or ("custom_events" if keys.token and not oauth else "app_events"),
    )


def _userflow(keys: UserflowKeys | None) -> UserflowSection:
    if keys is None:
        return UserflowSection("", "us", Secret(""))
    return UserflowSection(_known(keys.environment), keys.region, Secret(keys.api_key), keys.source)


def _secret(text: str | None) -> Secret | None:
    return None if text is None else Secret(text)


def _mapping(keys: MappingKeys | None) -> MappingSpec:
    if keys is None:
        return MappingSpec("", "", "", "", "")
    hubspot_type, userflow_type = _known(keys.hubspot), _known(keys.userflow)
    hubspot_type = ALIASES.get(hubspot_type, hubspot_type)
    events = keys.stream_events
    return MappingSpec(
        name=_known(keys.name),
        hubspot_type=hubspot_type,
        userflow_type=userflow_type,
        match_hubspot=_known(keys.match.hubspot),
        match_userflow=_known(keys.match.userflow),
        on_several=keys.on_several,
        to_userflow=tuple(_rule(rule, "userflow", hubspot_type) for rule in keys.to_userflow),
        to_hubspot=tuple(_rule(rule, "hubspot", userflow_type) for rule in keys.to_hubspot),
        stream_events=tuple(dict.fromkeys(events)) if isinstance(events, list) else events,
    )


def _rule(keys: RuleKeys | str, target: System, source_type: str) -> Rule:
    """The rule; an empty source stands for one that cannot be read."""
    source = keys if isinstance(keys, str) else keys.source
    if source == UNREAD or (isinstance(keys, RuleKeys) and keys.to == UNREAD):
        return Rule("", "")
    default = default_target(target, source_type, source)
    if isinstance(keys, str):
        return Rule(source, default)
    written = keys.to or default
    return Rule(source, written, keys.on_empty, explicit_target=written != default)
