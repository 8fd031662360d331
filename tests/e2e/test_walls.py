"""What one integration, object, type or command does wrong stops there: everything else goes on, on the whole road."""

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from connectors.hubspot.simulator.webhooks import signature_v3
from connectors.kafka.cluster import Cluster
from pipeline.local.stack import Stack
from schemas.records import DeadLetter
from schemas.topics import DEAD_LETTERS, INTEGRATIONS, RECEIPTS, RUNS
from tests.e2e.customers import (
    ACCOUNTS,
    DOWN,
    FILE,
    PAIRED_S,
    PEOPLE,
    SPARE,
    WELL,
    Customer,
    command,
    customers,
    run,
    secrets_of,
)
from tests.e2e.looking import standing
from tests.e2e.world import eventually, read_topic
from tests.kafka import Kafka

ARRIVES_S = 20.0
RECOVERED_S = 90.0
ROLES = ("hubspot-connector", "userflow-connector", "receiver", "worker", "scheduler")
DIGITS = "9" * 400
HTML = {"content-type": "text/html"}
HALF = b"1\xed\xa0\x80"  # the id of an object: one digit and half of a character
ID_CHARACTERS, VALUE_BYTES = 6_000, 989_500
pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True)
class Two:
    """Two integrations in step on one pipeline: what is done wrong is done to the second, or by a command."""

    running: Stack
    folder: Path
    well: Customer
    down: Customer
    spare: Customer

    async def listed(self, name: str, state: str) -> bool:
        """Whether the list of integrations shows one in that state."""
        return any(
            line.split()[:2] == [name, state] for line in (await self.run("integration", "list"))[1].splitlines()
        )

    def restarts(self) -> int:
        return sum(map(self.running.supervisor.restarts, ROLES))

    async def letters(self) -> list[DeadLetter]:
        cluster = Cluster(
            {"bootstrap.servers": self.running.endpoints.kafka_bootstrap_servers}, self.running.settings.prefix
        )
        found = await asyncio.to_thread(read_topic, cluster, DEAD_LETTERS)
        return [letter for letter in found if letter.integration == DOWN]

    async def reported(self) -> Counter[str]:
        """What became of the first integration's work, and how often."""
        return standing(await self.records(INTEGRATIONS), await self.records(RECEIPTS))

    async def runs(self) -> set[str]:
        """The full syncs of the first integration, under way or over."""
        return {row.run_id for row in await self.records(RUNS)}

    async def records(self, topic: str) -> list[Any]:
        """All that a topic holds of the first integration."""
        cluster = Cluster(
            {"bootstrap.servers": self.running.endpoints.kafka_bootstrap_servers}, self.running.settings.prefix
        )
        return [one for one in await asyncio.to_thread(read_topic, cluster, topic) if one.integration == WELL]

    async def reasons(self) -> set[str]:
        return {letter.reason for letter in await self.letters()}

    async def run(self, *words: str, **more: str) -> tuple[int, str]:
        return await run(self.running, *words, **more)

    async def apply(self, name: str, account: int, of: str, *words: str, **more: str) -> tuple[int, str]:
        """Apply a file of that name and account, with the HubSpot credentials of another customer."""
        path = self.folder / f"{name}-{account}.yaml"
        path.write_text(FILE.format(name=name, account=account))
        secrets = secrets_of(of) | {"USERFLOW_API_KEY": f"ak_{name if name in ACCOUNTS else SPARE}"}
        return await self.run("apply", str(path), "--yes", *words, **secrets | more)

    def told(self, body: bytes) -> int:
        """The status of the answer to a webhook request of the second account, signed as HubSpot does."""
        url, timestamp = self.down.hubspot.settings.webhook_target_url or "", str(time.time_ns() // 1_000_000)
        headers = {
            "content-type": "application/json",
            "x-hubspot-signature-v3": signature_v3(f"secret-{DOWN}", "POST", url, body, timestamp),
            "x-hubspot-request-timestamp": timestamp,
        }
        try:
            with urllib.request.urlopen(urllib.request.Request(url, body, headers, method="POST")) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    async def shown(self, value: str) -> int:
        """How many users of the second show the value of their contact."""
        rows = self.down.userflow.list_objects("users")
        return sum(row["attributes"].get("hubspot_contact_jobtitle") == value for row in rows)

    async def honest_goes_on(self, value: str) -> None:
        self.well.edit(value)
        await self.well.shows(value, ARRIVES_S)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def two(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Two]:
    folder = tmp_path_factory.mktemp("walls")
    async with customers(folder, kafka) as (running, well, down, spare):
        for one in (well, down):
            one.seed()
            await command(running, folder, one.name)
        for one in (well, down):
            await one.shows("new", PAIRED_S)
        yield Two(running, folder, well, down, spare)


async def test_a_vendor_that_is_down_delays_no_other_integration(two: Two) -> None:
    two.down.hubspot.add_faults([{"match": {}, "action": "timeout_before_effect", "after_ms": 5_000}])
    two.down.edit("while down")
    for number in range(5):
        await two.honest_goes_on(f"round {number}")
    assert two.down.missing("while down") > 0

    two.down.hubspot.faults.clear()
    await two.down.shows("while down", RECOVERED_S)


def fault(status: int, path: str = "", body: Any = None, **more: Any) -> dict[str, Any]:
    """A rule by which a simulator answers once: `status`, `body` and `headers`."""
    match = {"path_contains": path} if path else {}
    return {"match": match, "action": "status", "status": status, "body": body, "times": 1, **more}


async def test_poison_in_one_integration_leaves_letters_there_and_the_other_as_it_is(two: Two) -> None:
    before, account = two.restarts(), ACCOUNTS[DOWN]
    event = {"eventId": 1, "subscriptionType": "contact.creation", "portalId": account}
    unreadable = json.dumps([{**event, "objectId": {}}]).encode()
    halves = [json.dumps([{**event, "objectId": "1"}]).encode().replace(b'"1"', b'"' + HALF + b'"')]
    halves.append(json.dumps([{**event, "objectId": "\ud800"}]).encode())
    for body in (unreadable, *halves):
        assert two.told(body) < 500
    two.told(json.dumps([{**event, "objectId": "1\ud800"}]).encode("utf-16"))

    contacts = [row["id"] for row in two.down.hubspot.list_objects("contacts")]
    bad = {"match": {"object_id": contacts[0]}, "action": "status", "status": 403, "body": {}}
    odd = (
        {"set-cookie": "a=\xe4"},
        {"x-hubspot-ratelimit-interval-milliseconds": DIGITS, "x-hubspot-ratelimit-max": DIGITS},
        {"retry-after": "x"},
        {"x-hubspot-ratelimit-remaining": "-1"},
    )
    two.down.hubspot.add_faults([bad, *(fault(503, headers=headers) for headers in odd)])
    page = {"object": "list", "data": [], "has_more": True, "next_page_url": "http://[x"}
    two.down.userflow.add_faults([fault(404, body="<h1>", headers=HTML), fault(200, body=page), fault(200, body=[])])
    two.down.edit("poisoned")
    await two.honest_goes_on("meanwhile")

    await eventually(lambda: two.shown("poisoned"), lambda arrived: arrived >= PEOPLE - 1, ARRIVES_S)
    assert await two.shown("poisoned") >= PEOPLE - 1
    expected = {"malformed_notification", "forbidden"}
    assert await eventually(two.reasons, expected.issubset, ARRIVES_S) >= expected
    two.down.hubspot.faults.clear()
    two.down.userflow.faults.clear()
    two.down.edit("well again")
    await two.down.shows("well again", 3 * ARRIVES_S)
    assert two.restarts() == before


async def test_an_object_that_no_message_holds_ends_as_a_letter(two: Two) -> None:
    """Its value fits a message, but not with an id of 6,000 characters in key and headers: the connector ended."""
    before = two.restarts()
    email = {"email": "long@down.example"}
    two.down.hubspot.create_object("contacts", email)
    two.down.userflow.create_object("users", {**email, "plan": "x" * VALUE_BYTES}, object_id="u" * ID_CHARACTERS)
    await two.honest_goes_on("beside the large one")
    assert "too_large" in await eventually(two.reasons, lambda reasons: "too_large" in reasons, ARRIVES_S)
    two.down.edit("behind the large one")
    await eventually(lambda: two.shown("behind the large one"), lambda arrived: arrived >= PEOPLE, ARRIVES_S)
    assert await two.shown("behind the large one") >= PEOPLE
    assert two.restarts() == before


async def test_a_permission_lacking_for_one_verb_stops_that_verb_and_doctor_names_it(two: Two) -> None:
    body = {"category": "MISSING_SCOPES", "message": "no", "errors": []}
    two.down.hubspot.add_faults([{**fault(403, "/batch/update", body), "times": None}])
    two.down.edit("one way")
    await eventually(lambda: two.shown("one way"), lambda arrived: arrived >= PEOPLE, ARRIVES_S)
    assert await two.shown("one way") >= PEOPLE

    async def doctor() -> str:
        return (await two.run("doctor"))[1]

    told = await eventually(doctor, lambda text: "may not write" in text, ARRIVES_S)
    assert "may not write contacts (missing_scopes)" in told, told
    two.down.hubspot.faults.clear()


async def test_one_digit_of_an_account_mistyped_is_refused_and_what_is_in_force_stays(two: Two) -> None:
    code, told = await two.apply(WELL, ACCOUNTS[WELL] + 1, WELL)
    assert (code, "wrong_account" in told) == (1, True), told
    assert await two.listed(WELL, "active")
    await two.honest_goes_on("after the typo")


async def test_a_first_apply_that_is_refused_leaves_no_ghost_and_what_nobody_waited_for_can_be_forgotten(
    two: Two,
) -> None:
    code, told = await two.apply("ghost", ACCOUNTS[SPARE] + 1, SPARE)
    assert (code, "wrong_account" in told) == (1, True), told
    assert "ghost" not in (await two.run("integration", "list"))[1]

    assert (await two.apply("ghost", ACCOUNTS[SPARE] + 1, SPARE, "--no-wait"))[0] == 0

    async def listed() -> str:
        return (await two.run("integration", "list"))[1]

    refused = "ghost: its last apply was refused"
    assert refused in await eventually(listed, lambda text: refused in text, ARRIVES_S)
    assert await two.listed("ghost", "disconnected")
    code, told = await two.run("integration", "forget", "ghost")
    assert (code, told.splitlines()[0]) == (0, "ghost: forgotten")  # behind it stderr, with what it was about to do
    assert "ghost" not in await listed()


@pytest.mark.parametrize(
    ("wrong", "line"),
    [({"HUBSPOT_TOKEN": "pat-typo"}, "hubspot.token"), ({"USERFLOW_API_KEY": "ak_typo"}, "userflow.api_key")],
)
async def test_wrong_credentials_of_the_same_account_cost_the_running_integration_nothing(
    two: Two, wrong: dict[str, str], line: str
) -> None:
    """They took the place of those in force until they were refused: patches were parked, and a full sync began."""
    reported, runs = await two.reported(), await two.runs()
    applying = asyncio.create_task(two.apply(WELL, ACCOUNTS[WELL], WELL, **wrong))
    turn = 0
    while not applying.done():
        await two.honest_goes_on(f"{line} meanwhile {turn}")
        turn += 1
    code, told = await applying
    assert (code, f"{line}: " in told, "(unauthorized)" in told) == (1, True, True), told
    await two.honest_goes_on(f"after a wrong {line}")

    assert set(await two.reported() - reported) <= {"ok"}, "what was in force did not work, or parked something"
    assert await two.runs() == runs, "a full sync began"
    shown = (await two.run("integration", "show", WELL))[1]
    assert f"its last apply was refused: {line} (" in shown


async def test_an_account_that_cannot_be_prepared_leaves_what_is_in_force_and_takes_over_once_it_can(two: Two) -> None:
    """The last test of this world: the honest integration speaks for another account after it."""
    body = {"category": "MISSING_SCOPES", "message": "no", "errors": []}
    two.spare.hubspot.add_faults([{**fault(403, "/properties", body), "match": {"method": "POST"}, "times": None}])
    code, told = await two.apply(WELL, ACCOUNTS[SPARE], SPARE)
    assert (code, "missing_scopes" in told) == (1, True), told
    assert await two.listed(WELL, "active")
    await two.honest_goes_on("after the refusal")

    two.spare.hubspot.faults.clear()
    assert (await two.apply(WELL, ACCOUNTS[SPARE], SPARE))[0] == 0
