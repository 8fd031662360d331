"""Setting Userflow up: what fields there are, one subscription, whether the key works."""

import dataclasses
import json
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace

import pytest

from connectors.contract.errors import CredentialsRejected, Misconfigured, Refused
from connectors.http.messages import Request, Response
from connectors.simulation.server import serve
from connectors.userflow.account import assemble, open_account
from connectors.userflow.simulator import UserflowSettings, UserflowSimulator
from connectors.userflow.simulator.webhooks import Subscription
from schemas.configuration import DescribedField
from tests.unit.connectors.userflow.account import SEED, WEBHOOK_URL, Incidents, World, opening, world

ALL_TOPICS = ("user", "group", "event.tracked")


@pytest.fixture
async def userflow() -> AsyncIterator[World]:
    async with world() as made:
        yield made


def subscriptions(userflow: World) -> list[Subscription]:
    return list(userflow.simulator.environment.subscriptions.values())


async def provisioned(userflow: World, **secrets: str) -> str | None:
    return (await userflow.again(secrets).setup.provision({"users": (), "companies": ()}, ())).webhook_secret


async def test_fields_that_mappings_use_and_that_exist(userflow: World) -> None:
    described = await userflow.account.setup.describe(
        {"users": ("id", "joined", "last_flow", "unheard_of"), "companies": ("mrr",)}
    )
    assert sorted(described.fields, key=lambda one: (one.object_type, one.name)) == [
        DescribedField("companies", "id", "Id", "string", read_only=True),
        DescribedField("companies", "mrr", "MRR", "number"),
        DescribedField("users", "id", "Id", "string", read_only=True),
        DescribedField("users", "joined", "Joined", "datetime"),
        DescribedField("users", "last_flow", "Last flow", "string"),
    ]


async def test_no_name_asks_for_every_attribute_of_a_type(userflow: World) -> None:
    every = {one.name for one in (await userflow.account.setup.describe({"users": ()})).fields}
    assert every > {"id", "joined", "last_flow"}
    assert (await userflow.account.setup.describe({})).fields == []


async def test_definitions_on_several_pages(userflow: World) -> None:
    names = [f"a_{number}" for number in range(230)]
    userflow.simulator.define(
        {"attribute_definitions": [{"name": name, "scope": "user", "data_type": "list"} for name in names]}
    )
    described = (await userflow.account.setup.describe({"users": names})).fields
    assert {one.name for one in described} == {"id", *names}
    assert all(one.type == "list" for one in described[1:])


async def test_a_subscription_is_made_once(userflow: World) -> None:
    first = await provisioned(userflow)
    assert [(one.url, one.topics, one.secret) for one in subscriptions(userflow)] == [(WEBHOOK_URL, ALL_TOPICS, first)]
    assert await provisioned(userflow) == first
    assert len(subscriptions(userflow)) == 1
    assert userflow.transport.verbs == ["GET", "POST", "GET"]


async def test_how_the_subscription_stands_is_asked_without_a_change(userflow: World) -> None:
    setup, fields = userflow.account.setup, {"users": (), "companies": ()}
    assert await setup.subscribed(fields) == "missing"
    await provisioned(userflow)
    assert await setup.subscribed(fields) == "ok"
    (there,) = userflow.simulator.environment.subscriptions
    made = userflow.simulator.environment.subscriptions[there]
    userflow.simulator.environment.subscriptions[there] = dataclasses.replace(made, topics=("user",))
    assert await setup.subscribed(fields) == "incomplete"
    userflow.simulator.environment.subscriptions[there] = dataclasses.replace(made, disabled=True)
    assert await setup.subscribed(fields) == "disabled"
    assert set(userflow.transport.verbs[3:]) == {"GET"}


async def test_a_rehearsal_leaves_no_subscription_and_none_of_ours_is_touched(userflow: World) -> None:
    setup = userflow.account.setup
    await setup.rehearse({"users": ()}, ())
    assert subscriptions(userflow) == []
    assert userflow.transport.verbs == ["GET", "POST", "DELETE"]
    await provisioned(userflow)
    kept = subscriptions(userflow)
    await setup.rehearse({"users": ()}, ())
    assert subscriptions(userflow) == kept


async def test_a_rehearsal_is_refused_where_provisioning_would_be(userflow: World) -> None:
    userflow.simulator.environment.subscribe(WEBHOOK_URL.replace("acme", "rival"), ALL_TOPICS)
    with pytest.raises(Misconfigured, match="environment_already_claimed"):
        await userflow.account.setup.rehearse({"users": ()}, ())
    assert len(subscriptions(userflow)) == 1


async def test_topics_follow_the_types_that_mappings_use(userflow: World) -> None:
    setup = userflow.account.setup
    secret = (await setup.provision({"users": ()}, ())).webhook_secret
    assert subscriptions(userflow)[0].topics == ("user", "event.tracked")
    assert (await setup.provision({"users": (), "companies": ()}, ())).webhook_secret == secret
    assert [one.topics for one in subscriptions(userflow)] == [ALL_TOPICS]


async def test_a_disabled_subscription_is_enabled(userflow: World) -> None:
    made = userflow.simulator.environment.subscribe(WEBHOOK_URL, ALL_TOPICS)
    userflow.simulator.environment.change_subscription(made, {"disabled": True})
    assert await provisioned(userflow) == made.secret
    assert [(one.subscription_id, one.disabled) for one in subscriptions(userflow)] == [(made.subscription_id, False)]


async def test_a_subscription_that_cannot_be_changed_is_made_anew(userflow: World) -> None:
    made = userflow.simulator.environment.subscribe(WEBHOOK_URL, ("*",))
    userflow.simulator.add_faults([{"action": "status", "status": 405, "match": {"method": "PATCH"}}])
    secret = await provisioned(userflow)
    assert secret != made.secret
    assert [(one.secret, one.topics) for one in subscriptions(userflow)] == [(secret, ALL_TOPICS)]


async def test_a_hidden_secret_that_is_known_is_kept() -> None:
    async with world(secret_on_read=False) as userflow:
        secret = await provisioned(userflow)
        assert secret is not None
        assert await provisioned(userflow, webhook_secret=secret) == secret
        setup = userflow.again({}).setup
        secret = (await setup.provision({"users": (), "companies": ()}, ())).webhook_secret
        assert (await setup.provision({"users": ()}, ())).webhook_secret == secret
        assert [one.secret for one in subscriptions(userflow)] == [secret]


async def test_a_hidden_secret_that_is_lost_costs_the_subscription() -> None:
    async with world(secret_on_read=False) as userflow:
        foreign = userflow.simulator.environment.subscribe("https://else.example.com/hook", ("*",))
        lost = await provisioned(userflow)
        found = await provisioned(userflow)
        assert found != lost
        assert [one.secret for one in subscriptions(userflow)] == [foreign.secret, found]


async def test_a_subscription_made_twice_is_made_one(userflow: World) -> None:
    first = userflow.simulator.environment.subscribe(WEBHOOK_URL, ALL_TOPICS)
    userflow.simulator.environment.subscribe(WEBHOOK_URL, ALL_TOPICS)
    assert await provisioned(userflow) == first.secret
    assert [one.subscription_id for one in subscriptions(userflow)] == [first.subscription_id]


@pytest.mark.parametrize(
    "url", ["https://pairs.example.com/webhooks/userflow/other", "http://x/a/webhooks/userflow/b/"]
)
async def test_an_environment_belongs_to_one_integration(userflow: World, url: str) -> None:
    userflow.simulator.environment.subscribe(url, ("user",))
    with pytest.raises(Misconfigured) as refused:
        await provisioned(userflow)
    assert refused.value.reason == "environment_already_claimed"
    assert [one.url for one in subscriptions(userflow)] == [url]


async def test_what_a_disconnected_integration_left_behind_is_taken_away() -> None:
    """Its connector was not there when it was disconnected, and forgot the key."""
    async with world() as userflow:
        for name in ("gone", "there"):
            userflow.simulator.environment.subscribe(WEBHOOK_URL.replace("acme", name), ("user",))
        userflow.opening = dataclasses.replace(userflow.opening, connected=lambda name: name == "there")
        with pytest.raises(Misconfigured):
            await provisioned(userflow)
        userflow.opening = dataclasses.replace(userflow.opening, connected=lambda name: False)
        await provisioned(userflow)
        assert [one.url for one in subscriptions(userflow)] == [WEBHOOK_URL]


async def test_a_subscription_is_taken_back_alone(userflow: World) -> None:
    foreign = userflow.simulator.environment.subscribe("https://else.example.com/hook", ("*",))
    await provisioned(userflow)
    await userflow.account.setup.withdraw()
    assert subscriptions(userflow) == [foreign]


async def test_an_opened_account_talks_http() -> None:
    simulator = UserflowSimulator(UserflowSettings(latency_ms=0))
    simulator.load(SEED)
    async with serve(simulator) as api_url:
        account = await open_account(opening(Incidents(), api_url))
        await account.setup.probe()
        (seen,) = await account.source.read("users", ["a/b@ü c"], "live_read")
        assert seen.object_id == "a/b@ü c"
        await account.close()


async def test_a_rejected_key(userflow: World) -> None:
    userflow.simulator.change_settings(api_keys=("ak_other",))
    with pytest.raises(CredentialsRejected):
        await userflow.account.setup.probe()


async def test_an_unknown_region() -> None:
    with pytest.raises(Misconfigured) as refused:
        await open_account(opening(Incidents(), region="mars"))
    assert refused.value.reason == "unknown_region"
    await (await open_account(opening(Incidents(), region="eu"))).close()


@pytest.mark.parametrize(
    ("ids", "reason"),
    [
        (lambda page: [f"{page}"], "paging_without_end"),
        (lambda _: ["same"], "paging_page_repeated"),
        (lambda _: [], "paging_page_empty"),
    ],
)
async def test_a_list_of_definitions_that_goes_in_a_circle_or_without_end_is_no_whole_list(
    ids: Callable[[int], list[str]], reason: str
) -> None:
    pages = 0

    async def list_more(request: Request) -> Response:
        nonlocal pages
        pages += 1
        rows = [{"id": one, "name": one, "scope": "user", "data_type": "string"} for one in ids(pages)]
        return Response(200, body=json.dumps({"data": rows, "has_more": True}).encode())

    transport = SimpleNamespace(send=list_more)
    account = assemble(opening(Incidents()), transport, "ak_key")
    with pytest.raises(Refused, match=reason):
        await account.setup.describe({"users": ("plan",)})
    with pytest.raises(Refused, match=reason):
        await account.setup.provision({"users": ()}, ())
