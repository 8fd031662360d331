"""Agent PAIRS: both sides of each pair, and the patches that bring them in step."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pipeline.agents.all_pairs import Work, ask, compare_all, derive_again
from pipeline.agents.configuration import IntegrationView
from pipeline.agents.erasing import erase_pair
from pipeline.agents.forgetting import forget, known_to_be_over
from pipeline.agents.key_order import KeyOrder
from pipeline.agents.made_up import MATCHED, decided, view_of
from pipeline.agents.pair_outputs import NAME, Context, effects, letter, rereads, worth_keeping
from pipeline.agents.state import Output, Overlay
from pipeline.agents.step import Effects, Incoming, Needed
from pipeline.core.comparing import STEPS
from pipeline.core.freshness import TOO_FAR_AHEAD_MS
from pipeline.core.lookups import Asking, with_lookup
from pipeline.core.pairing import EMPTY, believed_pair, change_pair, receive
from pipeline.core.timeline import Hold, park, stream, timeline_of
from schemas.letters import letter_about
from schemas.records import MatchedChange, Receipt, StateCommand
from schemas.state import PairState
from schemas.topics import DEAD_LETTERS, MATCHES, PAIRS_STATE, RECEIPTS, STATE_COMMANDS

TOPICS = (MATCHES, RECEIPTS, STATE_COMMANDS)
STATE_TOPIC = PAIRS_STATE
DISCONNECTED = Effects((), "disconnected")
NOT_OURS = Effects((), "equal")


class Pairs:
    """The decision of PAIRS for one record."""

    name = NAME
    topics = TOPICS

    def __init__(
        self,
        view: Callable[[str], IntegrationView | None],
        now_ms: Callable[[], int],
        event_hold_ms: int,
        lookup_interval_ms: int,
    ) -> None:
        self._view = view
        self._now_ms = now_ms
        self._event_hold_ms = event_hold_ms
        self._lookup_interval_ms = lookup_interval_ms
        self._order = KeyOrder()

    def needs(self, record: Any) -> Needed | None:
        if isinstance(record, StateCommand) and record.kind == "forget":
            return known_to_be_over(record)
        if not isinstance(record, MatchedChange):
            return None
        return record.integration, record.connection, record.revision

    def decide(self, incoming: Incoming, overlay: Overlay[PairState]) -> Effects:
        record = incoming.record
        if isinstance(record, StateCommand) and record.kind == "forget":
            return forget(incoming, record, overlay) if record.stage == NAME else NOT_OURS
        view = self._view(record.integration)
        if view is None or not view.connected or view.connection != record.connection:
            return DISCONNECTED
        if isinstance(record, StateCommand):
            return self._all(incoming, record, view, overlay) if record.stage == NAME else NOT_OURS
        if isinstance(record, Receipt) and not record.mapping:  # nobody has the id that somebody asked for
            return Effects((), "unmatched")
        mapping = view.mappings.get(record.mapping)
        if isinstance(record, MatchedChange) and record.presence == "erased":
            return erase_pair(record, mapping, overlay)
        if mapping is None:
            return DISCONNECTED
        bulk = record.bulk if isinstance(record, MatchedChange) else record.run_id is not None
        context = Context(incoming, mapping, record.match_value, record.run_id, bulk, record.caused_by, self._now_ms())
        state = overlay.get(context.key)
        if isinstance(record, Receipt):
            return _receipt(state, record, context, overlay)
        state = believed_pair(state, context.at_ms + TOO_FAR_AHEAD_MS) if state is not None else None
        asking = Asking(context.at_ms, self._lookup_interval_ms, view.whole)
        step = with_lookup(change_pair(state, record, mapping, view.whole), record, mapping, asking)
        timeline = timeline_of(mapping, context.match_value, step.ids)
        hold = Hold(context.at_ms, self._event_hold_ms)
        streamed = stream(step.state or EMPTY, record.activity, timeline, hold)
        followed = effects(step, context, overlay, streamed)
        return followed if record.activity is None else replace(followed, outcome=streamed.outcome)

    def try_out(self) -> tuple[Output, ...]:
        """What it makes of matched changes made up for this."""
        return decided(Pairs(view_of, self._now_ms, self._event_hold_ms, self._lookup_interval_ms), MATCHED)

    def _all(
        self, incoming: Incoming, command: StateCommand, view: IntegrationView, overlay: Overlay[PairState]
    ) -> Effects:
        work = Work(incoming, command, view, overlay, self._now_ms(), self._event_hold_ms, self._order)
        match command.kind:
            case "rederive":
                return derive_again(work)
            case "ask" if command.mapping in view.mappings:
                return ask(work)
            case "compare" if command.mapping in view.mappings and command.step in STEPS:
                return compare_all(work)
        return NOT_OURS


def _receipt(state: PairState | None, receipt: Receipt, context: Context, overlay: Overlay[PairState]) -> Effects:
    """Apply a sink's receipt for a patch or an event; a parked event is sent again when the pair is derived."""
    if receipt.event is None:
        step = receive(state, receipt, context.mapping)
        if step.state is not None:
            overlay.put(context.key, worth_keeping(step.state))
        letters = (letter(refusal, context, f"{receipt.system}.sink") for refusal in step.refused)
        refused = (Output(DEAD_LETTERS, context.key, one) for one in letters)
        return Effects((*refused, *rereads(step, context)), step.outcome, context.mapping.name)
    if receipt.kind != "parked":
        return Effects((), "unmatched" if receipt.kind == "missed" else receipt.kind, context.mapping.name)
    if state is None:  # the pair was erased, or dissolved, meanwhile: nothing of it may come back
        return Effects((), "unmatched", context.mapping.name)
    parked = park(state, receipt.event)
    if parked is None:
        too_many = letter_about(
            context.incoming, NAME, "too_many_parked", "events of one pair wait already", context.at_ms, about=receipt
        )
        return Effects((Output(DEAD_LETTERS, context.key, too_many),), "dead-lettered", context.mapping.name)
    overlay.put(context.key, parked)
    return Effects((), "parked", context.mapping.name)
