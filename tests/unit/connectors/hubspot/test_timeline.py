"""App events and custom events against the simulator: what is stored, once, and what the rest of a batch gets."""

import re
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract.errors import Misconfigured, RateLimited, UnknownResult
from connectors.contract.sink import OwnershipLost
from connectors.contract.timeline import EventResult, EventSent, RefusedEvent, SendAgain, TargetGone, Timeline, Unsure
from connectors.http.messages import Headers, Request, Response
from connectors.hubspot.event_types import event_type, event_types, type_name
from schemas.configuration import DescribedEvent, DescribedField
from schemas.records import TimelineEvent, timeline_event_id
from tests.unit.connectors.hubspot.account import OAUTH, Opened, opened
from tests.unit.connectors.outbound.timeline_events import event, streamed

ON_CONTACT = "userflow_checklist_task_completed_contact"
PROPERTIES = {"checklist_task_name": "Task 1", "checklist_version_number": "1"}


def app_case(**settings: Any) -> Opened:
    case = opened(secrets=OAUTH, **settings)
    case.catalog.stream(streamed("contacts", "companies"))
    return case


async def custom_case(*timelines: str, **settings: Any) -> Opened:
    case = opened(timeline="custom_events", **settings)
    case.catalog.stream(streamed(*timelines))
    await case.account.setup.provision({}, (), case.catalog.events)
    return case


async def send(case: Opened, *events: TimelineEvent) -> Sequence[EventResult]:
    timeline = case.account.timeline
    assert timeline is not None
    return await timeline.send(events, lambda: case.allowed)


def stored(case: Opened) -> list[str]:
    """The ids on all timelines, oldest first."""
    return [str(one.get("id") or one.get("uuid")) for one in case.portal.list_events()]


def kinds(results: Sequence[EventResult]) -> dict[str, str]:
    return {result.event.event_id: type(result).__name__ for result in results}


async def test_an_app_event_is_told_with_its_type_time_and_attributes_as_text() -> None:
    case = app_case(timeline_event_types={ON_CONTACT: "CONTACT"})
    assert await send(case, event(1)) == [EventSent(event(1))]
    (told,) = case.portal.list_events()
    assert (told["eventTypeName"], told["objectId"], told["timestamp"]) == (ON_CONTACT, "1", "2026-09-21T14:13:21.000Z")
    assert told["properties"] == PROPERTIES


async def test_a_batch_with_one_duplicate_and_one_invalid_event_still_delivers_the_rest() -> None:
    case = app_case()
    await send(case, event(3))
    events = [event(number) for number in range(1, 9)]
    events[5] = event(6, event_id="x" * 501)
    results = await send(case, *events)
    assert [result.event.event_id for result in results if isinstance(result, EventSent)] == [
        f"event-{number}" for number in (1, 2, 3, 4, 5, 7, 8)
    ]
    assert [result for result in results if not isinstance(result, EventSent)] == [
        RefusedEvent(events[5], "invalid_request")
    ]
    assert sorted(stored(case)) == [f"event-{number}" for number in (1, 2, 3, 4, 5, 7, 8)]


async def test_a_whole_batch_that_is_stored_already_counts_as_sent() -> None:
    case, events = app_case(), [event(number) for number in range(20)]
    await send(case, *events)
    assert set(kinds(await send(case, *events)).values()) == {"EventSent"}
    assert len(stored(case)) == 20


async def test_a_property_that_the_type_lacks_is_cut_out_and_asked_for_no_more() -> None:
    on_company = "userflow_checklist_task_completed_company"
    properties = {ON_CONTACT: ("checklist_task_name",), on_company: tuple(PROPERTIES)}
    case = app_case(timeline_event_properties=properties)
    events = [event(1), event(2), event(3, "10", object_type="companies")]
    assert await send(case, *events) == [EventSent(events[0], 1), EventSent(events[1], 1), EventSent(events[2], 0)]
    sent = len(case.transport.sent)
    assert await send(case, event(4)) == [EventSent(event(4), 1)]
    assert len(case.transport.sent) == sent + 1
    assert [len(told["properties"]) for told in case.portal.list_events()] == [1, 1, 2, 1]


async def test_an_attribute_that_nobody_knew_of_is_carried_as_text_and_an_empty_one_is_not() -> None:
    case = app_case()
    odd = event(1, attributes={"checklist_task_name": "Task 1", "Brand New": 4.5, "checklist_id": None})
    assert await send(case, odd) == [EventSent(odd, 0)]
    assert case.portal.list_events()[0]["properties"] == {"checklist_task_name": "Task 1", "brand_new": "4.5"}


async def test_an_app_event_whose_type_does_not_declare_it_goes_without_it() -> None:
    case = app_case(timeline_event_properties={ON_CONTACT: ("checklist_task_name",)})
    odd = event(1, attributes={"checklist_task_name": "Task 1", "brand_new": "x"})
    assert await send(case, odd) == [EventSent(odd, 1)]
    assert case.portal.list_events()[0]["properties"] == {"checklist_task_name": "Task 1"}


async def test_a_custom_event_gets_a_property_for_an_attribute_that_nobody_knew_of_once() -> None:
    case = await custom_case()
    sent = len(case.transport.sent)
    events = [event(number, attributes={"Brand New": f"x{number}"}) for number in range(3)]
    assert await send(case, *events[:2]) == [EventSent(one, 0) for one in events[:2]]
    assert await send(case, events[2]) == [EventSent(events[2], 0)]
    assert [told["properties"] for told in case.portal.list_events()] == [{"brand_new": f"x{n}"} for n in range(3)]
    made = [request for request in case.transport.sent[sent:] if request.path.endswith("/property")]
    assert len(made) == 1


async def test_a_property_that_may_not_be_made_is_left_out_and_asked_for_once() -> None:
    case = await custom_case()
    case.strike(action="status", status=403, path_contains="/property")
    sent = len(case.transport.sent)
    for number in range(2):
        odd = event(number, attributes={"checklist_task_name": "Task", "brand_new": "x"})
        assert await send(case, odd) == [EventSent(odd, 1)]
    assert len([request for request in case.transport.sent[sent:] if request.path.endswith("/property")]) == 1


ALIKE = (
    "Trial Started",
    "trial_started",
    "Trial-Started",
    "登録完了",
    "解約完了",
    "order-placed",
    "Order placed",
    "_",
    "x" * 90,
)


def test_no_two_events_share_a_type_and_a_type_does_not_depend_on_the_others() -> None:
    timelines = ("contacts", "companies", "p1_big_contact", "p1_contact", "2-77")
    events = [DescribedEvent(name, name, timelines=timelines) for name in (*ALIKE, "a", "a_big", "x" * 91)]
    types = list(event_types(events))
    assert len({type_.name for type_ in types}) == len(types) == len(events) * len(timelines)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]{0,49}", type_.name) for type_ in types)
    for one in events:
        alone = event_types([one])
        assert {type_.name for type_ in alone} <= {type_.name for type_ in types if type_.event == one.name}
    assert type_name("trial_started", "contacts") == "userflow_trial_started_contact"


@given(st.sets(st.text(min_size=1, max_size=80), max_size=20))
def test_whatever_events_are_called_each_has_a_type_of_its_own(names: set[str]) -> None:
    types = list(event_types(DescribedEvent(name, name, timelines=("contacts", "deals")) for name in names))
    assert len({type_.name for type_ in types}) == 2 * len(names)


@given(st.lists(st.text(min_size=1, max_size=60), max_size=30, unique=True), st.randoms())
def test_attributes_are_told_apart_whatever_their_order(names: list[str], random: Random) -> None:
    attributes = [DescribedField("event", name, name, "string") for name in names]
    made = event_type(DescribedEvent("event", "event", tuple(attributes)), "contacts").properties
    assert len({one.name for one in made.values()}) == len(names)
    random.shuffle(attributes)
    assert event_type(DescribedEvent("event", "event", tuple(attributes)), "contacts").properties == made


async def test_events_whose_names_look_alike_are_provisioned_and_told_apart() -> None:
    case = opened(timeline="custom_events")
    events = tuple(DescribedEvent(name, name, timelines=("contacts",)) for name in ALIKE)
    case.catalog.stream(events)
    for _ in range(2):
        await case.account.setup.provision({}, (), events)
    assert len(case.portal.custom_events.definitions) == len(ALIKE)
    await send(case, *(event(number, name=name, attributes={}) for number, name in enumerate(ALIKE)))
    assert len({told["eventName"] for told in case.portal.list_events()}) == len(ALIKE)


async def test_a_definition_that_is_there_already_is_no_failure() -> None:
    case = await custom_case()
    case.strike(action="status", status=409, path_contains="event-definitions", method="POST")
    case.portal.custom_events.definitions.clear()
    await case.account.setup.provision({}, (), case.catalog.events)


async def test_an_event_of_a_record_that_was_merged_has_the_id_of_the_survivors() -> None:
    case = app_case(merge_makes_new_record=True)
    moved = event(1, activity_id="a-1")
    survivor = case.portal.merge_objects("contacts", "2", "1")["id"]
    case.strike(action="status", status=400, times=1, path_contains="/timeline/")
    assert await send(case, moved) == [EventSent(moved)]
    (told,) = case.portal.list_events()
    assert (told["objectId"], told["id"]) == (survivor, timeline_event_id("a-1", "contacts", survivor))


async def test_a_long_text_is_cut_to_what_a_property_takes() -> None:
    case = app_case()
    await send(case, event(1, attributes={"checklist_task_name": "ü" * 300_000}))
    assert len(case.portal.list_events()[0]["properties"]["checklist_task_name"].encode()) == 510_000


async def test_an_event_of_an_object_that_is_gone_finds_no_target_and_of_a_merged_one_the_survivor() -> None:
    case = app_case()
    case.portal.delete_object("contacts", "2")
    survivor = case.portal.merge_objects("contacts", "3", "4")["id"]
    case.strike(action="status", status=400, path_contains="/integrators/timeline", object_id="4")
    results = await send(case, event(1), event(2, "2"), event(4, "4"))
    assert kinds(results) == {"event-1": "EventSent", "event-2": "TargetGone", "event-4": "EventSent"}
    gone = next(result for result in results if isinstance(result, TargetGone))
    assert gone.at_ms <= case.now.seconds * 1000 <= gone.at_ms + gone.spread_ms
    assert {told["objectId"] for told in case.portal.list_events()} == {"1", survivor}


async def test_an_event_that_nobody_streams_has_no_type() -> None:
    case = app_case()
    unknown = event(1, name="never_heard_of")
    assert kinds(await send(case, unknown, event(2))) == {"event-1": "RefusedEvent", "event-2": "EventSent"}
    assert RefusedEvent(unknown, "unknown_event_type") in await send(case, unknown)


async def test_an_app_event_whose_answer_was_lost_is_stored_once() -> None:
    case = app_case()
    case.strike(action="timeout_after_effect", path_contains="/integrators/timeline", times=1)
    with pytest.raises(UnknownResult):
        await send(case, event(1), event(2))
    assert kinds(await send(case, event(1), event(2))) == {"event-1": "EventSent", "event-2": "EventSent"}
    assert sorted(stored(case)) == ["event-1", "event-2"]


async def test_what_could_not_be_sent_for_the_time_being_waits() -> None:
    case = app_case()
    case.strike(action="status", status=429, path_contains="/integrators/timeline", times=1)
    with pytest.raises(RateLimited):
        await send(case, event(1))
    case.strike(action="status", status=400, path_contains="/integrators/timeline", times=1)
    case.strike(action="status", status=429, path_contains="/integrators/timeline", object_id="2")
    assert await send(case, event(1), event(2, "2")) == [EventSent(event(1)), SendAgain(event(2, "2"))]


async def test_nothing_is_sent_once_it_is_not_ours() -> None:
    case = app_case()
    case.allowed = False
    with pytest.raises(OwnershipLost):
        await send(case, event(1))
    assert stored(case) == []


async def test_app_events_with_a_plain_token_are_no_dead_letters() -> None:
    case = opened()
    case.catalog.stream(streamed())
    with pytest.raises(Misconfigured, match="missing_scopes"):
        await send(case, event(1))


async def test_custom_events_are_defined_once_for_each_object_type_and_later_attributes_added() -> None:
    case = await custom_case("contacts", "deals", "2-77")
    definitions = case.portal.custom_events.definitions
    assert len(definitions) == 3 * len(case.catalog.events)
    made = definitions[f"pe12345678_{ON_CONTACT}"]
    assert (made["labels"]["singular"], made["primaryObject"]) == ("Userflow: Checklist Task Completed", "CONTACT")
    assert definitions["pe12345678_userflow_flow_started_2_77"]["primaryObject"] == "2-77"
    made["properties"] = made["properties"][1:]
    sent = len(case.transport.sent)
    await case.account.setup.provision({}, (), case.catalog.events)
    posts = [request.path for request in case.transport.sent[sent:] if request.method == "POST"]
    assert posts == [f"/events/2026-03/event-definitions/pe12345678_{ON_CONTACT}/property"]


async def test_definitions_that_may_not_be_made_are_a_setting_to_change() -> None:
    case = opened(timeline="custom_events")
    case.strike(action="status", status=400, path_contains="event-definitions", method="POST")
    with pytest.raises(Misconfigured, match="event_definition_"):
        await case.account.setup.provision({}, (), streamed())


async def test_a_custom_event_is_told_by_its_full_name_for_deals_too() -> None:
    case = await custom_case("contacts", "deals")
    on_deal = event(2, "20", object_type="deals")
    assert await send(case, event(1), on_deal) == [EventSent(event(1)), EventSent(on_deal)]
    told = {one["eventName"]: one["properties"] for one in case.portal.list_events()}
    assert told == {
        f"pe12345678_{ON_CONTACT}": PROPERTIES,
        "pe12345678_userflow_checklist_task_completed_deal": {
            "checklist_task_name": "Task 2",
            "checklist_version_number": "2",
        },
    }


async def test_a_custom_event_takes_256_characters_of_a_text() -> None:
    case = await custom_case()
    await send(case, event(1, attributes={"checklist_task_name": "x" * 300}))
    assert case.portal.list_events()[0]["properties"] == {"checklist_task_name": "x" * 256}


async def test_a_custom_event_whose_answer_was_lost_is_not_sent_again() -> None:
    case = await custom_case()
    case.strike(action="timeout_after_effect", path_contains="/send", times=1)
    assert await send(case, event(1), event(2)) == [Unsure(event(1)), Unsure(event(2))]
    assert stored(case) == ["event-1", "event-2"]


async def test_after_a_lost_answer_the_rest_of_a_custom_batch_waits() -> None:
    case = await custom_case()
    case.strike(action="status", status=400, path_contains="/send", times=1)
    case.strike(action="status", status=502, path_contains="/send", times=2, object_id="1")
    events = event(1), event(2, "2")
    assert await send(case, *events) == [Unsure(events[0]), SendAgain(events[1])]


async def test_a_definition_that_somebody_deleted_refuses_its_events_only() -> None:
    case = await custom_case()
    del case.portal.custom_events.definitions[f"pe12345678_{ON_CONTACT}"]
    other = event(2, name="flow_started", attributes={})
    assert kinds(await send(case, event(1), other)) == {"event-1": "RefusedEvent", "event-2": "EventSent"}


def test_both_kinds_are_timelines() -> None:
    both: list[Timeline | None] = [opened(timeline=kind).account.timeline for kind in ("app_events", "custom_events")]
    assert [type(one).__name__ for one in both] == ["AppEvents", "CustomEvents"]


async def test_an_event_is_not_led_in_a_circle_of_merges() -> None:
    case = app_case()
    answer = case.transport.send

    async def merged_into_each_other(request: Request) -> Response:
        found = re.fullmatch(r"/crm/objects/[^/]+/contacts/([0-9]+)", request.path)
        if found is None:
            return await answer(request)
        case.transport.sent.append(request)
        other = {"1": "2", "2": "1"}[found[1]]
        return Response(200, Headers([("Date", "Thu, 26 Nov 2026 10:00:00 GMT")]), b'{"id": "%s"}' % other.encode())

    case.strike(action="status", status=400, path_contains="/integrators/timeline")
    case.transport.send = merged_into_each_other  # type: ignore[method-assign]
    assert await send(case, event(1)) == [RefusedEvent(event(1), "other_object")]
    assert len(case.transport.sent) < 20
