"""The text of an integration file -> its model, or everything that is wrong with it."""

import re
from collections.abc import Iterable, Mapping
from typing import Final, TypeVar, get_args

from pipeline.integration_file.checks import check
from pipeline.integration_file.model import (
    ChangeSource,
    HubSpotSection,
    IntegrationFile,
    MappingSpec,
    OAuth,
    OnEmpty,
    OnSeveral,
    Region,
    Rule,
    Secret,
    Timeline,
    UserflowSection,
)
from pipeline.integration_file.names import ALIASES, default_target
from pipeline.integration_file.problems import Positions, Problem, in_order, near
from pipeline.integration_file.yaml_tree import Items, Node, Scalar, Table, parse
from schemas.values import System

_Choice = TypeVar("_Choice", bound=str)
_DIGITS: Final = re.compile(r"[1-9][0-9]{0,18}")


def load(text: str, file_name: str, environment: Mapping[str, str]) -> IntegrationFile | tuple[Problem, ...]:
    """The model, or all problems in the order of the file.

    What cannot be read is reported and stands as an empty value in a model that is checked all the same, so that
    one wrong key does not hide the next mistake.
    """
    root, problems = parse(text, file_name, environment)
    if root is None:
        return problems
    reading = _Reading(file_name, problems)
    file = _integration(reading, root)
    found = in_order([*reading.problems, *check(file)])
    return found or file


class _Reading:
    """Takes typed values out of the tree; remembers where each path stands and what was wrong."""

    def __init__(self, file_name: str, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        self._places: dict[str, tuple[int, int]] = {}
        self.positions = Positions(file_name, self._places)

    def refuse(self, path: str, message: str, fix: str) -> None:
        self.problems.append(self.positions.problem(path, message, fix))

    def at(self, path: str, node: Node) -> None:
        self._places[path] = (node.line, node.column)

    def table(
        self, node: Node | None, path: str, required: tuple[str, ...], optional: tuple[str, ...] = ()
    ) -> Mapping[str, Node]:
        """The known keys that have a value; a key without one counts as left out."""
        if not isinstance(node, Table):
            self._refuse_kind(node, path, f"keys: {', '.join(required)}")
            return {}
        self._places |= {_below(path, key): place for key, place in node.key_places.items()}
        known = (*required, *optional)
        for key in node.entries:
            if key not in known:
                fix = near(key, known, f"remove it; known keys: {', '.join(known)}")
                self.refuse(_below(path, key), f"unknown key `{key}`", fix)
        present = {key: entry for key, entry in node.entries.items() if key in known and not _is_null(entry)}
        for key in required:
            if key not in present:
                self.refuse(_below(path, key), f"the key `{key}` is needed", f"add `{key}:`")
        return present

    def items(self, node: Node | None, path: str) -> tuple[Node, ...]:
        """The items of a list; none where the key is left out."""
        if not isinstance(node, Items):
            self._refuse_kind(node, path, "a list")
            return ()
        for index, item in enumerate(node.items):
            self.at(f"{path}[{index}]", item)
        return node.items

    def text(self, node: Node | None, path: str) -> str:
        """The text; empty where there is none."""
        if isinstance(node, Scalar) and node.kind != "null":
            if not node.text and node.kind != "missing":
                self.refuse(path, "the text is empty", "write a value")
            return node.text
        self._refuse_kind(node, path, "text")
        return ""

    def secret(self, node: Node | None, path: str) -> Secret | None:
        return None if node is None else Secret(self.text(node, path))

    def number(self, node: Node | None, path: str) -> int:
        """A positive whole number, also written as text; 0 where there is none, -1 where it is no number."""
        text = self.text(node, path)
        if text and not _DIGITS.fullmatch(text):
            self.refuse(path, f"expected a whole number, got `{_written(node)}`", "write the digits only")
            return -1
        return int(text or 0)

    def choice(self, node: Node | None, path: str, allowed: tuple[_Choice, ...], default: _Choice) -> _Choice:
        text = self.text(node, path)
        if text and text not in allowed:
            fix = near(text, allowed, f"write {' or '.join(allowed)}")
            self.refuse(path, f"expected {' or '.join(allowed)}, got `{_written(node)}`", fix)
        return next((option for option in allowed if option == text), default)

    def _refuse_kind(self, node: Node | None, path: str, expected: str) -> None:
        """A value of the wrong kind; a key that is left out or unfilled is reported elsewhere, if it is needed."""
        if node is None or (isinstance(node, Scalar) and node.kind == "missing"):
            return
        found = {Items: "a list", Table: "keys"}.get(type(node), "nothing" if _is_null(node) else "text")
        self.refuse(path, f"expected {expected}, got {found}", "see the examples in pipeline/integration_file/examples")


def _integration(reading: _Reading, root: Node) -> IntegrationFile:
    reading.at("", root)
    keys = reading.table(root, "", ("integration", "hubspot", "userflow", "mappings"))
    return IntegrationFile(
        integration=reading.text(keys.get("integration"), "integration"),
        hubspot=_hubspot(reading, keys.get("hubspot")),
        userflow=_userflow(reading, keys.get("userflow")),
        mappings=_mappings(reading, keys.get("mappings")),
        positions=reading.positions,
    )


def _hubspot(reading: _Reading, node: Node | None) -> HubSpotSection:
    optional = ("app_id", "app_secret", "oauth", "token", "source", "timeline")
    keys = reading.table(node, "hubspot", ("account",), optional)
    source: ChangeSource = "webhooks"
    timeline: Timeline = "custom_events" if "token" in keys and "oauth" not in keys else "app_events"
    return HubSpotSection(
        account=reading.number(keys.get("account"), "hubspot.account"),
        app_id=reading.number(keys.get("app_id"), "hubspot.app_id") or None,
        app_secret=reading.secret(keys.get("app_secret"), "hubspot.app_secret"),
        oauth=_oauth(reading, keys["oauth"]) if "oauth" in keys else None,
        token=reading.secret(keys.get("token"), "hubspot.token"),
        source=reading.choice(keys.get("source"), "hubspot.source", get_args(ChangeSource), source),
        timeline=reading.choice(keys.get("timeline"), "hubspot.timeline", get_args(Timeline), timeline),
    )


def _oauth(reading: _Reading, node: Node) -> OAuth:
    path = "hubspot.oauth"
    keys = reading.table(node, path, ("client_id", "client_secret"), ("refresh_token",))
    return OAuth(
        client_id=reading.text(keys.get("client_id"), f"{path}.client_id"),
        client_secret=reading.secret(keys.get("client_secret"), f"{path}.client_secret") or Secret(""),
        refresh_token=reading.secret(keys.get("refresh_token"), f"{path}.refresh_token"),
    )


def _userflow(reading: _Reading, node: Node | None) -> UserflowSection:
    keys = reading.table(node, "userflow", ("environment", "api_key"), ("region",))
    region: Region = "us"
    return UserflowSection(
        environment=reading.text(keys.get("environment"), "userflow.environment"),
        region=reading.choice(keys.get("region"), "userflow.region", get_args(Region), region),
        api_key=reading.secret(keys.get("api_key"), "userflow.api_key") or Secret(""),
    )


def _mappings(reading: _Reading, node: Node | None) -> tuple[MappingSpec, ...]:
    items = reading.items(node, "mappings")
    if not isinstance(node, Items):
        return (MappingSpec("", "", "", "", ""),)
    return tuple(_mapping(reading, item, f"mappings[{index}]") for index, item in enumerate(items))


def _mapping(reading: _Reading, node: Node, path: str) -> MappingSpec:
    optional = ("on_several", "to_userflow", "to_hubspot", "stream_events")
    keys = reading.table(node, path, ("name", "hubspot", "userflow", "match"), optional)
    match = reading.table(keys.get("match"), f"{path}.match", ("hubspot", "userflow"))
    hubspot_type = reading.text(keys.get("hubspot"), f"{path}.hubspot")
    hubspot_type = ALIASES.get(hubspot_type, hubspot_type)
    userflow_type = reading.text(keys.get("userflow"), f"{path}.userflow")
    on_several: OnSeveral = "refuse"
    return MappingSpec(
        name=reading.text(keys.get("name"), f"{path}.name"),
        hubspot_type=hubspot_type,
        userflow_type=userflow_type,
        match_hubspot=reading.text(match.get("hubspot"), f"{path}.match.hubspot"),
        match_userflow=reading.text(match.get("userflow"), f"{path}.match.userflow"),
        on_several=reading.choice(keys.get("on_several"), f"{path}.on_several", get_args(OnSeveral), on_several),
        to_userflow=_rules(reading, keys.get("to_userflow"), f"{path}.to_userflow", "userflow", hubspot_type),
        to_hubspot=_rules(reading, keys.get("to_hubspot"), f"{path}.to_hubspot", "hubspot", userflow_type),
        stream_events=_stream_events(reading, keys.get("stream_events"), f"{path}.stream_events"),
    )


def _rules(reading: _Reading, node: Node | None, path: str, target: System, source_type: str) -> tuple[Rule, ...]:
    items = reading.items(node, path)
    if node is not None and not isinstance(node, Items):
        return (Rule("", ""),)
    return tuple(_rule(reading, item, f"{path}[{index}]", target, source_type) for index, item in enumerate(items))


def _rule(reading: _Reading, node: Node, path: str, target: System, source_type: str) -> Rule:
    """A field's name alone, or a table with `from`; a rule that cannot be read has an empty source."""
    if not isinstance(node, Table):
        source = reading.text(node, path)
        return Rule(source, default_target(target, source_type, source))
    keys = reading.table(node, path, ("from",), ("to", "on_empty"))
    source = reading.text(keys.get("from"), f"{path}.from")
    default = default_target(target, source_type, source)
    written = reading.text(keys.get("to"), f"{path}.to") or default
    clear: OnEmpty = "clear"
    on_empty = reading.choice(keys.get("on_empty"), f"{path}.on_empty", get_args(OnEmpty), clear)
    return Rule(source, written, on_empty, explicit_target=written != default)


def _stream_events(reading: _Reading, node: Node | None, path: str) -> bool | tuple[str, ...]:
    if isinstance(node, Items):
        names = [reading.text(item, f"{path}[{index}]") for index, item in enumerate(reading.items(node, path))]
        if not names:
            reading.refuse(path, "the list names no event", "write false, true, or the names of events")
        return tuple(dict.fromkeys(names))
    if isinstance(node, Scalar) and node.kind == "text":
        reading.refuse(path, f"expected true, false or a list, got `{node.written}`", "write true for every event")
    # unread counts as streaming, so that "no rules and no events" is not reported as well
    return node is not None and not (isinstance(node, Scalar) and node.text.lower() in ("false", "no", "off"))


def _written(node: Node | None) -> str:
    return node.written if isinstance(node, Scalar) else ""


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.kind == "null"


def _below(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
