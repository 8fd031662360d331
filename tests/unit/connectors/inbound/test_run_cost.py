"""What the reading of a run costs by the simulators' own logs: Userflow listed, HubSpot asked for a hundred at once.

`RUN_COST_USERS=50000` plays it with so many users among ten times as many contacts; the default takes a second.
"""

import asyncio
import os
from collections import Counter

from connectors.inbound.crawl import crawl
from connectors.inbound.lookups import Lookups
from connectors.inbound.run_parts import AskedTally
from schemas.records import Cause, ChangeEvent, ConnectorRequest
from schemas.runs import RunProgress
from schemas.values import FieldDefinition
from tests.unit.connectors.fake_clock import InstantClock
from tests.unit.connectors.hubspot.account import DEFINITIONS, WANTED, opened
from tests.unit.connectors.session.contexts import Told, context_of
from tests.unit.connectors.userflow.account import world

USERS = int(os.environ.get("RUN_COST_USERS", "500"))
CONTACTS_A_USER = 10
EMAIL = FieldDefinition("email", "string", unique=True)


async def test_a_run_costs_a_call_for_a_hundred_users_on_either_side() -> None:
    hubspot = opened(search_lag_ms=0)
    hubspot.catalog.replace(WANTED, {**DEFINITIONS, "contacts": {**DEFINITIONS["contacts"], "email": EMAIL}})
    for number in range(USERS * CONTACTS_A_USER):
        hubspot.portal.create_object("contacts", {"email": f"many{number}@example.com"}, silent=True)
    async with world() as userflow:
        for number in range(USERS):
            userflow.simulator.create_object(
                "users", {"email": f"many{number}@example.com"}, object_id=f"many-{number}", silent=True
            )
        before = Counter(hubspot.portal.log.counters), Counter(userflow.simulator.log.counters)

        context, told = context_of(
            "userflow", InstantClock(), account=userflow.account, catalog=userflow.opening.catalog
        )
        assert await crawl(context, ConnectorRequest("acme", 1, "crawl", "users", run_id="run-1"), Cause("", -1, -1, 0))
        emails = [str(one.fields["email"].value) for one in _changes(told)]
        found = await _asked(hubspot.account, hubspot.catalog, [one for one in emails if one.startswith("many")])

        listed = Counter(userflow.simulator.log.counters) - before[1]
        asked = Counter(hubspot.portal.log.counters) - before[0]
    pages = USERS // 100
    assert pages <= listed.total() <= pages + 1, listed
    assert asked.total() == pages, asked
    assert len({one.object_id for one in _changes(found)}) == USERS
    rows = [one for one in (*told.published, *found.published) if isinstance(one, RunProgress)]
    assert {row.part: row.calls for row in rows} == {
        "userflow.users": listed.total(),
        "hubspot.contacts/asked": asked.total(),
    }


async def _asked(account: object, catalog: object, emails: list[str]) -> Told:
    """Ask HubSpot for the addresses, a hundred a request, as PAIRS does."""
    context, told = context_of("hubspot", InstantClock(), account=account, catalog=catalog)
    tasks: list[asyncio.Task[None]] = []
    under_test = Lookups(context, lambda work: tasks.append(asyncio.ensure_future(work)), AskedTally(context))
    finished: list[int] = []
    for start in range(0, len(emails), 100):
        request = ConnectorRequest(
            "acme", 1, "lookup", "contacts", tuple(emails[start : start + 100]), "email", "people", run_id="run-1"
        )
        under_test.take(request, None, lambda start=start: finished.append(start))  # type: ignore[misc]
    await asyncio.gather(*tasks)
    assert len(finished) == len(emails) / 100
    return told


def _changes(told: Told) -> list[ChangeEvent]:
    return [one for one in told.published if isinstance(one, ChangeEvent)]
