"""Timeline events and the kinds of events that mappings stream, for tests."""

from dataclasses import replace
from typing import Any

from connectors.userflow.events import describe_events
from schemas.configuration import DescribedEvent
from schemas.records import TimelineEvent

SECOND_MS = 1_000
STARTED_MS = 1_790_000_000_000


def streamed(*timelines: str) -> tuple[DescribedEvent, ...]:
    """Userflow's own events, on the timelines of these object types."""
    return tuple(replace(event, timelines=timelines or ("contacts",)) for event in describe_events())


def event(number: int, object_id: str = "1", **changes: Any) -> TimelineEvent:
    """The task of a checklist completed, one second after the event with the number before."""
    return replace(
        TimelineEvent(
            integration="acme",
            connection=1,
            revision=1,
            mapping="contacts-users",
            match_value=f"person{object_id}@example.com",
            object_type="contacts",
            object_id=object_id,
            event_id=f"event-{number}",
            name="checklist_task_completed",
            occurred_at_ms=STARTED_MS + number * SECOND_MS,
            attributes={"checklist_task_name": f"Task {number}", "checklist_version_number": number},
        ),
        **changes,
    )
