"""Userflow events on HubSpot timelines: which ones the mappings stream, and problems with those named."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from pipeline.integration_file.model import IntegrationFile, MappingSpec
from pipeline.integration_file.problems import Problem, in_order, near
from schemas.configuration import DescribedEvent

MOST_TYPES: Final = {"app_events": 750, "custom_events": 500}
"""Event types that HubSpot takes: of one app, of one account."""


def check_events(file: IntegrationFile, known: Sequence[DescribedEvent]) -> tuple[Problem, ...]:
    """Problems in the order of the file: unknown event names, and more event types than HubSpot takes."""
    return in_order([*_unknown(file, {event.name for event in known}), *_too_many(file, known)])


def streamed(file: IntegrationFile, known: Sequence[DescribedEvent]) -> tuple[DescribedEvent, ...]:
    """The events that mappings stream, each with the object types whose timelines show it."""
    streams = (replace(event, timelines=_timelines(file, event.name)) for event in known)
    return tuple(event for event in streams if event.timelines)


def _timelines(file: IntegrationFile, event: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(mapping.hubspot_type for mapping in file.mappings if _streams(mapping, event)))


def _streams(mapping: MappingSpec, event: str) -> bool:
    wanted = mapping.stream_events
    return event in wanted if isinstance(wanted, tuple) else wanted


def _unknown(file: IntegrationFile, known: set[str]) -> Iterator[Problem]:
    for index, mapping in enumerate(file.mappings):
        names = mapping.stream_events if isinstance(mapping.stream_events, tuple) else ()
        for position, name in enumerate(names):
            if name not in known:
                path = f"mappings[{index}].stream_events[{position}]"
                fix = near(name, known, "use a name that Userflow lists under Events, or track the event once")
                yield file.positions.problem(path, f"Userflow has no event `{name}`", fix)


def _too_many(file: IntegrationFile, known: Sequence[DescribedEvent]) -> Iterator[Problem]:
    types, most = sum(len(event.timelines) for event in streamed(file, known)), MOST_TYPES[file.hubspot.timeline]
    if types <= most:
        return
    index = next(index for index, mapping in enumerate(file.mappings) if mapping.stream_events)
    message = f"{types} types of events are needed, and HubSpot takes {most}"
    yield file.positions.problem(f"mappings[{index}].stream_events", message, "name the events that matter in a list")
