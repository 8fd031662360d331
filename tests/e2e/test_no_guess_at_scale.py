"""Nobody is written by guess among thousands: match values that several hold, of three object types.

3,000 users and companies of Userflow, 6,000 contacts, companies and deals of HubSpot, in a seed's order. Two objects of
each HubSpot type hold each of 200 values, and two users each of 200 others (companies are matched by an id, which none
shares in Userflow). Another order: PAIRSTREAM_E2E_SEED=7.
"""

import asyncio
import json
import os
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from tests.e2e.world import World, measured, world
from tests.kafka import Kafka

SEED = int(os.environ.get("PAIRSTREAM_E2E_SEED", "1"))
HUBSPOT_OBJECTS, USERFLOW_OBJECTS, SHARED = 6_000, 3_000, 200
CHUNK = 1_000
EDITS_A_TYPE = 100  # of shared values, while the run is under way
EVERY_S = 0.05
FILE: Final = """\
integration: acme
hubspot:
  account: 12345678
  app_secret: ${HUBSPOT_APP_SECRET}
  token: ${HUBSPOT_TOKEN}
userflow:
  environment: production
  api_key: ${USERFLOW_API_KEY}
mappings:
  - name: people
    hubspot: contacts
    userflow: users
    match: {hubspot: key, userflow: email}
    to_userflow: [shown]
    to_hubspot: [plan]
  - name: firms
    hubspot: companies
    userflow: companies
    match: {hubspot: key, userflow: id}
    to_userflow: [shown]
    to_hubspot: [plan]
  - name: contracts
    hubspot: deals
    userflow: companies
    match: {hubspot: key, userflow: id}
    to_userflow: [shown]
    to_hubspot: [plan]
"""
USERFLOW_OF: Final = {"contacts": "users", "companies": "companies", "deals": "companies"}
SHOWN: Final = {
    kind: f"hubspot_{one}_shown" for kind, one in (("contacts", "contact"), ("companies", "company"), ("deals", "deal"))
}
PLAN: Final = {"contacts": "userflow_user_plan", "companies": "userflow_company_plan", "deals": "userflow_company_plan"}
PROPERTIES: Final = [{"name": "key", "type": "string"}, {"name": "shown", "type": "string"}]
ATTRIBUTES: Final = [{"scope": scope, "name": "plan", "data_type": "string"} for scope in ("user", "group")]


@dataclass
class Crowd:
    """The objects of one world: who holds which key, in an order of chance."""

    chance: random.Random
    hubspot: dict[str, list[str]] = field(default_factory=dict)
    userflow: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        keys = [f"k{n}@example.com" for n in range(HUBSPOT_OBJECTS + SHARED)]
        twice_here, twice_there = keys[:SHARED], keys[SHARED : 2 * SHARED]
        for kind in USERFLOW_OF:
            self.hubspot[kind] = self._mixed([*twice_here, *keys[: HUBSPOT_OBJECTS - SHARED]])
        self.userflow["users"] = self._mixed([*twice_there, *keys[: USERFLOW_OBJECTS - SHARED]])
        self.userflow["companies"] = self._mixed(keys[:USERFLOW_OBJECTS])

    def ambiguous(self, kind: str) -> set[str]:
        """Keys of a HubSpot type that several hold on one side or the other, and that both sides hold."""
        here, there = Counter(self.hubspot[kind]), Counter(self.userflow[USERFLOW_OF[kind]])
        return {key for key in here.keys() & there.keys() if here[key] > 1 or there[key] > 1}

    def linked(self, kind: str) -> set[str]:
        here, there = Counter(self.hubspot[kind]), Counter(self.userflow[USERFLOW_OF[kind]])
        return {key for key in here.keys() & there.keys() if here[key] == there[key] == 1}

    def _mixed(self, keys: list[str]) -> list[str]:
        self.chance.shuffle(keys)
        return keys


@pytest.mark.by_hand  # minutes; `test_no_guess.py` has the small one
async def test_three_types_with_shared_values_in_any_order(kafka: Kafka, tmp_path: Path) -> None:
    crowd = Crowd(random.Random(SEED))
    async with world(tmp_path, kafka) as it:
        await it.hubspot.define({"properties": dict.fromkeys(USERFLOW_OF, PROPERTIES)})
        await it.userflow.define({"attribute_definitions": ATTRIBUTES})
        await _create(it, crowd)
        editing = asyncio.create_task(_edits(it, crowd))
        await it.apply(FILE)

        answer = await it.answer("full-sync", "start", "acme", "--wait", "--supersede", "--format", "json")
        await editing
        await it.idle()

        told = json.loads(answer.splitlines()[-1])
        measured(f"seed {SEED}: {json.dumps(told)}")
        for kind, of in USERFLOW_OF.items():
            here, there = await it.hubspot.objects(kind), await it.userflow.objects(of)
            assert {one["key"] for one in here.values() if one.get(PLAN[kind])} == crowd.linked(kind)
            assert {_key(of, *one) for one in there.items() if one[1].get(SHOWN[kind])} == crowd.linked(kind)
        assert told["state"] == "completed"
        assert told["pairs"] == sum(len(crowd.linked(kind)) for kind in USERFLOW_OF)
        assert told["ambiguous"] == sum(len(crowd.ambiguous(kind)) for kind in USERFLOW_OF)
        assert await it.created_by_api() == 0


def _key(kind: str, object_id: str, fields: Mapping[str, Any]) -> str:
    """The match value of an object of Userflow."""
    return str(fields["email"]) if kind == "users" else object_id


async def _create(it: World, crowd: Crowd) -> None:
    for kind, keys in crowd.hubspot.items():
        made = [
            {"operation": "create", "type": kind, "silent": True, "properties": {"key": key, "shown": f"of {key}"}}
            for key in keys
        ]
        for start in range(0, len(made), CHUNK):
            await it.hubspot.bulk(made[start : start + CHUNK])
    for kind, keys in crowd.userflow.items():
        people = kind == "users"
        made = [
            {
                "operation": "create",
                "type": kind,
                "silent": True,
                "id": f"user-{n}" if people else key,
                "attributes": {"plan": f"of {key}", **({"email": key} if people else {})},
            }
            for n, key in enumerate(keys)
        ]
        for start in range(0, len(made), CHUNK):
            await it.userflow.bulk(made[start : start + CHUNK])


async def _edits(it: World, crowd: Crowd) -> None:
    """Somebody edits some of those who share a value, on both sides, from before the first read on."""
    for kind, of in USERFLOW_OF.items():
        shared = crowd.ambiguous(kind)
        here = [id for id, one in (await it.hubspot.objects(kind)).items() if one["key"] in shared]
        there = [id for id, one in (await it.userflow.objects(of)).items() if _key(of, id, one) in shared]
        for _ in range(EDITS_A_TYPE):
            await it.hubspot.edit(kind, crowd.chance.choice(here), {"shown": "live"})
            await it.userflow.edit(of, crowd.chance.choice(there), {"plan": "live"})
            await asyncio.sleep(EVERY_S)
