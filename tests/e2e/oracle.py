"""An independent judge of two stores: which objects are pairs, and what every mapped field should hold.

It reads the integration file and what the simulators hold, and shares no decision with the pipeline: matching,
normalising and converting are written here once more, smaller, for the kinds of values that tests use.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Literal

import yaml

Side = Literal["hubspot", "userflow"]
Value = str | bool | Decimal | dt.date | dt.datetime | tuple[str, ...] | None

ALIASES: Final = {"accounts": "companies"}
WORDS: Final = {"contacts": "contact", "companies": "company", "deals": "deal", "users": "user"}
MODIFIED: Final = {"contacts": "lastmodifieddate"}
MOST_ON_A_SIDE: Final = 25
REFUSED: Final = "refused"
MARKER: Final = "marker"


@dataclass(frozen=True)
class Kinds:
    """The kind of each field that is no text, by object type; the options of an enumeration that we write."""

    hubspot: Mapping[str, Mapping[str, str]]
    userflow: Mapping[str, Mapping[str, str]]
    options: Mapping[tuple[str, str], Sequence[str]] = field(default_factory=dict)

    def of(self, side: Side, object_type: str, name: str) -> str:
        types = self.hubspot if side == "hubspot" else self.userflow
        return types.get(object_type, {}).get(name, "string")


@dataclass(frozen=True)
class Row:
    """One object as its vendor stores it; `company` is the id of the company it shows fields of."""

    object_id: str
    fields: Mapping[str, Any]
    live: bool = True
    modified: str = ""
    company: str | None = None


Rows = Mapping[str, Row]


@dataclass(frozen=True)
class Stores:
    """Everything that both vendors hold, by object type."""

    hubspot: Mapping[str, Rows]
    userflow: Mapping[str, Rows]

    def rows(self, side: Side, object_type: str) -> Rows:
        return (self.hubspot if side == "hubspot" else self.userflow)[object_type]


@dataclass(frozen=True)
class Rule:
    """One field's road."""

    to: Side
    source: str
    target: str
    keeps: bool


@dataclass(frozen=True)
class Mapped:
    """One mapping of the file."""

    name: str
    hubspot: str
    userflow: str
    match_hubspot: str
    match_userflow: str
    newest: bool
    streams: bool
    rules: tuple[Rule, ...]

    def type_on(self, side: Side) -> str:
        return self.hubspot if side == "hubspot" else self.userflow


@dataclass(frozen=True)
class Letter:
    """A dead letter: the pair's key, the target field `<system>.<name>`, the reason."""

    key: str
    field: str
    reason: str


@dataclass(frozen=True)
class Tracked:
    """An event that people made, told from all others by its marker."""

    marker: str
    user_id: str
    company_id: str | None


@dataclass(frozen=True)
class Shown:
    """An event on a timeline: the HubSpot type's word, the record, and the marker among its attributes."""

    word: str
    object_id: str
    marker: str


@dataclass(frozen=True)
class Pairing:
    """The pairs of one mapping by match value, and the match values that several objects share."""

    pairs: Mapping[str, tuple[Row, Row]]
    ambiguous: frozenset[str]


def mappings_of(text: str) -> tuple[Mapped, ...]:
    """The mappings of an integration file."""
    return tuple(_mapped(spec) for spec in yaml.safe_load(text)["mappings"])


def _mapped(spec: Mapping[str, Any]) -> Mapped:
    hubspot, userflow = ALIASES.get(spec["hubspot"], spec["hubspot"]), spec["userflow"]
    return Mapped(
        spec["name"],
        hubspot,
        userflow,
        spec["match"]["hubspot"],
        spec["match"]["userflow"],
        spec.get("on_several") == "newest",
        bool(spec.get("stream_events")),
        (
            *(_rule("userflow", hubspot, rule) for rule in spec.get("to_userflow", ())),
            *(_rule("hubspot", userflow, rule) for rule in spec.get("to_hubspot", ())),
        ),
    )


def _rule(to: Side, source_type: str, rule: Any) -> Rule:
    given = rule if isinstance(rule, dict) else {"from": rule}
    source = given["from"]
    owner, _, name = source.rpartition(".")
    word = owner or WORDS.get(source_type) or source_type.split("_", 1)[-1]
    default = f"{'hubspot' if to == 'userflow' else 'userflow'}_{word}_{name}"
    return Rule(to, source, given.get("to", default), given.get("on_empty") == "keep")


class Oracle:
    """What an integration file asks of two stores."""

    def __init__(self, text: str, kinds: Kinds) -> None:
        self.mappings = mappings_of(text)
        self._kinds = kinds

    def out_of_step(self, stores: Stores, letters: Iterable[Letter]) -> list[str]:
        """I1, I2 and I7: every target that holds another value than its owner's, and every refusal without a letter."""
        told = {(letter.key, letter.field, letter.reason) for letter in letters}
        return [
            problem
            for mapping in self.mappings
            for value, pair in self.pairing(mapping, stores).pairs.items()
            for rule in mapping.rules
            for problem in self._judged(mapping, value, pair, rule, stores, told)
        ]

    def timelines(
        self, stores: Stores, tracked: Sequence[Tracked], shown: Iterable[Shown], moved: Set[tuple[Side, str, str]]
    ) -> list[str]:
        """I10: no event twice on the timelines of a type, and each once whose pair was one all the time.

        `moved` are the objects that may have changed their pair: what became of their events is not judged.
        """
        found: dict[tuple[str, str], list[str]] = defaultdict(list)
        for one in shown:
            found[one.word, one.marker].append(one.object_id)
        problems = [
            f"event {marker} is {len(ids)} times on {word}s" for (word, marker), ids in found.items() if ids[1:]
        ]
        for mapping in (mapping for mapping in self.mappings if mapping.streams):
            partners = {theirs.object_id: ours for ours, theirs in self.pairing(mapping, stores).pairs.values()}
            for event in tracked:
                actor = event.user_id if mapping.userflow == "users" else event.company_id or ""
                ours = partners.get(actor)
                ends = {
                    ("userflow", mapping.userflow, actor),
                    ("hubspot", mapping.hubspot, ours.object_id if ours else ""),
                }
                if ours is None or ends & moved:
                    continue
                there = found[self.word(mapping), event.marker]
                if not there or (there != [ours.object_id] and not mapping.newest):
                    problems.append(f"{mapping.name}: event {event.marker} is on {there}, not on {ours.object_id}")
        return problems

    @staticmethod
    def word(mapping: Mapped) -> str:
        return WORDS.get(mapping.hubspot) or mapping.hubspot.split("_", 1)[-1]

    def pairing(self, mapping: Mapped, stores: Stores) -> Pairing:
        """Which objects share a match value, one on each side."""
        hubspot = self._by_value(mapping, "hubspot", stores)
        userflow = self._by_value(mapping, "userflow", stores)
        pairs: dict[str, tuple[Row, Row]] = {}
        ambiguous = set()
        for value in hubspot.keys() & userflow.keys():
            ours, theirs = hubspot[value], userflow[value]
            if len(theirs) > 1 or (len(ours) > 1 and not mapping.newest) or len(ours) > MOST_ON_A_SIDE:
                ambiguous.add(value)
            else:
                pairs[value] = (max(ours, key=lambda row: (row.modified, int(row.object_id))), theirs[0])
        return Pairing(pairs, frozenset(ambiguous))

    def targets(self, side: Side, object_type: str) -> frozenset[str]:
        """The fields of a type that mappings write."""
        return frozenset(
            rule.target
            for mapping in self.mappings
            if mapping.type_on(side) == object_type
            for rule in mapping.rules
            if rule.to == side
        )

    def match_values(self, mapping: Mapped, side: Side, row: Row) -> str | None:
        """The normalised value by which a row is matched."""
        name = mapping.match_hubspot if side == "hubspot" else mapping.match_userflow
        if name in ("id", "hs_object_id"):
            return row.object_id
        held = read(row.fields.get(name), self._kinds.of(side, mapping.type_on(side), name))
        text = None if held is None else in_text(held)
        return text.strip().lower() or None if text and mapping.match_userflow == "email" else text

    def _by_value(self, mapping: Mapped, side: Side, stores: Stores) -> Mapping[str, list[Row]]:
        found: dict[str, list[Row]] = defaultdict(list)
        for row in stores.rows(side, mapping.type_on(side)).values():
            value = self.match_values(mapping, side, row) if row.live else None
            if value is not None:
                found[value].append(row)
        return found

    def _judged(
        self,
        mapping: Mapped,
        value: str,
        pair: tuple[Row, Row],
        rule: Rule,
        stores: Stores,
        told: set[tuple[str, str, str]],
    ) -> Iterator[str]:
        source, target = pair if rule.to == "userflow" else pair[::-1]
        wanted = self._wanted(mapping, rule, source, stores)
        kind = self._target_kind(mapping, rule)
        place = f"{mapping.name} {value}: {rule.to} {mapping.type_on(rule.to)} {target.object_id} {rule.target}"
        if wanted == REFUSED:
            key = f"acme:1:{mapping.name}:{value}"
            if (key, f"{rule.to}.{rule.target}", "not_an_option") not in told:
                yield f"{place}: refused without a dead letter"
        elif not (rule.keeps and wanted is None) and read(target.fields.get(rule.target), kind) != wanted:
            yield f"{place} holds {target.fields.get(rule.target)!r}, not {wanted!r}"

    def _wanted(self, mapping: Mapped, rule: Rule, source: Row, stores: Stores) -> Value:
        """The source's value as the target should hold it, or REFUSED."""
        side: Side = "hubspot" if rule.to == "userflow" else "userflow"
        object_type, name = mapping.type_on(side), rule.source
        if name.startswith("company."):
            object_type, name = "companies", name.removeprefix("company.")
            company = stores.hubspot["companies"].get(source.company or "")
            held = company.fields.get(name) if company is not None else None
        else:
            held = source.fields.get(name)
        value = read(held, self._kinds.of(side, object_type, name))
        options = self._kinds.options.get((mapping.hubspot, rule.target)) if rule.to == "hubspot" else None
        if options is not None:
            return value if value is None or value in options else REFUSED
        return converted(value, self._target_kind(mapping, rule))

    def _target_kind(self, mapping: Mapped, rule: Rule) -> str:
        """What the file's author made the target; else what follows from the source."""
        given = self._kinds.of(rule.to, mapping.type_on(rule.to), rule.target)
        if given != "string" or (mapping.hubspot, rule.target) in self._kinds.options:
            return given
        side: Side = "hubspot" if rule.to == "userflow" else "userflow"
        companies = rule.source.startswith("company.")
        object_type = "companies" if companies else mapping.type_on(side)
        source = self._kinds.of(side, object_type, rule.source.removeprefix("company."))
        made = {"date": "datetime", "options": "list"} if rule.to == "userflow" else {"list": "string"}
        return made.get(source, source)


def read(held: Any, kind: str) -> Value:
    """What a vendor stores, as a value that compares; empty is None."""
    if held is None or held == "" or held == []:
        return None
    match kind:
        case "number":
            return Decimal(str(held)).normalize()
        case "boolean":
            return held if isinstance(held, bool) else held == "true"
        case "date":
            return dt.date.fromisoformat(held)
        case "datetime":
            return dt.datetime.fromisoformat(held)
        case "options":
            return tuple(held.split(";"))
        case "list":
            return tuple(held)
    return str(held)


def converted(value: Value, kind: str) -> Value:
    """The value in the target's kind."""
    if value is None:
        return None
    if kind == "string":
        return in_text(value)
    if kind == "datetime" and isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return dt.datetime.combine(value, dt.time(0), dt.UTC)
    if kind == "date" and isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).date()
    return value


def in_text(value: Value) -> str:
    """The one spelling that a value has in a text field."""
    match value:
        case bool():
            return "true" if value else "false"
        case Decimal():
            return f"{value:f}"
        case dt.datetime():
            return value.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case tuple():
            return "; ".join(value)
    return str(value)
