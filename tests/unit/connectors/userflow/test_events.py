"""Which events an environment has and which attributes each can carry."""

from connectors.userflow.events import COMMON, MOST_ATTRIBUTES, MOST_DESCRIBED, describe_events
from connectors.userflow.protocol import AttributeDefinition, EventDefinition
from connectors.userflow.simulator.builtin import EVENT_ATTRIBUTES, EVENTS
from schemas.configuration import DescribedEvent


def described(
    events: tuple[EventDefinition, ...] = (), attributes: tuple[AttributeDefinition, ...] = ()
) -> dict[str, DescribedEvent]:
    return {event.name: event for event in describe_events(events, attributes)}


def names(event: DescribedEvent) -> list[str]:
    return [attribute.name for attribute in event.attributes]


def test_userflows_own_events_are_known_before_any_was_defined() -> None:
    found = described()
    assert found.keys() == EVENTS.keys()
    assert found["checklist_task_completed"].label == "Checklist Task Completed"
    assert {"checklist_task_name", "checklist_name", *COMMON} <= set(names(found["checklist_task_completed"]))
    told = {name for event in found.values() for name in names(event)}
    assert EVENT_ATTRIBUTES.keys() <= told


def test_labels_and_types_come_from_the_definitions() -> None:
    found = described(
        (EventDefinition("flow_started", "A Flow Began"), EventDefinition("plan_changed", "Plan changed")),
        (
            AttributeDefinition("flow_version_number", "number", "Version"),
            AttributeDefinition("plan", "string", "Plan"),
        ),
    )
    assert found["flow_started"].label == "A Flow Began"
    assert found["plan_changed"].label == "Plan changed"
    version = next(one for one in found["flow_started"].attributes if one.name == "flow_version_number")
    assert (version.object_type, version.label, version.type) == ("flow_started", "Version", "number")


def test_an_attribute_that_is_not_placed_goes_to_its_family_and_to_custom_events() -> None:
    found = described(
        (EventDefinition("plan_changed"),),
        (AttributeDefinition("flow_mood", "string"), AttributeDefinition("plan", "string")),
    )
    assert "flow_mood" in names(found["flow_ended"])
    assert not {"flow_mood", "plan"} & set(names(found["checklist_started"]))
    assert names(found["plan_changed"]) == ["plan", "flow_mood", *COMMON]


def test_an_event_has_fifty_attributes_at_most_and_all_of_them_fit_into_a_record() -> None:
    attributes = tuple(AttributeDefinition(f"a_{number}", "string") for number in range(200))
    few = described((EventDefinition("plan_changed"),), attributes)
    assert len(few["plan_changed"].attributes) == MOST_ATTRIBUTES
    assert names(few["plan_changed"])[0] == "a_0"
    many = described(tuple(EventDefinition(f"event_{number}") for number in range(300)), attributes)
    assert sum(len(many[f"event_{number}"].attributes) for number in range(300)) <= MOST_DESCRIBED
