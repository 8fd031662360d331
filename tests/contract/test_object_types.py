"""One behaviour for every object type of every system: what the runner relies on, whatever it reads and writes."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from connectors.contract.account import Account
from connectors.contract.sink import Answered, RefusedFields, Vanished, Write
from connectors.contract.source import Gone, News, Seen
from connectors.simulation import Simulator, VendorClock
from connectors.userflow.account import assemble
from connectors.userflow.simulator import UserflowSettings, UserflowSimulator
from schemas.records import Notification
from schemas.values import FieldValue
from tests.unit.connectors.feeding import FedAccount
from tests.unit.connectors.hubspot import account as hubspot_account
from tests.unit.connectors.simulation.simulated import RECEIVER_URL, Receiver, ToldTime, eventually
from tests.unit.connectors.userflow import account as userflow_account


@dataclass(frozen=True)
class Kind:
    """An object type with an object that is there, a text field and a number field; `bad` is what it refuses."""

    system: str
    object_type: str
    object_id: str
    text: str
    number: str
    bad: FieldValue
    source: str = "webhooks"  # how its news are heard of


KINDS = [
    Kind("hubspot", "contacts", "1", "jobtitle", "seats", "many"),
    Kind("hubspot", "companies", "10", "name", "numberofemployees", "many"),
    Kind("hubspot", "deals", "20", "dealname", "amount", "many"),
    Kind("hubspot", "2-77", "30", "slug", "seats", "many"),
    Kind("userflow", "users", "u-1", "plan", "logins", "many"),
    Kind("userflow", "companies", "acme", "name", "mrr", "many"),
]
ASKED = [
    *(replace(kind, source=source) for kind in KINDS if kind.system == "hubspot" for source in ("journal", "poll")),
    *(replace(kind, source="poll") for kind in KINDS if kind.system == "userflow"),
]
"""The same where the vendor sends nothing, and is asked."""
MISSING = "999999"


@dataclass
class Bench:
    """A vendor with one object type under test."""

    kind: Kind
    simulator: Simulator[Any]
    account: Account
    receiver: Receiver
    fed: FedAccount | None = None  # where it is asked for its news

    async def read(self, object_id: str) -> Seen | Gone:
        [found] = await self.account.source.read(self.kind.object_type, [object_id], "live_read")
        return found

    async def write(self, object_id: str, **fields: FieldValue) -> Sequence[Any]:
        return await self.account.sink.write([Write(self.kind.object_type, object_id, fields)], lambda: True)

    def held(self, name: str) -> str:
        row = self.simulator.read_object(self.kind.object_type, self.kind.object_id)
        return str(row[self.simulator.FIELDS].get(name))

    async def news(self, about: str) -> list[News]:
        """What the webhooks so far tell of one object, once they have come."""
        told: list[News] = []
        if self.fed is not None:
            await self.fed.round()
            return [item for item in self.fed.news() if item.object_id == about]

        def arrived() -> bool:
            told[:] = [item for request in self.receiver.requests for item in self._translated(request.raw)]
            return any(item.object_id == about for item in told)

        await eventually(arrived)
        return [item for item in told if item.object_id == about]

    async def noticed(self) -> None:
        """Whatever was done so far was heard of, and is no news any more."""
        if self.fed is not None:
            await self.fed.round()
            self.fed.forget()

    def _translated(self, body: bytes) -> Sequence[News]:
        system: Any = self.kind.system
        return self.account.source.translate(Notification("acme", system, body, {}, self.simulator.clock.now_ms())).news


@asynccontextmanager
async def opened(kind: Kind) -> AsyncIterator[Bench]:
    receiver = Receiver()
    if kind.system == "hubspot":
        told: dict[str, Any] = {"webhooks": True, "webhook_target_url": RECEIVER_URL}
        told = told if kind.source == "webhooks" else {"source": kind.source}
        secrets = hubspot_account.OAUTH if kind.source == "journal" else None
        portal = hubspot_account.opened(receiver.transport, secrets=secrets, **told)
        async with portal.portal:
            bench = Bench(kind, portal.portal, portal.account, receiver)
            if kind.source != "webhooks":
                await portal.account.setup.provision(hubspot_account.WANTED, ())
                bench.fed = FedAccount(portal.account, portal.now)
                await bench.noticed()
            yield bench
        return
    settings = UserflowSettings(latency_ms=0, rate_per_s=None, max_in_flight=None, webhook_target_url=RECEIVER_URL)
    now = ToldTime()
    clock = VendorClock(wall=now, monotonic=now) if kind.source == "poll" else None
    simulator = UserflowSimulator(settings, webhook_transport=receiver.transport, clock=clock)
    simulator.load(userflow_account.SEED)
    opening = replace(userflow_account.opening(userflow_account.Incidents()), options={"source": kind.source})
    async with simulator:
        account = assemble(opening, userflow_account.InProcess(simulator), userflow_account.KEY)
        bench = Bench(kind, simulator, account, receiver)
        if kind.source == "poll":
            bench.fed = FedAccount(account, now)
            await bench.noticed()
        yield bench


@pytest.fixture(params=[*KINDS, *ASKED], ids=lambda kind: f"{kind.system}-{kind.object_type}-{kind.source}")
async def it(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    async with opened(request.param) as bench:
        yield bench
        assert bench.simulator.created_by_api == 0


async def test_a_read_shows_the_fields_in_their_types(it: Bench) -> None:
    found = await it.read(it.kind.object_id)
    assert isinstance(found, Seen)
    assert found.object_id == it.kind.object_id
    assert {it.kind.text, it.kind.number} <= found.fields.keys()
    assert not isinstance(found.fields[it.kind.number].value, str)


async def test_what_is_not_there_is_gone(it: Bench) -> None:
    assert isinstance(await it.read(MISSING), Gone)


async def test_a_crawl_shows_every_object_once(it: Bench) -> None:
    seen, cursor, pages = [], None, 0
    while pages == 0 or cursor is not None:
        page = await it.account.source.page(it.kind.object_type, cursor)
        seen += [found.object_id for found in page.objects]
        cursor, pages = page.cursor, pages + 1
    assert sorted(seen) == sorted(row["id"] for row in it.simulator.list_objects(it.kind.object_type))


async def test_a_write_is_answered_with_what_is_stored(it: Bench) -> None:
    fields: dict[str, FieldValue] = {it.kind.text: "Neu", it.kind.number: 42}
    results = await it.write(it.kind.object_id, **fields)
    stored = {name: value for result in results for name, value in result.stored.items()}
    assert all(isinstance(result, Answered) for result in results)
    assert stored == fields
    assert (it.held(it.kind.text), it.held(it.kind.number)) == ("Neu", "42")
    [found] = await it.account.source.read(it.kind.object_type, [it.kind.object_id], "bulk_read")
    assert isinstance(found, Seen)
    assert {name: found.fields[name].value for name in fields} == fields


async def test_null_clears(it: Bench) -> None:
    await it.write(it.kind.object_id, **{it.kind.text: None})
    found = await it.read(it.kind.object_id)
    assert isinstance(found, Seen)
    assert found.fields[it.kind.text].value is None


async def test_a_write_to_what_is_not_there_makes_nothing(it: Bench) -> None:
    [result] = await it.write(MISSING, **{it.kind.text: "Neu"})
    assert isinstance(result, Vanished)
    assert MISSING not in [row["id"] for row in it.simulator.list_objects(it.kind.object_type)]


async def test_a_refused_field_does_not_hold_up_the_others(it: Bench) -> None:
    results = await it.write(it.kind.object_id, **{it.kind.text: "Neu", it.kind.number: it.kind.bad})
    refused = [result for result in results if isinstance(result, RefusedFields)]
    assert [result.fields for result in refused] == [(it.kind.number,)]
    assert it.held(it.kind.text) == "Neu"


async def test_an_edit_of_a_person_is_news_of_its_type(it: Bench) -> None:
    it.simulator.edit_object(it.kind.object_type, it.kind.object_id, {it.kind.text: "Neu"})
    news = await it.news(it.kind.object_id)
    assert {(item.object_type, item.operation) for item in news} == {(it.kind.object_type, "upserted")}
    values = [item.fields[it.kind.text].value for item in news if it.kind.text in item.fields]
    if it.kind.source == "poll" and it.kind.system == "hubspot":  # a search tells only that it changed: it is read
        found = await it.read(it.kind.object_id)
        assert isinstance(found, Seen)
        values = [found.fields[it.kind.text].value]
    assert set(values) == {"Neu"}


async def test_a_new_object_is_news(it: Bench) -> None:
    made = it.simulator.create_object(it.kind.object_type, {it.kind.text: "Neu"}, object_id="77")["id"]
    assert {item.operation for item in await it.news(made)} == {"upserted"}


async def test_a_deleted_object_is_gone(it: Bench) -> None:
    it.simulator.delete_object(it.kind.object_type, it.kind.object_id)
    assert isinstance(await it.read(it.kind.object_id), Gone)
    if it.kind.system == "hubspot":
        assert {item.operation for item in await it.news(it.kind.object_id)} == {"deleted"}


async def test_a_restored_object_is_news_and_there_again(it: Bench) -> None:
    if it.kind.system == "userflow":
        pytest.skip("Userflow restores nothing")
    it.simulator.delete_object(it.kind.object_type, it.kind.object_id, silent=True)
    await it.noticed()
    it.simulator.restore_object(it.kind.object_type, it.kind.object_id)
    assert {item.operation for item in await it.news(it.kind.object_id)} == {"upserted"}
    assert isinstance(await it.read(it.kind.object_id), Seen)


async def test_a_merged_object_leads_to_the_one_that_is_left(it: Bench) -> None:
    if it.kind.system == "userflow":
        pytest.skip("Userflow merges nothing")
    it.simulator.create_object(it.kind.object_type, {it.kind.text: "Other"}, object_id="77", silent=True)
    left = it.simulator.merge_objects(it.kind.object_type, it.kind.object_id, "77")["id"]
    for merged in (it.kind.object_id, "77"):
        found = await it.read(merged)
        assert isinstance(found, Gone)
        assert found.merged_into == left
        assert {(item.operation, item.merged_into) for item in await it.news(merged)} == {("deleted", left)}
    assert {item.operation for item in await it.news(left)} == {"upserted"}
    assert isinstance(await it.read(left), Seen)
    [result] = await it.write(it.kind.object_id, **{it.kind.text: "Neu"})
    assert isinstance(result, Vanished)
    assert result.merged_into == left
