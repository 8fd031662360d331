"""From a pair's known fields to the smallest patch for each side."""

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.core.conversion import TEXT_LIMIT_CHARACTERS, Converted, DoesNotFit, convert, equal, is_empty
from pipeline.core.mapping import OTHER, MappingView
from schemas.making import made_quickly
from schemas.records import FieldRule, StampedValue
from schemas.state import Candidate, PairState
from schemas.values import FieldDefinition, FieldValue, System


@made_quickly
@dataclass(frozen=True, slots=True)
class Paired:
    """The two live objects of a pair."""

    ids: Mapping[System, str]
    sides: Mapping[System, Candidate]


@dataclass(frozen=True, slots=True)
class RefusedField:
    """A value that no conversion fits, or a field that is contested: reported once."""

    system: System
    name: str
    value: FieldValue
    reason: str


@made_quickly
@dataclass(frozen=True, slots=True)
class Derivation:
    """The fields to write on each side, and the values refused for the first time."""

    patches: Mapping[System, Mapping[str, FieldValue]]
    refused: tuple[RefusedField, ...]


def derive(state: PairState, pair: Paired, view: MappingView) -> Derivation:
    """Find the fields whose converted value differs from the target's, except settled, refused and contested ones."""
    patches: dict[System, dict[str, FieldValue]] = {}
    refused: list[RefusedField] = []
    untroubled = not (state.contested or state.refused or state.settled)  # almost every pair
    for system in OTHER:
        sources, targets = pair.sides[OTHER[system]].fields, pair.sides[system].fields
        for rule, target in view.rules_for[system]:
            text = _own_text(rule, sources.get(rule.source))
            if text is not None:
                known = targets.get(rule.target)
                if known is not None and known.value == text:
                    continue
                if untroubled:
                    patches.setdefault(system, {})[rule.target] = text
                    continue
            match _wanted(pair, system, rule, target):
                case Converted(value):
                    if not _in_step(state, pair.sides[system], system, rule, value):
                        patches.setdefault(system, {})[rule.target] = value
                case RefusedField() as refusal:
                    if not _refused_before(state, f"{system}.{rule.target}", refusal.value):
                        refused.append(refusal)
    return Derivation(patches, tuple(refused))


def _own_text(rule: FieldRule, source: StampedValue | None) -> str | None:
    """The source's text where the target takes it as it is: most rules are judged by it at a glance."""
    if source is None or rule.source_type != "string" or rule.target_type != "string":
        return None
    value = source.value
    return value if type(value) is str and 0 < len(value) <= TEXT_LIMIT_CHARACTERS else None


def desired_values(pair: Paired, view: MappingView) -> Mapping[str, FieldValue]:
    """The value each rule wants: `<system>.<field>` -> converted value, or the source's where no conversion fits."""
    wanted = {}
    for system in OTHER:
        for rule, target in view.rules_for[system]:
            result = _wanted(pair, system, rule, target)
            if result is not None:
                wanted[f"{system}.{rule.target}"] = result.value
    return wanted


def misfit(pair: Paired, view: MappingView, system: System, name: str) -> RefusedField | None:
    """Why what the owner of a target field holds fits it no better by now; None where it fits, or no rule writes it."""
    wanted = (_wanted(pair, system, rule, target) for rule, target in view.rules_for[system] if rule.target == name)
    return next((one for one in wanted if isinstance(one, RefusedField)), None)


def _wanted(pair: Paired, system: System, rule: FieldRule, target: FieldDefinition) -> Converted | RefusedField | None:
    """The value the rule wants in the target; None where the source is not known, or empty and to be kept."""
    source = pair.sides[OTHER[system]].fields.get(rule.source)
    if source is None or (rule.on_empty == "keep" and is_empty(source.value)):
        return None
    result = convert(source.value, rule.source_type, target)
    if isinstance(result, DoesNotFit):
        return RefusedField(system, rule.target, source.value, result.reason)
    return result


def _in_step(state: PairState, side: Candidate, system: System, rule: FieldRule, value: FieldValue) -> bool:
    name = f"{system}.{rule.target}"
    if name in state.contested or _refused_before(state, name, value):
        return True
    known = side.fields.get(rule.target)
    if known is None:
        return False
    if equal(known.value, value, rule.target_type):
        return True
    settled = state.settled.get(name)
    return (
        settled is not None
        and equal(settled.sent, value, rule.target_type)
        and equal(settled.stored, known.value, rule.target_type)
    )


def _refused_before(state: PairState, name: str, value: FieldValue) -> bool:
    refused = state.refused.get(name)
    return refused is not None and equal(refused.value, value)
