"""One running pipeline for all fault tests that edit: each test leaves it as it found it, and says so."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.faults.flow import Flow, flowing


@pytest_asyncio.fixture(loop_scope="package", scope="package")
async def flow(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> AsyncIterator[Flow]:
    """On a broker of its own where one of the tests kills it; else on the one that all share."""
    kills = any(item.get_closest_marker("kills_its_broker") for item in request.session.items)
    kafka = None if kills else request.getfixturevalue("kafka")
    async with flowing(tmp_path_factory.mktemp("world"), kafka=kafka) as running:
        yield running
