"""What was granted is forgotten where somebody disconnected, once, and kept where only an apply was refused."""

from dataclasses import replace

import pytest

from schemas.configuration import ApplyState, IntegrationPart, KeptGrant
from schemas.topics import INTEGRATIONS
from tests.unit.connectors.runtime.runners import WELL, Vendor, settings_part
from tests.unit.connectors.runtime.running import Member, running, until


@pytest.mark.parametrize(("apply_state", "forgotten"), [("done", 1), ("failed", 0)])
async def test_a_grant_is_forgotten_once_where_somebody_disconnected(
    members: list[Member], apply_state: ApplyState, forgotten: int
) -> None:
    async with running(members, {WELL: Vendor()}) as it:

        def gone() -> list[str]:
            return [key for topic, key, record in it.publisher.sent if topic == INTEGRATIONS and record is None]

        rows = it.tables.tables[INTEGRATIONS]
        connected = it.measured.statuses
        it.report(WELL, "ok")
        await until(lambda: WELL in connected)
        rows[f"{WELL}/userflow/grant"] = IntegrationPart(WELL, grant=KeptGrant("1", b"token"))
        settings = settings_part(WELL, "disconnected").settings
        assert settings is not None
        rows[f"{WELL}/settings"] = IntegrationPart(WELL, settings=replace(settings, apply_state=apply_state))
        for _ in range(3):
            it.runner.configuration_changed()
            await until(lambda: WELL not in connected)
            await until(lambda: not {WELL} & {*it.runner._workers, *it.runner._closing})
            await until(lambda: len(gone()) >= forgotten)
        rows[f"{WELL}/settings"] = IntegrationPart(WELL, settings=replace(settings, state="active"))
        it.runner.configuration_changed()
        await until(lambda: WELL in connected)
        assert gone() == [f"{WELL}/userflow/grant"] * forgotten
