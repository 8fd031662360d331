"""What the tests of both simulators start from."""

import pytest

from tests.unit.connectors.simulation.simulated import ToldTime


@pytest.fixture
def now() -> ToldTime:
    return ToldTime()
