"""Secrets under Settings: by the key that sealed them, and no secret."""

from dataclasses import replace

import pytest
from cryptography.fernet import Fernet

from pipeline.console.paging import ON_A_PAGE
from pipeline.console.seal_rows import sealed_by
from pipeline.operations.rotate import every_seal, seals
from pipeline.secrets import SecretBox, make_key
from schemas.configuration import IntegrationPart
from schemas.topics import INTEGRATIONS
from tests.unit.pipeline.console.fixtures import InMemory, connect, in_memory
from tests.unit.pipeline.console.test_pages import HOSTILE, text
from tests.unit.pipeline.operations.test_rotate import BOX, FORMER, NEWEST, OLD, old_rows


def keyed(box: SecretBox | None = BOX) -> InMemory:
    it = in_memory(box=box)
    connect(it)
    for key, part in old_rows().items():
        it.tables.put(INTEGRATIONS, key, part)
    return it


async def shown(it: InMemory, path: str = "/settings") -> str:
    return text((await (await it.signed_in()).get(path)).text).split("kept sealed in Kafka")[1].split("Environment")[0]


async def test_each_is_told_with_the_key_that_sealed_it() -> None:
    it = keyed()
    said = await shown(it)
    assert "HubSpot grant acme key 2 of 2" in said and "newest" not in said.split("older key")[0]
    old = seals(it.desk.parts, BOX)
    assert f"{sum(old.old.values())} of {old.count} seals are of an older key" in said
    assert "pairstream secrets rotate" in said
    grant = it.tables.get(INTEGRATIONS, "acme/hubspot/grant")
    renewed = replace(grant.grant, refresh_token=BOX.seal("token-of-acme", "acme/hubspot/grant"))
    it.tables.put(INTEGRATIONS, "acme/hubspot/grant", IntegrationPart("acme", grant=renewed))
    page = (await (await it.signed_in()).get("/settings")).text
    assert "HubSpot grant acme key 1 of 2 newest" in text(page) and "token-of-acme" not in page
    assert NEWEST not in page and FORMER not in page


async def test_all_of_the_newest_key_and_none_that_opens() -> None:
    it = keyed(OLD)  # the former key alone: to it they are the newest
    assert "All 5 seals are of the newest key." in await shown(it)
    said = await shown(keyed(SecretBox([make_key()])))
    assert "a key that is not here" in said and "5 of 5 seals open with no key" in said
    assert "which key sealed them is not known" in await shown(keyed(None))


async def test_an_older_kind_of_seal_is_told_whatever_key_opens_it() -> None:
    it = keyed()
    grant = it.tables.get(INTEGRATIONS, "acme/hubspot/grant")
    placeless = replace(grant.grant, refresh_token=Fernet(NEWEST).encrypt(b"token"))
    it.tables.put(INTEGRATIONS, "acme/hubspot/grant", IntegrationPart("acme", grant=placeless))
    assert "HubSpot grant acme key 1 of 2 before seals had a place" in await shown(it)


async def test_many_stand_on_several_pages_and_the_worst_first() -> None:
    it = in_memory(box=BOX)
    for number in range(ON_A_PAGE):
        section = {"token": BOX.seal("t", f"i{number:03}/hubspot/token")}
        settings = connect(it, f"i{number:03}")
        named = replace(settings, hubspot=replace(settings.hubspot, secrets=section))
        it.tables.put(INTEGRATIONS, f"i{number:03}/settings", IntegrationPart(f"i{number:03}", settings=named))
    it.tables.put(INTEGRATIONS, "zz/hubspot/grant", replace(old_rows()["acme/hubspot/grant"], integration="zz"))
    said = await shown(it)
    assert said.index("zz") < said.index("i000") and "of 101" in said and "i099" not in said
    assert "i099" in await shown(it, "/settings?page=2")


@pytest.mark.parametrize("name", [HOSTILE, "a/b"])
def test_whatever_integrations_are_called(name: str) -> None:
    part = old_rows()["acme/hubspot/grant"]
    told = sealed_by(BOX.count, every_seal({f"{name}/hubspot/grant": replace(part, integration=name)}, BOX))
    (row,) = told.rows
    assert (row.integration, row.name, row.shut) == (name, "HubSpot grant", True)
