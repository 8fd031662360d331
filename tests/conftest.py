"""Fixtures and options that all tests share."""

import functools
import gc
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis.database import DirectoryBasedExampleDatabase
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from pipeline.local.registry import LocalSchemaRegistry
from tests import forking
from tests import kafka as kafkas

MARKED_FOLDERS = {
    "integration": "needs a real Kafka",
    "e2e": "the whole pipeline against the simulators",
    "faults": "kills and pauses processes",
    "benchmarks": "measures; slow",
}
PROPERTIES = "properties: tried with many more examples by `make test-deep`; every test of Hypothesis has it"
LONG = "long: takes minutes; `make test-long` runs it, `make test` does not"
ALONE = "alone: seconds are measured, or a broker is stopped; `make test-alone` runs it, with nothing beside it"
KILLS_ITS_BROKER = "kills_its_broker: the running pipeline that it shares with others has a broker of its own"
BY_HAND = (
    "by_hand: needs the machine for itself, or shows a fault that is open; `make test-by-hand` runs it, CI does not"
)
_TESTS = Path(__file__).parent
ONE_WORLD = frozenset(f"tests/faults/test_{name}.py" for name in ("kills", "pauses", "rebalances"))
"""Files that share the running pipeline of `tests/faults/conftest.py`, and so a worker."""
SHARED = pytest.StashKey[kafkas.SharedKafka]()
LONGEST_FIRST = ("faults", "e2e", "integration")
"""Folders in the order in which workers take them: what takes minutes must not begin last."""

# Examples that failed are remembered outside the source tree. No deadline: two busy cores make any example slow.
# Few examples, so that the suite stays short; `deep` is what searches.
for _profile, _examples in (("ci", 30), ("deep", 150)):
    hypothesis.settings.register_profile(
        _profile,
        max_examples=_examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
    )
hypothesis.settings.register_profile(
    "local",
    max_examples=20,
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
    for folder, meaning in MARKED_FOLDERS.items():
        config.addinivalue_line("markers", f"{folder}: {meaning}")
    config.addinivalue_line("markers", PROPERTIES)
    config.addinivalue_line("markers", LONG)
    config.addinivalue_line("markers", ALONE)
    config.addinivalue_line("markers", BY_HAND)
    config.addinivalue_line("markers", KILLS_ITS_BROKER)
    try:
        kafkas.parse_option(config.getoption("--kafka"))
    except ValueError as error:
        raise pytest.UsageError(str(error)) from error
    if not config.getoption("--hypothesis-profile", None):
        hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "local")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test by its folder, and properties, so that `-m` needs no decorators; put the longest first."""
    for item in items:
        if _folder(item) in MARKED_FOLDERS:
            item.add_marker(_folder(item))
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker("properties")
    items.sort(key=lambda item: (*LONGEST_FIRST, _folder(item)).index(_folder(item)))


def pytest_collection_finish() -> None:
    """What was imported by now stays: searches for garbage pass it by, and take a tenth of the time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def nothing_left_open() -> Iterator[None]:
    """A socket, file or process that a file leaves open is an error there, and not in whatever test comes later.

    What is left then is still used, by caches and by pytest: the next search passes it by too.
    """
    yield
    gc.collect()
    gc.freeze()


def _folder(item: pytest.Item) -> str:
    return _folder_of(item.path)


@functools.cache
def _folder_of(path: Path) -> str:
    return path.relative_to(_TESTS).parts[0] if _TESTS in path.parents else ""


class OneWorldOneWorker(LoadScopeScheduling):  # type: ignore[misc] # xdist has no types
    """Gives a worker all tests of a file, or of the files that share a running world."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return "one world" if path in ONE_WORLD else path


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneWorldOneWorker:
    return OneWorldOneWorker(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Called in pytest-xdist's controller for every worker: tell it where to ask for the Kafka that all share."""
    config = node.config
    if SHARED not in config.stash:
        config.stash[SHARED] = kafkas.SharedKafka(config.getoption("--kafka"))
    node.workerinput["shared_kafka"] = config.stash[SHARED].address


def pytest_unconfigure(config: pytest.Config) -> None:
    if SHARED in config.stash:
        config.stash[SHARED].close()


@contextmanager
def _kafka(config: pytest.Config) -> Iterator[kafkas.Kafka]:
    controller: dict[str, Any] = getattr(config, "workerinput", {})
    if "shared_kafka" in controller:
        yield kafkas.shared(controller["shared_kafka"])
    else:
        with kafkas.provide(config.getoption("--kafka")) as kafka:
            yield kafka


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest) -> Iterator[kafkas.Kafka]:
    """The Kafka chosen by --kafka, one for the whole session and all its workers: use `kafkas.fresh_prefix()` on it."""
    try:
        with _kafka(request.config) as kafka:
            yield kafka
    except kafkas.KafkaUnavailable as error:
        pytest.exit(str(error), returncode=2)


@pytest.fixture(scope="session", autouse=True)
def forks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Pairstream's processes are forks (`tests/forking.py`), but by hand: memory and CPU are measured there."""
    with nullcontext() if request.config.getoption("-m") == "by_hand" else forking.forked():
        yield


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
