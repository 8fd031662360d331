"""Every refusal of an integration file that needs no answer from HubSpot or Userflow."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from connectors.hubspot.associated import DOT
from pipeline.integration_file.model import UNREAD_SECTION, IntegrationFile, MappingSpec
from pipeline.integration_file.names import (
    HUBSPOT_TYPES,
    INTEGRATION_NAME,
    MAPPING_NAME,
    MATCHES,
    MOST_NAME_CHARACTERS,
    USERFLOW_TYPES,
    account_of_type,
    associated,
    association_words,
    is_custom_type,
)
from pipeline.integration_file.problems import Problem, cut, in_order, near
from pipeline.integration_file.rules import FieldNode, Road, roads

ALWAYS_READ_ONLY: Final = frozenset(
    {"hs_object_id", "createdate", "hs_createdate", "lastmodifieddate", "hs_lastmodifieddate"}
)
"""HubSpot properties that HubSpot alone writes, on every object type."""

_APP_EVENT_TYPES: Final = ("contacts", "companies")
_MOST_SHOWN: Final = 8  # fields of a circle


def check(file: IntegrationFile) -> tuple[Problem, ...]:
    """The refusals in the order of the file.

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


def without_effect(file: IntegrationFile) -> tuple[Problem, ...]:
    """The keys that this version does not act on yet."""
    keys = []
    if file.hubspot.app_id is not None:
        keys.append(("hubspot.app_id", "app_id", "remove it"))
    return tuple(file.positions.problem(path, f"`{written}` has no effect yet", fix) for path, written, fix in keys)


def _names(file: IntegrationFile) -> Iterator[Problem]:
    problem = file.positions.problem
    fix = "use lower-case letters, digits and -, starting with a letter or digit"
    yield from _name(file, "integration", file.integration, INTEGRATION_NAME, ("an integration", fix))
    first: dict[str, str] = {}
    for index, mapping in enumerate(file.mappings):
        path = f"mappings[{index}].name"
        yield from _name(file, path, mapping.name, MAPPING_NAME, ("a mapping", "use letters, digits, '.', '_' and '-'"))
        if mapping.name in first:
            where = _line(file, first[mapping.name])
            yield problem(path, f"a second mapping named `{cut(mapping.name)}`{where}", "give it another name")
        elif mapping.name:
            first[mapping.name] = path


def _name(file: IntegrationFile, path: str, name: str, pattern: str, words: tuple[str, str]) -> Iterator[Problem]:
    whose, fix = words
    if name and not re.fullmatch(pattern, name):
        yield file.positions.problem(path, f"`{cut(name)}` is no name for {whose}", fix)
    elif len(name) > MOST_NAME_CHARACTERS:
        message = f"the name has {len(name)} characters, {MOST_NAME_CHARACTERS} at most"
        yield file.positions.problem(path, message, "write a shorter one")


def _connection(file: IntegrationFile) -> Iterator[Problem]:
    hubspot, problem = file.hubspot, file.positions.problem
    if hubspot == UNREAD_SECTION:
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
    if hubspot.source == "journal" and hubspot.token and not hubspot.oauth:
        yield problem(
            "hubspot.source",
            "only an OAuth app can read the journal",
            "connect by oauth, or write `source: poll`",
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
        if DOT in mapping.match_hubspot:
            yield problem(
                f"mappings[{index}].match.hubspot",
                f"`{mapping.match_hubspot}` is a field of another object",
                f"match by a field of the {mapping.hubspot_type} themselves",
            )


def _contents(file: IntegrationFile) -> Iterator[Problem]:
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
        if mapping.stream_events and file.userflow.source == "poll":
            yield file.positions.problem(
                f"mappings[{index}].stream_events",
                "only webhooks tell of events, and `userflow.source` is `poll`",
                "write `stream_events: false`, or `source: webhooks` for Userflow",
            )
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
        path, source, other = road.place(file, "from"), road.rule.source, associated(road.rule.source)
        if road.target.system == "hubspot":
            if other:
                message = f"`{source}` is an associated field, and those only flow to Userflow"
                yield problem(path, message, f"read a field of the {road.mapping.userflow_type}")
        elif other and other[0] == road.mapping.hubspot_type:
            yield problem(path, f"{other[0]} have no associated field of their own type", f"write `{other[1]}`")
        elif DOT in source and not (other and other[1] and DOT not in other[1]):
            yield problem(path, *_no_association(source, road.mapping.hubspot_type))


def _no_association(source: str, object_type: str) -> tuple[str, str]:
    word, _, name = source.partition(DOT)
    words = association_words(object_type)
    if DOT in name:
        return f"`{cut(source)}` leads further than one association", f"write `{word}.{cut(name.rpartition(DOT)[2])}`"
    if not name or not word:
        return f"`{cut(source)}` names no field of an associated object", f"write `{words[0]}.name`, say"
    fix = near(word, words, f"write one of {', '.join(f'`{each}.{cut(name)}`' for each in words)}")
    return f"{object_type} have no association `{cut(word)}`", fix


def _targets(file: IntegrationFile) -> Iterator[Problem]:
    matched = {node: mapping for mapping in file.mappings for node in _match_nodes(mapping)}
    for road in roads(file):
        path, target = road.place(file, "to"), road.target
        if target in matched:
            message = f"{target} is what mapping `{matched[target].name}` matches by"
            yield file.positions.problem(path, message, "write to another field")
        elif _is_read_only(target):
            yield file.positions.problem(path, f"{target} is read-only", "write to another field")
        elif target.system == "hubspot" and DOT in target.field:
            message = f"`{cut(target.field)}` is a field of another object, and a rule writes the paired one only"
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
    """Reports each rule that closes a circle. Walks every rule once, because a file can have tens of thousands."""
    onward: dict[FieldNode, list[Road]] = {}
    for road in roads(file):
        onward.setdefault(road.source, []).append(road)
    done: set[FieldNode] = set()
    for start in onward:
        yield from (_circle(file, way, road) for way, road in _closing(onward, start, done))


def _closing(
    onward: Mapping[FieldNode, list[Road]], start: FieldNode, done: set[FieldNode]
) -> Iterator[tuple[list[FieldNode], Road]]:
    """Each rule below `start` that leads back to its own way, with the way from its target to its source."""
    if start in done:
        return
    way, places = [start], {start: 0}
    waiting = [iter(onward[start])]
    while way:
        road = next(waiting[-1], None)
        if road is None:
            waiting.pop()
            done.add(node := way.pop())
            del places[node]
        elif road.target in places:
            yield way[places[road.target] :][:_MOST_SHOWN], road
        elif road.target not in done:
            places[road.target] = len(way)
            way.append(road.target)
            waiting.append(iter(onward.get(road.target, ())))


def _circle(file: IntegrationFile, way: list[FieldNode], road: Road) -> Problem:
    through = [*way, *(["..."] if way[-1] != road.source else []), road.target]
    message = f"{road.target} would feed itself: {' -> '.join(map(str, through))}"
    return file.positions.problem(road.path, message, "remove one of these rules, or write to another field")


def _line(file: IntegrationFile, path: str) -> str:
    line = file.positions.at(path)[0]
    return f", the other is on line {line}" if line else ""
