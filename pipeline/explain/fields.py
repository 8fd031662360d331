"""How each target field of a pair stands, judged as the agent judges it. Pure."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from pipeline.core.causes import last_write
from pipeline.core.conversion import is_empty
from pipeline.core.derive import Paired, derive
from pipeline.core.mapping import OTHER, MappingView
from pipeline.explain.answer import FieldStanding, FieldWord
from schemas.letters import letter_id
from schemas.records import Cause, FieldRule
from schemas.state import PairState, Written
from schemas.values import System

Took = Callable[[Cause, System], int | None]
"""How long a write took from its first cause to its answer, where the answer is retained."""


@dataclass(frozen=True, slots=True)
class PairFacts:
    """One pair that is paired, and what else decides how its fields stand."""

    key: str
    state: PairState
    pair: Paired
    view: MappingView
    asking: tuple[System, ...] = ()  # systems that have not told who else holds the match value
    away: frozenset[System] = frozenset()  # systems that are not written to now
    refused_ms: Mapping[str, int] | None = None  # `<system>.<field>` -> when it was refused, as far as retained


def standings(facts: PairFacts, took: Took) -> Iterator[FieldStanding]:
    """The fields of both sides, Userflow's first."""
    patches = derive(facts.state, facts.pair, facts.view).patches
    for system in sorted(OTHER, reverse=True):
        for rule, _ in facts.view.rules_for[system]:
            yield _standing(facts, system, rule, rule.target in patches.get(system, {}), took)


def _standing(facts: PairFacts, system: System, rule: FieldRule, differs: bool, took: Took) -> FieldStanding:
    name, candidate = f"{system}.{rule.target}", facts.pair.sides[system]
    known = candidate.fields.get(rule.target)
    source = facts.pair.sides[OTHER[system]].fields.get(rule.source)
    refused = facts.state.refused.get(name)
    write = last_write(candidate, rule.target)
    word = _word(facts, system, rule, differs)
    refused_now = word == "refused" and refused is not None
    return FieldStanding(
        system=system,
        target=rule.target,
        source=rule.source,
        word=word,
        since_ms=_since(facts, name, word, None if known is None else known.at_ms),
        write=write,
        took_ms=_took(write, system, took),
        reason=refused.reason if refused_now and refused is not None else None,
        letter=_letter(facts, name, word),
        rewrites_ms=tuple(map(abs, facts.state.rewrites.get(name, ()))),
        value=None if known is None else known.value,
        wanted=None if source is None else source.value,
    )


def _word(facts: PairFacts, system: System, rule: FieldRule, differs: bool) -> FieldWord:
    name, state = f"{system}.{rule.target}", facts.state
    source = facts.pair.sides[OTHER[system]].fields.get(rule.source)
    if differs:
        if state.parked or system in facts.away:
            return "parked"
        return "waiting" if facts.asking else "on_its_way"
    if name in state.contested:
        return "contested"
    if name in state.refused:
        return "refused"
    if source is None:
        return "source_unknown"
    if rule.on_empty == "keep" and is_empty(source.value):
        return "kept_empty"
    if name in state.settled:
        return "settled"
    return "written" if last_write(facts.pair.sides[system], rule.target) is not None else "equal"


def _since(facts: PairFacts, name: str, word: FieldWord, known_ms: int | None) -> int | None:
    if word in ("refused", "contested"):
        return (facts.refused_ms or {}).get(name)
    return known_ms


def _took(write: Written | None, system: System, took: Took) -> int | None:
    return None if write is None or write.caused_by is None else took(write.caused_by, system)


def _letter(facts: PairFacts, name: str, word: FieldWord) -> str | None:
    """The id of the dead letter that tells of it: a hash of the very facts that the row remembers."""
    if word == "contested":
        return letter_id(facts.key, name, None, "contested")
    refused = facts.state.refused.get(name)
    return None if refused is None else letter_id(facts.key, name, refused.value, refused.reason)
