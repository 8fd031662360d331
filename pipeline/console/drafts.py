"""A mapping that somebody edits: what its form says, what a button changes, and what is wrong with it. Pure."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from pipeline.console.form import Form, whole_number
from pipeline.integration_file.loader import load
from pipeline.integration_file.model import IntegrationFile, MappingSpec, Rule
from pipeline.integration_file.names import default_target
from pipeline.integration_file.problems import Problem
from pipeline.integration_file.written import yaml_of
from pipeline.integration_file.yaml_tree import parse
from schemas.values import System

Way = Literal["to_userflow", "to_hubspot"]
WAYS: Final[tuple[Way, Way]] = ("to_userflow", "to_hubspot")
TARGET: Final[Mapping[Way, System]] = {"to_userflow": "userflow", "to_hubspot": "hubspot"}
Events = Literal["off", "all", "some"]
MOST_RULES: Final = 500
"""Of a mapping that is edited here: its page holds each of them. A file may hold more."""
_BY_RULE: Final = re.compile(r"(to_userflow|to_hubspot)\[(\d+)\]")
_ACT: Final = re.compile(r"(add|remove|mend):(to_userflow|to_hubspot):(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class RuleDraft:
    """One field's road; an empty target is the default one."""

    source: str
    target: str = ""
    on_empty: str = "clear"


@dataclass(frozen=True, slots=True)
class Draft:
    """A mapping as its form has it, right or wrong."""

    name: str
    hubspot: str = "contacts"
    userflow: str = "users"
    match_hubspot: str = "email"
    match_userflow: str = "email"
    on_several: str = "refuse"
    to_userflow: tuple[RuleDraft, ...] = ()
    to_hubspot: tuple[RuleDraft, ...] = ()
    events: Events = "off"
    event_names: tuple[str, ...] = ()

    def rules(self, way: Way) -> tuple[RuleDraft, ...]:
        return self.to_userflow if way == "to_userflow" else self.to_hubspot

    def with_rules(self, way: Way, rules: Sequence[RuleDraft]) -> "Draft":
        return (
            replace(self, to_userflow=tuple(rules)) if way == "to_userflow" else replace(self, to_hubspot=tuple(rules))
        )

    @property
    def size(self) -> int:
        return len(self.to_userflow) + len(self.to_hubspot)

    def source_type(self, way: Way) -> str:
        """The object type that fields are read from."""
        return self.hubspot if way == "to_userflow" else self.userflow

    def default_target(self, way: Way, source: str) -> str:
        """The target where a rule names none; for a custom type as far as its name is known."""
        return default_target(TARGET[way], self.source_type(way), source)


def draft_of(spec: MappingSpec) -> Draft:
    """The draft of a mapping that a file has."""

    def drafted(rules: Iterable[Rule]) -> tuple[RuleDraft, ...]:
        return tuple(RuleDraft(one.source, one.target if one.explicit_target else "", one.on_empty) for one in rules)

    events = spec.stream_events
    return Draft(
        spec.name,
        spec.hubspot_type,
        spec.userflow_type,
        spec.match_hubspot,
        spec.match_userflow,
        spec.on_several,
        drafted(spec.to_userflow),
        drafted(spec.to_hubspot),
        "some" if isinstance(events, tuple) else "all" if events else "off",
        events if isinstance(events, tuple) else (),
    )


def draft_in(form: Form, name: str) -> Draft:
    """The draft that a form holds; a rule is a source, a target and a word, each in its place."""
    events = form.one("events")
    plain = Draft(
        name,
        form.one("hubspot"),
        form.one("userflow"),
        form.one("match_hubspot").strip(),
        form.one("match_userflow"),
        form.one("on_several"),
        events="all" if events == "all" else "some" if events == "some" else "off",
        event_names=tuple(dict.fromkeys(form.several("event"))),
    )
    for way in WAYS:
        sources, targets, words = (form.several(f"{way}.{key}") for key in ("source", "target", "on_empty"))
        rows = zip(sources, targets, words, strict=False)
        rules = (RuleDraft(source, target.strip(), word) for source, target, word in rows)
        plain = plain.with_rules(way, [_plain(plain, way, rule) for rule in rules])
    return plain


def _plain(draft: Draft, way: Way, rule: RuleDraft) -> RuleDraft:
    """The same; a target that is the default one is none of its own."""
    return replace(rule, target="") if rule.target == draft.default_target(way, rule.source) else rule


def form_of(draft: Draft) -> Iterator[tuple[str, str]]:
    """The fields of the form that holds a draft."""
    yield from (
        (name, str(getattr(draft, name)))
        for name in ("hubspot", "userflow", "match_hubspot", "match_userflow", "on_several", "events")
    )
    yield from (("event", name) for name in draft.event_names)
    for way in WAYS:
        for rule in draft.rules(way):
            yield from ((f"{way}.{key}", getattr(rule, key)) for key in ("source", "target", "on_empty"))


def acted(draft: Draft, act: str) -> Draft:
    """The draft after a button: `add:to_userflow:jobtitle`, `remove:to_hubspot:0`, `mend:to_hubspot:0`.

    An added rule that was removed before comes back as it was: `add:to_hubspot:["plan", "tier", "keep"]`.
    """
    found = _ACT.fullmatch(act)
    if found is None:
        return draft
    what, way, text = found[1], WAYS[found[2] == "to_hubspot"], found[3]
    rules = list(draft.rules(way))
    if what == "add":
        rules.append(_added(text))
    elif (at := whole_number(text)) is not None and at < len(rules):
        rules[at : at + 1] = [] if what == "remove" else [replace(rules[at], target="")]
    return draft.with_rules(way, rules)


def _added(text: str) -> RuleDraft:
    if not text.startswith("["):
        return RuleDraft(text)
    try:
        source, target, word = map(str, json.loads(text))
    except (ValueError, RecursionError):
        return RuleDraft(text)
    return RuleDraft(source, target, word)


def put_back(rule: RuleDraft) -> str:
    """What a button adds that puts a removed rule back."""
    return json.dumps([rule.source, rule.target, rule.on_empty])


def removed(draft: Draft, before: Draft | None, way: Way) -> list[RuleDraft]:
    """Rules that are in force and not in the draft."""
    kept = {(rule.source, rule.target) for rule in draft.rules(way)}
    return [rule for rule in before.rules(way) if (rule.source, rule.target) not in kept] if before is not None else []


def changes(draft: Draft, before: Draft | None) -> int:
    """How many of its parts differ from what is in force."""
    there = before or Draft(draft.name, draft.hubspot, draft.userflow)
    parts = ("match_hubspot", "match_userflow", "on_several", "events", "event_names")
    number = sum(1 for part in parts if getattr(draft, part) != getattr(there, part))
    for way in WAYS:
        now, then = ({(rule.source, rule.target): rule for rule in one.rules(way)} for one in (draft, there))
        number += sum(1 for key in now.keys() | then.keys() if now.get(key) != then.get(key))
    return number


def digest(draft: Draft | None) -> str:
    """Tells one state of a mapping from another; empty for one that is not there."""
    told = json.dumps([list(form_of(draft)), draft.name]) if draft is not None else ""
    return hashlib.sha256(told.encode()).hexdigest()[:16] if told else ""


@dataclass(frozen=True, slots=True)
class Misfit:
    """What is wrong, and where: a rule of a way, a control of the form, or the mapping as a whole."""

    message: str
    fix: str
    way: Way | None = None
    number: int = -1
    control: str = ""


def document_with(document: str, draft: Draft, former: str = "") -> tuple[str, int]:
    """The integration file with the draft in the place of the mapping of that name, or as its last; and its index."""
    data: dict[str, Any] = parse(document, "").data  # Any: YAML's own values
    mappings: list[Any] = list(data.get("mappings") or [])
    index = next((at for at, one in enumerate(mappings) if one.get("name") == (former or draft.name)), len(mappings))
    mappings[index : index + 1] = [_keys(draft)]
    return yaml_of({**data, "mappings": mappings}), index


def read(document: str, draft: Draft) -> tuple[IntegrationFile | None, list[Misfit]]:
    """The integration file that the draft makes, as far as a file alone tells; or what is wrong."""
    text, index = document_with(document, draft)
    file = load(text, "", {}, all_set=False)
    if isinstance(file, IntegrationFile):
        return file, []
    return None, misfits(file, index)


def misfits(problems: Iterable[Problem], index: int) -> list[Misfit]:
    """Problems of a file, at the places of the form of its mapping of that index."""
    return [_misfit(one, f"mappings[{index}]") for one in problems]


def _misfit(problem: Problem, mapping: str) -> Misfit:
    message = problem.message if problem.path.startswith(mapping) else f"{problem.path}: {problem.message}"
    inner = problem.path.removeprefix(mapping).lstrip(".") if problem.path.startswith(mapping) else ""
    rule = _BY_RULE.match(inner)
    if rule is not None:
        return Misfit(message, problem.fix, WAYS[rule[1] == "to_hubspot"], int(rule[2]))
    return Misfit(message, problem.fix, control=re.sub(r"\W.*", "", inner.replace(".", "_")))


def _keys(draft: Draft) -> dict[str, Any]:
    events: bool | list[str] = draft.events == "all"
    if draft.events == "some":
        events = [_text(name) for name in draft.event_names]
    return {
        "name": _text(draft.name),
        "hubspot": _text(draft.hubspot),
        "userflow": _text(draft.userflow),
        "match": {"hubspot": _text(draft.match_hubspot), "userflow": _text(draft.match_userflow)},
        "on_several": _text(draft.on_several),
        **{way: [_rule(rule) for rule in rules] for way in WAYS if (rules := draft.rules(way))},
        "stream_events": events,
    }


def _rule(rule: RuleDraft) -> dict[str, str]:
    target = {"to": _text(rule.target)} if rule.target else {}
    return {"from": _text(rule.source), **target, "on_empty": _text(rule.on_empty)}


def _text(text: str) -> str:
    """As a file spells it, where `${` begins a variable."""
    return text.replace("${", "$${")
