"""Sealing again: repeated, ended half way, with an apply in between, and with roles that have another key."""

from collections.abc import Callable
from typing import Any, cast

import pytest

from pipeline.operations import rotate as rotating
from pipeline.operations.rotate import NotRotated, rotate, seals
from pipeline.provisioning.rotation import settings_sealed_again
from pipeline.secrets import SecretBox, make_key
from schemas.configuration import (
    SEALS,
    DesiredIntegration,
    IntegrationPart,
    KeptGrant,
    SealRequest,
    SystemSettings,
    secret_place,
)
from schemas.seals import resealed
from schemas.topics import INTEGRATIONS
from tests.unit.connectors.runtime.runners import settings_part

NEWEST, FORMER = make_key(), make_key()
BOX = SecretBox([NEWEST, FORMER])
OLD = SecretBox([FORMER])
LATE_S = 5.0


def request(apply_id: str, box: SecretBox = OLD) -> IntegrationPart:
    def section(system: Any) -> SystemSettings:
        return SystemSettings("1", secrets={"key": box.seal("secret", secret_place("acme", system, "key"))})

    desired = DesiredIntegration(apply_id, "active", apply_id, section("hubspot"), section("userflow"), 0)
    return IntegrationPart("acme", desired=desired)


def old_rows() -> dict[str, IntegrationPart]:
    """An integration whose five secrets are all sealed with the former key."""
    settings = resealed("acme/settings", settings_part("acme"), lambda _, place: OLD.seal("key", place))
    grant = IntegrationPart("acme", grant=KeptGrant("1", OLD.seal("token", "acme/hubspot/grant")))
    return {"acme/desired": request("first"), "acme/settings": settings, "acme/hubspot/grant": grant}


class Brokers:
    """The table, whoever writes to it, and the roles that carry out what is asked."""

    def __init__(self, roles: SecretBox | None) -> None:
        self.rows = old_rows()
        self.roles = roles
        self.order: list[str] = []
        self.between: Callable[[], None] = lambda: None
        self._subscribers: list[Callable[[str, str, Any], object]] = []

    def table(self, _: str) -> dict[str, IntegrationPart]:
        return dict(self.rows)

    def get(self, _: str, key: str) -> IntegrationPart | None:
        return self.rows.get(key)

    def subscribe(self, changed: Callable[[str, str, Any], object]) -> None:
        self._subscribers.append(changed)

    async def send(self, topic: str, key: str, part: IntegrationPart) -> None:
        between, self.between = self.between, lambda: None
        between()
        self.write(key, part)
        if key == SEALS and self.roles is not None:
            for write in settings_sealed_again(self.rows, self.roles):
                assert isinstance(write.record, IntegrationPart)
                self.write(write.key, write.record)
            if part.seals is not None and part.seals.key_id == self.roles.key_id:
                grant = resealed("acme/hubspot/grant", self.rows["acme/hubspot/grant"], self.roles.renewed)
                self.write("acme/hubspot/grant", grant)

    def write(self, key: str, part: IntegrationPart) -> None:
        self.order.append(key)
        self.rows[key] = part
        for changed in self._subscribers:
            changed(INTEGRATIONS, key, part)

    async def rotate(self, within_s: float = LATE_S) -> int:
        here = cast(Any, self)
        return await rotate(here, here, BOX, lambda: 7, within_s)


async def test_everything_is_sealed_again_and_a_second_time_nothing() -> None:
    brokers = Brokers(SecretBox([NEWEST, FORMER]))
    before = seals(brokers.rows, BOX)
    assert await brokers.rotate() == before.count == sum(before.old.values())
    assert seals(brokers.rows, SecretBox([NEWEST])).old == {}
    written = len(brokers.order)
    assert await brokers.rotate() == 0
    assert len(brokers.order) == written


async def test_what_ended_half_way_goes_on() -> None:
    brokers = Brokers(SecretBox([NEWEST, FORMER]))
    brokers.rows["acme/desired"] = resealed("acme/desired", brokers.rows["acme/desired"], BOX.renewed)
    assert await brokers.rotate() == seals(brokers.rows, BOX).count - 2
    assert seals(brokers.rows, BOX).old == {}


@pytest.mark.parametrize("sealed_by", [OLD, BOX])
async def test_an_apply_that_comes_in_between_is_not_undone(sealed_by: SecretBox) -> None:
    brokers = Brokers(SecretBox([NEWEST, FORMER]))
    brokers.between = lambda: brokers.write("acme/desired", request("second", sealed_by))
    await brokers.rotate()
    desired = brokers.rows["acme/desired"].desired
    assert desired is not None
    assert desired.apply_id == "second"
    assert seals(brokers.rows, BOX).old == {}


async def test_roles_with_another_newest_key_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotating, "LOOK_EVERY_S", 0.001)
    brokers = Brokers(SecretBox([FORMER, NEWEST]))
    with pytest.raises(NotRotated, match=r"acme/hubspot/grant, acme/settings are not"):
        await brokers.rotate(0.01)


async def test_a_secret_that_no_key_opens_is_not_touched() -> None:
    brokers = Brokers(None)
    brokers.rows = {"acme/desired": request("first", SecretBox([make_key()]))}
    with pytest.raises(NotRotated, match="does not open the secrets of acme; nothing was changed"):
        await brokers.rotate()
    assert brokers.order == []


def test_settings_wait_until_somebody_asks_with_the_newest_key_of_this_scheduler() -> None:
    rows = old_rows()
    assert settings_sealed_again(rows, BOX) == []
    rows[SEALS] = IntegrationPart("", seals=SealRequest(OLD.key_id, 7))
    assert settings_sealed_again(rows, BOX) == []
    rows[SEALS] = IntegrationPart("", seals=SealRequest(BOX.key_id, 7))
    [write] = settings_sealed_again(rows, BOX)
    assert write.key == "acme/settings"
    assert isinstance(write.record, IntegrationPart)
    rows[write.key] = write.record
    assert settings_sealed_again(rows, BOX) == []
