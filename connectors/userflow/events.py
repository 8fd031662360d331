"""The attributes that an environment's events can carry: Userflow's own events by its docs, others by definition.

Userflow lists the names of all event attributes, but not the events they belong to.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from connectors.userflow.protocol import AttributeDefinition, EventDefinition
from connectors.userflow.translate import field_definition
from schemas.configuration import DescribedEvent, DescribedField

MOST_ATTRIBUTES: Final = 50
MOST_DESCRIBED: Final = 4_000
"""Most attributes of all events together: a connector's state has to fit into one record."""

COMMON: Final = ("page_url", "locale_code", "viewport_width", "viewport_height")
"""Attributes that the browser adds to any event."""

_FLOW: Final = (
    "flow_name",
    "flow_id",
    "flow_session_id",
    "flow_version_id",
    "flow_version_number",
    "flow_start_reason",
)
_STEP: Final = (
    *_FLOW,
    "flow_step_name",
    "flow_step_id",
    "flow_step_cvid",
    "flow_step_number",
    "flow_step_progress",
)
_CHECKLIST: Final = (
    "checklist_name",
    "checklist_id",
    "checklist_session_id",
    "checklist_version_id",
    "checklist_version_number",
    "checklist_start_reason",
)
_TASK: Final = (*_CHECKLIST, "checklist_task_name", "checklist_task_id", "checklist_task_cvid")
_QUESTION: Final = (
    *_FLOW,
    "question_name",
    "question_cvid",
    "question_type",
    "number_answer",
    "text_answer",
    "list_answer",
)


def _shown(what: str, *more: str) -> tuple[str, ...]:
    """The attributes of a launcher, banner, announcement or resource center."""
    own = ("name", "id", "session_id", "version_id", "version_number", *more)
    return tuple(f"{what}_{word}" for word in own)


BUILT_IN: Final[Mapping[str, tuple[str, ...]]] = {
    "page_viewed": (),
    "flow_started": _FLOW,
    "flow_step_seen": _STEP,
    "flow_completed": _STEP,
    "flow_ended": (*_STEP, "flow_end_reason"),
    "question_answered": _QUESTION,
    "tooltip_target_missing": _STEP,
    "checklist_started": _CHECKLIST,
    "checklist_shown": _CHECKLIST,
    "checklist_hidden": _CHECKLIST,
    "checklist_task_clicked": _TASK,
    "checklist_task_completed": _TASK,
    "checklist_completed": _CHECKLIST,
    "checklist_ended": (*_CHECKLIST, "checklist_end_reason"),
    "launcher_seen": _shown("launcher", "start_reason"),
    "launcher_activated": _shown("launcher", "start_reason"),
    "launcher_dismissed": _shown("launcher", "start_reason", "end_reason"),
    "banner_seen": _shown("banner"),
    "banner_dismissed": _shown("banner", "end_reason"),
    "announcement_seen": _shown("announcement"),
    "resource_center_opened": _shown("resource_center"),
    "resource_center_closed": _shown("resource_center"),
    "resource_center_clicked": _shown("resource_center"),
    "assistant_message_sent": (),
    "assistant_rating_submitted": (),
    "assistant_feedback_submitted": (),
    "random_ab_assigned": (),
    "random_number_assigned": (),
}
"""Userflow's own events and their attributes besides `COMMON`, as far as documented."""

_TOLD: Final = frozenset(COMMON).union(*BUILT_IN.values())
_FAMILIES: Final = tuple({f"{event.partition('_')[0]}_" for event in BUILT_IN})


def describe_events(
    events: Iterable[EventDefinition] = (), attributes: Iterable[AttributeDefinition] = ()
) -> tuple[DescribedEvent, ...]:
    """Every event by name: Userflow's own, defined yet or not, then the environment's.

    A Userflow event has its own attributes, the common ones and the unassigned ones named like its family
    (`flow_...`); any other event has all unassigned and the common ones. Oldest first, 50 at most.
    """
    labels = dict.fromkeys(BUILT_IN, "") | {one.name: one.display_name for one in events if one.name}
    defined = {one.name: one for one in attributes if one.name}
    custom = sorted((name for name in defined if name not in _TOLD), key=lambda name: name.startswith(_FAMILIES))
    most = max(1, min(MOST_ATTRIBUTES, MOST_DESCRIBED // max(1, len(labels)))) - len(COMMON)
    return tuple(
        DescribedEvent(
            name, label or _label(name), _fields(name, _carried(name, custom[: max(most, 0)], defined), defined)
        )
        for name, label in labels.items()
    )


def _carried(event: str, custom: Sequence[str], defined: Iterable[str]) -> tuple[str, ...]:
    if event not in BUILT_IN:
        return (*custom, *COMMON)
    family = f"{event.partition('_')[0]}_"
    placed_nowhere = (name for name in defined if name.startswith(family) and name not in _TOLD)
    return (*BUILT_IN[event], *COMMON, *placed_nowhere)[:MOST_ATTRIBUTES]


def _fields(event: str, names: Iterable[str], defined: Mapping[str, AttributeDefinition]) -> tuple[DescribedField, ...]:
    definitions = {name: field_definition(defined[name]) for name in names if name in defined}
    return tuple(
        DescribedField(event, name, definitions[name].label or _label(name), definitions[name].type)
        if name in definitions
        else DescribedField(event, name, _label(name), "string")
        for name in names
    )


def _label(name: str) -> str:
    """flow_started -> Flow Started, for an event without a display name."""
    return " ".join(word.capitalize() for word in name.split("_"))
