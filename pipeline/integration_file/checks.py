"""What an integration file may not say, as far as that can be told without asking either system."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from pipeline.integration_file.model import HubSpotSection, IntegrationFile, MappingSpec
from pipeline.integration_file.names import HUBSPOT_TYPES, USERFLOW_TYPES, account_of_type, associated, is_custom_type
from pipeline.integration_file.problems import Problem, in_order, near
from pipeline.integration_file.rules import FieldNode, Road, roads

ALWAYS_READ_ONLY: Final = frozenset(
    {"hs_object_id", "createdate", "hs_createdate", "lastmodifieddate", "hs_lastmodifieddate"}
)
"""HubSpot properties that HubSpot alone writes, on every object type."""

MATCHES: Final[Mapping[str, tuple[str, ...]]] = {"users": ("email", "id"), "companies": ("id",)}
"""What an object of a Userflow type can be matched by."""

_INTEGRATION_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]*")
_MAPPING_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_UNREAD_SECTION: Final = HubSpotSection(account=0)
_APP_EVENT_TYPES: Final = ("contacts", "companies")


def check(file: IntegrationFile) -> tuple[Problem, ...]:
    """Every refusal that needs no answer from HubSpot or Userflow, in the order of the file.

    Empty texts and accounts below 1 stand for values that could not be read; they are reported by the reader.
    """
    return in_order(
        [
            *_names(file),
            *_connection(file),
            *_types(file),
            *_matches(file),
            *_contents(file),
            *_streams(file),
            *_sources(file),
            *_targets(file),
            *_owners(file),
            *_feeding(file),
        ]
    )


def _names(file: IntegrationFile) -> Iterator[Problem]:
    problem = file.positions.problem
    if file.integration and not _INTEGRATION_NAME.fullmatch(file.integration):
        yield problem(
            "integration",
            f"`{file.integration}` is no name for an integration",
            "use lower-case letters, digits and -, starting with a letter or digit",
        )
    first: dict[str, str] = {}
    for index, mapping in enumerate(file.mappings):
        path = f"mappings[{index}].name"
        if mapping.name and not _MAPPING_NAME.fullmatch(mapping.name):
            yield problem(path, f"`{mapping.name}` is no name for a mapping", "use letters, digits, '.', '_' and '-'")
        if mapping.name in first:
            where = _line(file, first[mapping.name])
            yield problem(path, f"a second mapping named `{mapping.name}`{where}", "give it another name")
        elif mapping.name:
            first[mapping.name] = path


def _connection(file: IntegrationFile) -> Iterator[Problem]:
    hubspot, problem = file.hubspot, file.positions.problem
    if hubspot == _UNREAD_SECTION:
        return
    if hubspot.oauth and hubspot.token:
        yield problem("hubspot.token", "both oauth and a token are given", "keep one of them")
    if not hubspot.oauth and not hubspot.token:
        yield problem("hubspot", "neither oauth nor a token is given", "add `oauth:` or `token:`")
    if hubspot.source == "webhooks" and not hubspot.app_secret:
        yield problem(
            "hubspot",
            "webhooks cannot be verified without `app_secret`",
            "add `app_secret:`, or write `source: poll`",
        )
    if hubspot.timeline == "app_events" and hubspot.token and not hubspot.oauth:
        yield problem(
            "hubspot.timeline",
            "app events need an OAuth app, a plain token cannot send them",
            "write `timeline: custom_events`, or connect by oauth",
        )


def _types(file: IntegrationFile) -> Iterator[Problem]:
    problem = file.positions.problem
    for index, mapping in enumerate(file.mappings):
        path, name = f"mappings[{index}].hubspot", mapping.hubspot_type
        if name and name not in HUBSPOT_TYPES and not is_custom_type(name):
            fix = near(name, HUBSPOT_TYPES, "write contacts, companies, deals or a custom type's id such as 2-123456")
            yield problem(path, f"`{name}` is no HubSpot object type", fix)
        account = account_of_type(name)
        if account is not None and file.hubspot.account > 0 and account != file.hubspot.account:
            fix = f"use a type of account {file.hubspot.account}"
            yield problem(path, f"`{name}` belongs to account {account}", fix)
        if mapping.userflow_type and mapping.userflow_type not in USERFLOW_TYPES:
            message = f"`{mapping.userflow_type}` is no Userflow object type"
            yield problem(f"mappings[{index}].userflow", message, "write users or companies")


def _matches(file: IntegrationFile) -> Iterator[Problem]:
    problem = file.positions.problem
    for index, mapping in enumerate(file.mappings):
        allowed = MATCHES.get(mapping.userflow_type, ())
        if allowed and mapping.match_userflow and mapping.match_userflow not in allowed:
            yield problem(
                f"mappings[{index}].match.userflow",
                f"Userflow {mapping.userflow_type} are not matched by `{mapping.match_userflow}`",
                f"write {' or '.join(allowed)}",
            )
        if associated(mapping.match_hubspot):
            yield problem(
                f"mappings[{index}].match.hubspot",
                f"`{mapping.match_hubspot}` is a field of another object",
                f"match by a field of the {mapping.hubspot_type} themselves",
            )


def _contents(file: IntegrationFile) -> Iterator[Problem]:
    if not file.mappings:
        yield file.positions.problem("mappings", "no mapping is given", "add at least one")
    for index, mapping in enumerate(file.mappings):
        if mapping.name and not (mapping.to_userflow or mapping.to_hubspot or mapping.stream_events):
            yield file.positions.problem(
                f"mappings[{index}]",
                f"`{mapping.name}` moves nothing",
                "add `to_userflow:`, `to_hubspot:` or `stream_events: true`",
            )


def _streams(file: IntegrationFile) -> Iterator[Problem]:
    for index, mapping in enumerate(file.mappings):
        custom_events = file.hubspot.timeline == "custom_events"
        if not mapping.stream_events or mapping.hubspot_type in _APP_EVENT_TYPES or custom_events:
            continue
        yield file.positions.problem(
            f"mappings[{index}].stream_events",
            f"app events appear on contacts and companies, not on {mapping.hubspot_type}",
            "write `stream_events: false`, or `timeline: custom_events` for the integration",
        )


def _sources(file: IntegrationFile) -> Iterator[Problem]:
    problem = file.positions.problem
    for road in roads(file):
        other = associated(road.rule.source)
        if not other:
            continue
        if road.target.system == "hubspot":
            message = f"`{road.rule.source}` is an associated field, and those only flow to Userflow"
            yield problem(road.place(file, "from"), message, f"read a field of the {road.mapping.userflow_type}")
        elif other[0] == road.mapping.hubspot_type:
            message = f"{other[0]} have no associated field of their own type"
            yield problem(road.place(file, "from"), message, f"write `{other[1]}`")


def _targets(file: IntegrationFile) -> Iterator[Problem]:
    matched = {node: mapping for mapping in file.mappings for node in _match_nodes(mapping)}
    for road in roads(file):
        path, target = road.place(file, "to"), road.target
        if target in matched:
            message = f"{target} is what mapping `{matched[target].name}` matches by"
            yield file.positions.problem(path, message, "write to another field")
        elif _is_read_only(target):
            yield file.positions.problem(path, f"{target} is read-only", "write to another field")
        elif associated(target.field):
            message = f"`{target.field}` is a field of another object, and a rule writes the paired one only"
            yield file.positions.problem(path, message, "map the other object by a mapping of its own")


def _is_read_only(node: FieldNode) -> bool:
    return node.field in ALWAYS_READ_ONLY if node.system == "hubspot" else node.field == "id"


def _match_nodes(mapping: MappingSpec) -> Iterator[FieldNode]:
    yield FieldNode("hubspot", mapping.hubspot_type, mapping.match_hubspot)
    yield FieldNode("userflow", mapping.userflow_type, mapping.match_userflow)


def _owners(file: IntegrationFile) -> Iterator[Problem]:
    owners: dict[FieldNode, Road] = {}
    for road in roads(file):
        owner = owners.setdefault(road.target, road)
        if owner is road:
            continue
        where = _line(file, owner.path)
        if owner.mapping is road.mapping:
            message = f"two rules write {road.target}{where}"
        else:
            message = f"{road.target} is already owned by mapping `{owner.mapping.name}`{where}"
        yield file.positions.problem(
            road.place(file, "to"), message, "remove one of them, or give it another name by `to:`"
        )


def _feeding(file: IntegrationFile) -> Iterator[Problem]:
    """Reports the rule that closes a circle, and goes on as if it were not there."""
    onward: dict[FieldNode, list[FieldNode]] = {}
    for road in roads(file):
        circle = _way(onward, road.target, road.source)
        if circle:
            shown = " -> ".join(str(node) for node in [*circle, road.target])
            message = f"{road.target} would feed itself: {shown}"
            yield file.positions.problem(road.path, message, "remove one of these rules, or write to another field")
        else:
            onward.setdefault(road.source, []).append(road.target)


def _way(onward: Mapping[FieldNode, list[FieldNode]], start: FieldNode, end: FieldNode) -> list[FieldNode]:
    """A way along the rules from start to end, both included; empty if there is none."""
    came_from: dict[FieldNode, FieldNode | None] = {start: None}
    waiting = [start]
    while waiting and end not in came_from:
        node = waiting.pop(0)
        fresh = [after for after in onward.get(node, ()) if after not in came_from]
        came_from |= dict.fromkeys(fresh, node)
        waiting += fresh
    way: list[FieldNode] = []
    step: FieldNode | None = end if end in came_from else None
    while step is not None:
        way.insert(0, step)
        step = came_from[step]
    return way


def _line(file: IntegrationFile, path: str) -> str:
    line = file.positions.at(path)[0]
    return f", the other is on line {line}" if line else ""
