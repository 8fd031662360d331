"""Fixtures and options that all tests share."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from hypothesis.database import DirectoryBasedExampleDatabase

from pipeline.local.registry import LocalSchemaRegistry
from tests import kafka as kafkas

MARKED_FOLDERS = {
    "integration": "needs a real Kafka",
    "e2e": "the whole pipeline against the simulators",
    "faults": "kills and pauses processes",
    "benchmarks": "measures; slow",
}
_TESTS = Path(__file__).parent

# Examples that failed are remembered outside the source tree. No deadline: two busy cores make any example slow.
hypothesis.settings.register_profile(
    "ci",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.register_profile(
    "local",
    deadline=None,
    database=DirectoryBasedExampleDatabase(Path(tempfile.gettempdir()) / "pairstream-hypothesis"),
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--kafka",
        default="local",
        help="Kafka for the tests: local (a child process), mock (in-process), containers (Docker), or HOST:PORT",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "long: takes minutes; `make test-long`")
    for folder, meaning in MARKED_FOLDERS.items():
        config.addinivalue_line("markers", f"{folder}: {meaning}")
    try:
        kafkas.parse_option(config.getoption("--kafka"))
    except ValueError as error:
        raise pytest.UsageError(str(error)) from error
    if not config.getoption("--hypothesis-profile", None):
        hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "local")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test by its folder, so that `-m "not faults"` works without decorators."""
    for item in items:
        if _TESTS not in item.path.parents:
            continue
        folder = item.path.relative_to(_TESTS).parts[0]
        if folder in MARKED_FOLDERS:
            item.add_marker(folder)


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest) -> Iterator[kafkas.Kafka]:
    """The Kafka chosen by --kafka, one for the whole session."""
    try:
        with kafkas.provide(request.config.getoption("--kafka")) as kafka:
            yield kafka
    except kafkas.KafkaUnavailable as error:
        pytest.exit(str(error), returncode=2)


@pytest.fixture(scope="session")
def mock_kafka() -> Iterator[kafkas.Kafka]:
    """librdkafka's mock cluster, whatever --kafka says: for unit tests that want a broker (limits: tests/kafka.py)."""
    with kafkas.mock() as kafka:
        yield kafka


@pytest.fixture(scope="session")
def schema_registry_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real schema registry for the session; schemas stay between tests, so give subjects fresh names."""
    with LocalSchemaRegistry(tmp_path_factory.mktemp("registry")) as registry:
        yield registry.url
