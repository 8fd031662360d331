"""Which events mappings stream to which timelines, and what is wrong with asking for them."""

from connectors.userflow.events import describe_events
from pipeline.provisioning.streams import check_events, streamed
from schemas.configuration import DescribedEvent
from tests.unit.pipeline.integration_file.files import CONTACTS, HEAD, loaded, shown

KNOWN = (*describe_events(), DescribedEvent("plan_changed", "Plan changed"))
DEALS = """\
  - name: deals
    hubspot: deals
    userflow: companies
    match: {hubspot: userflow_id, userflow: id}
"""


def test_each_event_knows_the_timelines_that_show_it() -> None:
    file = loaded(HEAD + CONTACTS + "    stream_events: true\n" + DEALS + "    stream_events: [plan_changed]\n")
    found = {event.name: event.timelines for event in streamed(file, KNOWN)}
    assert found.keys() == {event.name for event in KNOWN}
    assert found["plan_changed"] == ("contacts", "deals")
    assert found["page_viewed"] == ("contacts",)


def test_nothing_is_streamed_that_nobody_asked_for() -> None:
    assert streamed(loaded(HEAD + CONTACTS), KNOWN) == ()


def test_an_unknown_event_is_told_with_its_line_and_a_near_name() -> None:
    file = loaded(HEAD + CONTACTS + "    stream_events:\n      - flow_startd\n      - plan_changed\n      - xyz\n")
    assert shown(check_events(file, KNOWN)) == [
        "acme.yaml:17: mappings[0].stream_events[0]: Userflow has no event `flow_startd`. "
        "Fix: did you mean `flow_started`.",
        "acme.yaml:19: mappings[0].stream_events[2]: Userflow has no event `xyz`. "
        "Fix: use a name that Userflow lists under Events, or track the event once.",
    ]


def test_more_types_of_events_than_hubspot_takes_are_refused() -> None:
    many = tuple(DescribedEvent(f"event_{number}", "") for number in range(501))
    file = loaded(HEAD + CONTACTS + "    stream_events: true\n")
    assert shown(check_events(file, many)) == [
        "acme.yaml:16: mappings[0].stream_events: 501 types of events are needed, and HubSpot takes 500. "
        "Fix: name the events that matter in a list.",
    ]
    assert check_events(file, many[1:]) == ()
