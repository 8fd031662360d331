"""One running pipeline for all fault tests that edit: each test leaves it as it found it, and says so."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.faults.flow import Flow, flowing


@pytest_asyncio.fixture(loop_scope="package", scope="package")
async def flow(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Flow]:
    async with flowing(tmp_path_factory.mktemp("world")) as running:
        yield running
