"""The way of the change that was written last, as an object's page draws it: hop by hop, over time. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from pipeline.console.condition import NAMES
from pipeline.console.words import clock, seconds
from pipeline.counting import counted
from pipeline.explain.answer import Hop, HopWord, Trace

_WEBHOOKS: Final = ".notifications"


@dataclass(frozen=True, slots=True)
class TraceRow:
    """One hop. The thin part of its time is Pairstream's, or a wait for a place; in the thick one a system answers."""

    what: str
    detail: str
    begin_ms: int  # since the first hop
    thin_ms: int
    thick_ms: int
    after: str  # since the first hop
    at: str
    place: str


@dataclass(frozen=True, slots=True)
class TraceShown:
    """All of them."""

    fields: Sequence[str]
    took: str
    total_ms: int
    rows: Sequence[TraceRow]
    foot: str


def trace_shown(trace: Trace, now_ms: int) -> TraceShown:
    """The hops over time, each after the one before."""
    hops, parts = trace.hops, trace.parts
    total_ms = max(hops[-1].at_ms - hops[0].at_ms, 1)
    first = hops[0]
    own = (
        []
        if first.word != "edited"
        else [f"The first {_ms(hops[1].at_ms - first.at_ms)} are {NAMES[trace.system]}'s own."]
    )
    told = (
        f"Of the {_ms(trace.took_ms)} since then Pairstream took {_ms(parts.pairstream)}, answers to reads "
        f"{_ms(parts.read)}, waiting for limits {_ms(parts.budget)}, answers to writes {_ms(parts.write)}."
    )
    words = _words(trace)
    rows = [_row(trace, words, hop, before, first, now_ms) for before, hop in pairwise((first, *hops))]
    return TraceShown(
        trace.written or trace.fields,
        _ms(total_ms),
        total_ms,
        rows,
        " ".join(["Thin: Pairstream, or waiting. Thick: a system answers.", *own, told]),
    )


def _row(
    trace: Trace, words: Mapping[HopWord, tuple[str, str]], hop: Hop, before: Hop, first: Hop, now_ms: int
) -> TraceRow:
    lasted_ms = max(hop.at_ms - before.at_ms, 0)
    answers = {"read": trace.parts.read, "written": trace.parts.write}
    thick_ms = min(answers.get(hop.word, 0), lasted_ms)
    what, detail = words[hop.word]
    if hop.word == "received" and (hop.place is None or not hop.place[0].endswith(_WEBHOOKS)):
        what = f"{NAMES[trace.system]} connector saw the change"
    place = f"{hop.place[0]}[{hop.place[1]}]@{hop.place[2]}" if hop.place is not None else ""
    return TraceRow(
        what,
        detail,
        max(before.at_ms - first.at_ms, 0),
        lasted_ms - thick_ms,
        thick_ms,
        _ms(hop.at_ms - first.at_ms),
        clock(hop.at_ms, now_ms),
        place,
    )


def _words(trace: Trace) -> dict[HopWord, tuple[str, str]]:
    here, there, parts = NAMES[trace.system], NAMES[trace.to], trace.parts
    read = (f"{here} connector read the object", "the webhook did not tell all")
    waited = f"waited {_ms(parts.budget)} for places in limits" if parts.budget else ""
    return {
        "edited": (f"Edited in {here}", f"by {here}'s clock"),
        "received": ("Receiver stored the webhook", ""),
        "read": read if parts.read else (f"{here} connector translated it", ""),
        "matched": ("Objects: newer than what was known", ""),
        "derived": (f"Pairs: {counted(len(trace.written), 'field')} to write", ""),
        "written": (f"{there} connector wrote it", waited),
    }


def _ms(ms: int) -> str:
    """`618 ms`, `1.22 s`."""
    return f"{ms:,} ms" if ms < 1_000 else seconds(ms / 1000)
