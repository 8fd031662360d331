"""Work on every pair of a partition, in slices: derive them again, ask for their match values, compare them.

A slice and its counts are one transaction; a cursor record carries both on. So a crash between two slices neither
loses nor repeats one.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from pipeline.agents.configuration import IntegrationView
from pipeline.agents.key_order import KeyOrder
from pipeline.agents.pair_outputs import Context, effects, leads_nowhere, lookup
from pipeline.agents.run_parts import Reached, told
from pipeline.agents.state import Output, Overlay
from pipeline.agents.step import Effects, Incoming
from pipeline.core.candidates import side
from pipeline.core.comparing import STEPS, Comparison, compare, sample
from pipeline.core.lookups import asking_holders
from pipeline.core.mapping import OTHER, MappingView
from pipeline.core.pairing import PairStep, rederive, retry_refused
from pipeline.core.timeline import Hold, stream, timeline_of
from schemas.records import StateCommand
from schemas.runs import TOUCHED
from schemas.state import PairState
from schemas.topics import STATE_COMMANDS
from schemas.values import System

MOST_OUTPUTS: Final = 500
MOST_PAIRS: Final = 1_000  # a slice blocks the event loop, and every live change with it: some 14 us a pair
MOST_COMPARED: Final = 400  # some 25 us a pair
VALUES_A_REQUEST: Final = 100
MOST_SAMPLES: Final = 10


@dataclass(frozen=True, slots=True)
class Work:
    """A command for all pairs, on the state it is handled over."""

    incoming: Incoming
    command: StateCommand
    view: IntegrationView
    overlay: Overlay[PairState]
    now_ms: int
    event_hold_ms: int
    order: KeyOrder

    def pairs(self) -> Iterator[tuple[str, MappingView, str, PairState]]:
        """Key, mapping, match value and row of each pair that the command names, from behind its cursor on."""
        for key in self._keys():
            _, _, name, match_value = key.split(":", 3)
            state, mapping = self.overlay.get(key), self.view.mappings.get(name)
            if state is not None and mapping is not None:
                yield key, mapping, match_value, state

    def _keys(self) -> Iterator[str]:
        command, partition = self.command, self.incoming.partition
        if command.object_key is not None:
            yield command.object_key
            return
        prefix = f"{command.integration}:{command.connection}:" + (f"{command.mapping}:" if command.mapping else "")
        if command.run_id is None:  # nothing tells it from another of its kind
            yield from self.overlay.keys_after(command.cursor, prefix)
            return
        named = (prefix, command.run_id, command.step, command.attempt)
        yield from self.order.after(named, partition, command.cursor, lambda: self.overlay.keys_after(None, prefix))
        self.order.forget(named, partition)

    def context(self, mapping: MappingView, match_value: str, run_id: str | None) -> Context:
        return Context(self.incoming, mapping, match_value, run_id, True, self.command.caused_by, self.now_ms)

    def derived(self, step: PairStep, state: PairState, context: Context) -> tuple[Output, ...]:
        """What a derived pair leads to, with its events that waited."""
        timeline = timeline_of(context.mapping, context.match_value, step.ids)
        streamed = stream(step.state or state, None, timeline, Hold(self.now_ms, self.event_hold_ms))
        return effects(step, context, self.overlay, streamed).outputs


@dataclass(slots=True)
class Slice:
    """What a slice has made so far."""

    outputs: list[Output] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    samples: list[str] = field(default_factory=list)
    fields: int = 0  # that are to be written
    looked: int = 0
    done: str | None = None  # the last key that was handled
    asking: dict[tuple[System, str, bool], list[str]] = field(default_factory=lambda: defaultdict(list))

    def ask(self, system: System, context: Context, *, tell_missing: bool) -> None:
        """Ask for the pair's match value, a hundred in one request."""
        kind = (system, context.mapping.name, tell_missing)
        self.asking[kind].append(context.match_value)
        if len(self.asking[kind]) == VALUES_A_REQUEST:
            self.outputs.append(lookup(system, self.asking.pop(kind), context, tell_missing=tell_missing))

    def asked(self, work: Work) -> None:
        """Ask for what is left."""
        for (system, name, tell_missing), values in self.asking.items():
            context = work.context(work.view.mappings[name], "", work.command.run_id)
            self.outputs.append(lookup(system, values, context, tell_missing=tell_missing))
        self.asking.clear()

    def full(self, most_pairs: int) -> bool:
        return len(self.outputs) >= MOST_OUTPUTS or self.looked >= most_pairs


def derive_again(work: Work) -> Effects:
    """The patches of every pair once more, or of the one that is named: after a pause, an outage or a redrive."""
    command, made, whole = work.command, Slice(), work.view.whole
    tried = frozenset(command.fields) or None
    for key, mapping, match_value, state in work.pairs():
        if made.full(MOST_PAIRS):
            made.outputs.append(_go_on(work, made))
            break
        made.done, made.looked = key, made.looked + 1
        step = rederive(retry_refused(state, tried) if command.retry_refused else state, mapping, whole)
        _take(made, work, step, state, work.context(mapping, match_value, command.run_id))
    made.asked(work)
    return Effects(tuple(made.outputs), "derived")


def ask(work: Work) -> Effects:
    """Ask one system for the match value of every pair that the other side takes part in."""
    command = work.command
    system = command.system
    made = _begun(command)
    ended = True
    for key, mapping, match_value, state in work.pairs():
        if made.full(MOST_PAIRS):
            ended = False
            break
        made.done, made.looked = key, made.looked + 1
        if system is not None and side(state, OTHER[system]):
            made.counts["asked"] += 1
            context = work.context(mapping, match_value, command.run_id)
            made.ask(system, context, tell_missing=bool(side(state, system)))
    made.asked(work)
    return _told(work, made, ended=ended)


def compare_all(work: Work) -> Effects:
    """Count, write or confirm the pairs of a mapping for a full sync."""
    command, made = work.command, _begun(work.command)
    whole = work.view.whole | frozenset(command.whole)
    comparison = Comparison(STEPS[command.step], command.run_id or "", command.attempt, whole)
    if comparison.step == "count":
        made.counts.setdefault(TOUCHED, 0)  # told where there is none too: who does not know of it tells nothing
    ended = rests = False
    for key, mapping, match_value, state in work.pairs():
        rests = 0 < command.most <= made.fields
        if rests or made.full(MOST_COMPARED):
            break
        made.done, made.looked = key, made.looked + 1
        compared = compare(state, mapping, comparison)
        made.counts.update(compared.counts)
        if compared.emptied and len(made.samples) < MOST_SAMPLES:
            made.samples.append(sample(compared.ids, compared.emptied))
        if compared.step.state is not None:  # where the row stays, it leads to nothing
            made.fields += sum(map(len, compared.step.derivation.patches.values()))
            run_id = command.run_id if compared.of_run else None
            _take(made, work, compared.step, state, work.context(mapping, match_value, run_id))
    else:
        ended = True
    made.asked(work)
    return _told(work, made, ended=ended, rests=rests)


def _take(made: Slice, work: Work, step: PairStep, state: PairState, context: Context) -> None:
    """Take a step over; what it asks for shares requests with other pairs."""
    waits = state.held or state.parked_events
    if step.state is state and leads_nowhere(step) and not waits:  # almost every pair of a full sync
        return
    if step.unknown:
        step = asking_holders(step, step.state or state, work.now_ms)
        for system in step.unknown:
            made.ask(system, context, tell_missing=True)
        step = replace(step, unknown=())
    made.outputs += work.derived(step, state, context)


def _begun(command: StateCommand) -> Slice:
    """A slice that goes on counting where the one before it ended."""
    return Slice(counts=Counter(command.counts), samples=list(command.samples))


def _go_on(work: Work, made: Slice) -> Output:
    """The record that continues behind the last pair that was handled."""
    left = work.command.most - made.fields if work.command.most else 0  # at least one: else it rests
    rest = replace(work.command, cursor=made.done, counts=dict(made.counts), samples=tuple(made.samples), most=left)
    return Output(STATE_COMMANDS, work.incoming.key, rest, work.incoming.partition)


def _told(work: Work, made: Slice, *, ended: bool, rests: bool = False) -> Effects:
    """The slice with its progress on the run: completed, resting at a cursor, or going on by itself."""
    outputs = list(made.outputs)
    if not ended and not rests:
        outputs.append(_go_on(work, made))
    reached = Reached(made.counts, ended, made.samples, made.done if rests and not ended else None)
    outputs.append(told(work.incoming, work.command.mapping or "", reached, work.now_ms))
    return Effects(tuple(outputs), "derived")
