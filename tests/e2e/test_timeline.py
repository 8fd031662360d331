"""What people do in Userflow appears on HubSpot timelines: contacts', companies', deals', each event once."""

from pathlib import Path

from tests.e2e.timelines import APP_EVENTS, OAUTH, TASK_COMPLETED, explained, told, track
from tests.e2e.world import CONVERGED_S, FILE, world
from tests.kafka import Kafka

DEALS = """\
  - name: deals
    hubspot: deals
    userflow: companies
    match: {hubspot: dealname, userflow: id}
    stream_events: [checklist_task_completed]
"""


async def test_app_events_reach_the_contact_and_its_company(kafka: Kafka, tmp_path: Path) -> None:
    async with world(tmp_path, kafka, unlimited=True, **OAUTH) as it:
        await it.hubspot.set(
            timeline_event_types={
                "userflow_checklist_task_completed_contact": "CONTACT",
                "userflow_checklist_task_completed_company": "COMPANY",
            }
        )
        contact, user = await it.pair(1)
        company = await it.hubspot.create("companies", {"name": "Acme", "domain": "acme"})
        await it.userflow.create("groups", {"name": "Acme"}, "acme")
        await it.apply(APP_EVENTS)
        await it.full_sync()
        await it.converged()
        await track(it, user, "Invite a colleague", group_id="acme")
        await it.userflow.track({"name": "page_viewed", "group_id": "acme"})  # not streamed for companies
        found = await told(it, 2, CONVERGED_S)
        await it.idle()
        assert found == {
            ("userflow_checklist_task_completed_contact", contact, "Invite a colleague"): 1,
            ("userflow_checklist_task_completed_company", company, "Invite a colleague"): 1,
        }
        on_contact = [(TASK_COMPLETED, "sent", contact)]
        assert await explained(it, "userflow", "users", user) == on_contact
        on_company = [("page_viewed", "off", None), (TASK_COMPLETED, "sent", company)]
        assert sorted(await explained(it, "hubspot", "companies", company)) == sorted(on_company)
        # a kind of event that the project files do not declare is told, with its name
        await it.userflow.track({"name": "flow_started", "user_id": user, "attributes": {"flow_name": "Welcome"}})
        await it.idle()
        (letter,) = await it.dead_letters()
        assert (letter.stage, letter.reason, letter.mapping) == (
            "hubspot.timeline",
            "invalid_request",
            "contacts-users",
        )
        assert "flow_started" in letter.detail and letter.value
        assert await explained(it, "hubspot", "contacts", contact) == [
            ("flow_started", "refused", contact),
            *on_contact,
        ]
        assert await it.created_by_api() == 0


async def test_custom_events_reach_deals_too_and_wait_for_the_end_of_a_pause(kafka: Kafka, tmp_path: Path) -> None:
    async with world(tmp_path, kafka) as it:
        contact, user = await it.pair(1)
        deal = await it.hubspot.create("deals", {"dealname": "acme", "dealstage": "closedwon"})
        await it.userflow.create("groups", {"name": "Acme"}, "acme")
        await it.apply(FILE + "    stream_events: true\n" + DEALS)
        await it.full_sync()
        await it.converged()
        await track(it, user, "First", group_id="acme")
        found = await told(it, 2, CONVERGED_S)
        on_contact = "pe12345678_userflow_checklist_task_completed_contact"
        assert found == {
            (on_contact, contact, "First"): 1,
            ("pe12345678_userflow_checklist_task_completed_deal", deal, "First"): 1,
        }
        await it.command("integration", "pause", "acme")
        await track(it, user, "Second")
        await it.idle()
        assert (await told(it, 2, 0)).total() == 2
        first = (TASK_COMPLETED, "sent", contact)
        assert await explained(it, "userflow", "users", user) == [(TASK_COMPLETED, "parked", contact), first]
        await it.command("integration", "resume", "acme")
        found = await told(it, 3, CONVERGED_S)
        assert found[on_contact, contact, "Second"] == 1
        assert found.total() == 3
        assert await explained(it, "userflow", "users", user) == [first, first]
        assert await it.dead_letters() == []
