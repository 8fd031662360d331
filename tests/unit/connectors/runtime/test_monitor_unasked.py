"""Fields that are described although nobody waits for it: of settings that came back after a refused apply."""

import asyncio
from dataclasses import replace

import pytest

from connectors.contract.errors import ConnectorError, Misconfigured, Transient
from tests.unit.connectors.runtime.runners import settings_part
from tests.unit.connectors.runtime.watching import STATE, Setup, running, states, watched
from tests.unit.connectors.simulation.simulated import eventually


@pytest.mark.parametrize("error", [Misconfigured("missing_scopes"), Transient("http_503")])
async def test_a_failure_says_nothing_of_the_connection_and_is_not_repeated_at_once(error: ConnectorError) -> None:
    """A permission that was withdrawn meanwhile took the connection down, which came back and was taken down again."""
    setup, applied = Setup(), settings_part("acme").settings
    assert applied is not None
    setup.error = error
    refused = replace(applied, revision=3, active_revision=1, apply_state="failed", reason="hubspot: failed: too_many")
    it = watched(replace(STATE, described_revision=2), setup=setup, settings=refused)
    async with running(it):
        await eventually(lambda: setup.described == 1)
        for _ in range(20):
            it.state.changes.bump()
            await asyncio.sleep(0)
        assert setup.described == 1
        setup.error = None
        it.monitor.describe_again()
        await eventually(lambda: it.report.state.described_revision == 3)
    assert {one.status for one in states(it.told)} == {"ok"}
    assert it.state.works
