"""An integration that streams Userflow's events to timelines, and what people do in Userflow."""

import json
from collections import Counter

from tests.e2e.world import World, eventually

OAUTH = {
    "HUBSPOT_CLIENT_SECRET": "hubspot-client-secret",
    "HUBSPOT_REFRESH_TOKEN": "hubspot-refresh-token",
}
APP_EVENTS = """\
integration: acme
hubspot:
  account: 12345678
  app_secret: ${HUBSPOT_APP_SECRET}
  oauth:
    client_id: hubspot-client
    client_secret: ${HUBSPOT_CLIENT_SECRET}
    refresh_token: ${HUBSPOT_REFRESH_TOKEN}
userflow:
  environment: production
  api_key: ${USERFLOW_API_KEY}
mappings:
  - name: contacts-users
    hubspot: contacts
    userflow: users
    match: {hubspot: email, userflow: email}
    to_userflow: [jobtitle, lifecyclestage]
    to_hubspot: [plan]
    stream_events: true
  - name: companies
    hubspot: companies
    userflow: companies
    match: {hubspot: domain, userflow: id}
    stream_events: [checklist_task_completed]
"""
TASK_COMPLETED = "checklist_task_completed"


async def track(it: World, user_id: str, task: str, **more: str) -> str:
    """Somebody completes a task of a checklist; returns the event's id."""
    attributes = {"checklist_name": "Getting started", "checklist_task_name": task}
    return await it.userflow.track({"name": TASK_COMPLETED, "user_id": user_id, "attributes": attributes, **more})


async def tasks_told(it: World) -> Counter[tuple[str, str, str]]:
    """How often each task is on each timeline: (event type, object id, task)."""
    return Counter(
        (
            str(told.get("eventTypeName") or told["eventName"]),
            str(told["objectId"]),
            str(told["properties"].get("checklist_task_name")),
        )
        for told in await it.hubspot.events()
    )


async def told(it: World, number: int, within_s: float) -> Counter[tuple[str, str, str]]:
    """What is on the timelines once it is so many events, or when time is up."""
    return await eventually(lambda: tasks_told(it), lambda found: found.total() >= number, within_s)


async def explained(it: World, *named: str) -> list[tuple[str, str, str | None]]:
    """What `explain` says of an object's events, newest first: the event, its word, the HubSpot record's id."""
    about = json.loads(await it.answer("explain", *named, "--format", "json"))["explanations"][0]
    events = about["events"]["happened"]
    return [(one["name"], on["word"], on["object_id"]) for one in events for on in one["timelines"]]
