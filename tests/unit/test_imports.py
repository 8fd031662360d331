"""Who may import whom: the layers, and the rules that keep the contract, the rim, the middle and the vendors apart."""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = ("schemas", "connectors", "pipeline", "tests")


@dataclass(frozen=True)
class Only:
    """Files that match `files` import nothing but `may` (and the standard library)."""

    because: str
    files: tuple[str, ...]
    may: tuple[str, ...]
    but: tuple[str, ...] = ()  # files that the rule leaves out

    def breaks(self, path: str, module: str) -> bool:
        if not _is_one(path, self.files) or _is_one(path, self.but) or _standard(module):
            return False
        return not _within(module, self.may)


@dataclass(frozen=True)
class Never:
    """Files that match `files` never import `what`, unless they match `but`."""

    because: str
    files: tuple[str, ...]
    what: tuple[str, ...]
    but: tuple[str, ...] = ()

    def breaks(self, path: str, module: str) -> bool:
        return _is_one(path, self.files) and not _is_one(path, self.but) and _within(module, self.what)


SHIPPED = ("schemas/*", "connectors/*", "pipeline/*")
SIMULATORS = ("connectors/simulation/*", "connectors/*/simulator/*")
EVERYTHING = (
    *(f"pipeline/{name}.py" for name in ("__main__", "app", "process", "cli")),
    "pipeline/commands/*",
    "pipeline/local/*",
)
SANS_IO = ("connectors.contract", "connectors.http.messages", "connectors.http.answers", "connectors.http.lenient_json")

RIM = ("clock", "contract", "http", "kafka", "session", "inbound", "outbound")
"""The layers of a connector, each above those before it."""

LAYERS: dict[str, set[str]] = {
    "connectors.clock": set(),
    "connectors.contract": {"connectors.clock"},
    "connectors.http": {"connectors.clock", "connectors.contract"},
    "connectors.kafka": set(),  # brokers know nothing of systems
    "connectors.session": {f"connectors.{name}" for name in RIM[:4]},
    "connectors.inbound": {f"connectors.{name}" for name in RIM[:5]},
    "connectors.outbound": {f"connectors.{name}" for name in RIM[:5]},
    "connectors.runtime": {f"connectors.{name}" for name in RIM[:7]},
    "connectors.hubspot": {f"connectors.{name}" for name in RIM[:3]},
    "connectors.userflow": {f"connectors.{name}" for name in RIM[:3]},
    "connectors.receiver": {f"connectors.{name}" for name in ("contract", "http", "kafka", "hubspot", "userflow")},
    "connectors.registry": {f"connectors.{name}" for name in ("contract", "hubspot", "userflow")},
    "connectors.simulation": {"connectors.http"},
    "pipeline.core": set(),
    "pipeline.agents": {"pipeline.core", "connectors.kafka"},
    "pipeline.liveness": {"pipeline.agents", "connectors.kafka"},
    "pipeline.state_dir": set(),
    "pipeline.exit_codes": set(),
    "pipeline.secrets": {"pipeline.state_dir"},
    "pipeline.secret_files": set(),
    "pipeline.certificates": set(),
    "pipeline.signing_key": set(),
    "pipeline.setting_words": {"connectors.http", "pipeline.signing_key"},
    "pipeline.kafka_settings": {"pipeline.certificates", "pipeline.setting_words"},
    "pipeline.config": {
        "pipeline.kafka_settings",
        "pipeline.secret_files",
        "pipeline.setting_words",
        "pipeline.secrets",
        "connectors.contract",
        "connectors.http",
        "connectors.hubspot",
        "connectors.kafka",
    },
    "pipeline.row_stores": {"pipeline.agents", "pipeline.config", "connectors.kafka"},
    "pipeline.memory": set(),
    "pipeline.bounded_http": set(),
    "pipeline.serving": {"pipeline.bounded_http", "connectors.http"},
    "pipeline.observability": {"pipeline.serving"},
    "pipeline.visible": set(),
    "pipeline.counting": set(),
    "pipeline.integration_file": {"pipeline.secret_files", "pipeline.visible", "connectors.hubspot"},
    "pipeline.provisioning": {"pipeline.core", "pipeline.integration_file", "pipeline.secrets"},
    "pipeline.full_sync": {"pipeline.counting", "connectors.clock", "connectors.kafka"},
    "pipeline.erasure": {"connectors.kafka"},
    "pipeline.lag": {"connectors.kafka", "pipeline.full_sync"},
    "pipeline.lag_export": {"connectors.kafka", "pipeline.full_sync", "pipeline.lag", "pipeline.observability"},
    "pipeline.notices": {
        "pipeline.full_sync",
        "pipeline.lag",
        "pipeline.signing_key",
        "connectors.contract",
        "connectors.http",
        "connectors.kafka",
    },
    "pipeline.explain": {"pipeline.core", "pipeline.agents", "pipeline.operations", "connectors.kafka"},
    "pipeline.replay": {"pipeline.core", "pipeline.agents", "connectors.kafka"},
    "pipeline.consents": {"pipeline.secrets", "connectors.kafka", "connectors.receiver"},
    "pipeline.scheduler": {
        "pipeline.full_sync",
        "pipeline.provisioning",
        "pipeline.secrets",
        "connectors.clock",
        "connectors.kafka",
    },
    "pipeline.directory": {"pipeline.secrets", "connectors.receiver"},
    "pipeline.operations": {
        *(
            f"pipeline.{name}"
            for name in (
                "counting",
                "core",
                "erasure",
                "full_sync",
                "integration_file",
                "lag",
                "provisioning",
                "secrets",
                "exit_codes",
                "visible",
            )
        ),
        *(f"connectors.{name}" for name in ("kafka", "hubspot", "userflow", "receiver")),
    },
    "pipeline.console": {
        *(
            f"pipeline.{name}"
            for name in (
                "counting",
                "core",
                "explain",
                "full_sync",
                "integration_file",
                "lag",
                "operations",
                "provisioning",
                "visible",
            )
        ),
        *(f"connectors.{name}" for name in ("clock", "contract", "http", "kafka", "receiver")),
    },
}
"""Each package, or module beside packages, with what it may import of ours beside `schemas`: nothing on its level."""

ROOTS = {f"pipeline.{name}" for name in ("__main__", "app", "process", "cli", "commands", "local")}
"""They put everything together, so they may import everything."""

RULES: list[Only | Never] = [
    Only(
        "the contract depends on nothing: the standard library and fastavro",
        ("schemas/*",),
        ("schemas", "fastavro"),
        but=("schemas/registry.py",),
    ),
    Only(
        "registry.py adds the registry's client", ("schemas/registry.py",), ("schemas", "fastavro", "confluent_kafka")
    ),
    Only(
        "a protocol is sans-I/O: values in, values out",
        ("connectors/hubspot/protocol/*", "connectors/hubspot/translate.py", "connectors/hubspot/associated.py"),
        (
            "schemas",
            *SANS_IO,
            "connectors.hubspot.protocol",
            "connectors.hubspot.object_types",
            "connectors.hubspot.associated",
        ),
    ),
    Only(
        "a protocol is sans-I/O: values in, values out",
        ("connectors/userflow/protocol/*", "connectors/userflow/translate.py"),
        ("schemas", *SANS_IO, "connectors.userflow.protocol"),
    ),
    Only(
        "a judge of webhooks knows its vendor's protocol, and only that vendor's",
        ("connectors/receiver/hubspot.py",),
        ("schemas", "connectors.http", "connectors.receiver", "connectors.hubspot.protocol"),
    ),
    Only(
        "a judge of webhooks knows its vendor's protocol, and only that vendor's",
        ("connectors/receiver/userflow.py",),
        ("schemas", "connectors.http", "connectors.receiver", "connectors.userflow.protocol"),
    ),
    Never("a system never imports another", ("connectors/hubspot/*",), ("connectors.userflow",)),
    Never("a system never imports another", ("connectors/userflow/*",), ("connectors.hubspot",)),
    Never("the rim does not know the middle", ("connectors/*",), ("pipeline",)),
    Only("the core decides and does nothing else", ("pipeline/core/*",), ("schemas", "pipeline.core")),
    Only(
        "agents carry values in and effects out; of the rim they know the names on the brokers",
        ("pipeline/agents/*",),
        ("schemas", "pipeline.core", "pipeline.agents", "faust", "connectors.kafka.cluster"),
        but=("pipeline/agents/disk_rows.py",),
    ),
    Only("only one store needs its library", ("pipeline/agents/disk_rows.py",), ("pipeline.agents", "rocksdict")),
    Never("only one store needs its library", SHIPPED, ("rocksdict",), but=("pipeline/agents/disk_rows.py",)),
    Never(
        "only the composition root, the commands and local/ import everything",
        ("pipeline/*",),
        ("pipeline.app", "pipeline.process", "pipeline.cli", "pipeline.commands", "pipeline.local"),
        but=EVERYTHING,
    ),
    Never(
        "simulators are for tests and local/, never for production code",
        SHIPPED,
        ("connectors.simulation", "connectors.hubspot.simulator", "connectors.userflow.simulator"),
        but=(*SIMULATORS, "pipeline/local/*"),
    ),
    Never(
        "Kafka is touched in one place",
        SHIPPED,
        ("confluent_kafka",),
        but=("connectors/kafka/*", "schemas/registry.py", "pipeline/local/*"),
    ),
    Never("aiokafka is Faust's client, and its partitioner ours", SHIPPED, ("aiokafka",), but=("connectors/kafka/*",)),
    Never(
        "HTTP is called in one place",
        SHIPPED,
        ("httpx", "requests", "aiohttp"),
        but=("connectors/http/transport.py", *SIMULATORS, "pipeline/local/*"),
    ),
    Never(
        "Faust feeds the agents, nothing else", SHIPPED, ("faust", "mode"), but=("pipeline/agents/*", "pipeline/app.py")
    ),
    Never("tests are not shipped", SHIPPED, ("tests",)),
]


def _is_one(path: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch(path, pattern) for pattern in patterns)


def _within(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def _standard(module: str) -> bool:
    return module.partition(".")[0] in sys.stdlib_module_names


@cache
def imports(source: str) -> tuple[tuple[int, str], ...]:
    """Line and module of every import; `from a import b` counts as a.b, which may be a module."""
    return tuple(_imports(source))


def _imports(source: str) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, f"line {node.lineno}: imports are absolute here"
            yield from ((node.lineno, f"{node.module}.{name.name}") for name in node.names)


def violations(path: str, source: str) -> list[str]:
    return [
        f"{path}:{line} imports {module}: {rule.because}"
        for line, module in imports(source)
        for rule in RULES
        if rule.breaks(path, module)
    ]


def shipped_files() -> list[str]:
    folders = (folder for folder in OURS if folder != "tests")
    return sorted(str(path.relative_to(ROOT)) for folder in folders for path in (ROOT / folder).rglob("*.py"))


def package_of(module: str) -> str:
    """`connectors.http` for everything below it; `schemas` is one."""
    return module if module.startswith("schemas") else ".".join(module.split(".")[:2])


def picture() -> dict[str, set[str]]:
    """Each package of the rim and the middle with the packages it imports; simulators are no part of their system."""
    found: dict[str, set[str]] = {}
    for path in shipped_files():
        if path.startswith("schemas/") or _is_one(path, SIMULATORS) or (path.count("/") == 1 and "__init__" in path):
            continue
        package = package_of(path.removesuffix(".py").replace("/", "."))
        modules = (module for _, module in imports((ROOT / path).read_text("utf-8")))
        ours = {package_of(module) for module in modules if module.startswith(("connectors.", "pipeline."))}
        found.setdefault(package, set()).update(ours - {package})
    return found


def test_a_package_imports_only_layers_below_it() -> None:
    above = {package: imported - LAYERS[package] for package, imported in picture().items() if package in LAYERS}
    assert {package: imported for package, imported in above.items() if imported} == {}


def test_every_package_has_a_layer() -> None:
    assert picture().keys() <= LAYERS.keys() | ROOTS


def test_no_packages_import_each_other_in_a_circle() -> None:
    TopologicalSorter(picture()).prepare()  # raises CycleError, which names the circle
    TopologicalSorter(LAYERS).prepare()


def test_every_import_keeps_the_rules() -> None:
    found = [line for path in shipped_files() for line in violations(path, (ROOT / path).read_text("utf-8"))]
    assert not found, "\n".join(["", *found])


BROKEN = [
    ("schemas/codec.py", "import httpx"),
    ("schemas/topics.py", "from confluent_kafka import Producer"),
    ("connectors/hubspot/protocol/objects.py", "from connectors.http.transport import Transport"),
    ("connectors/hubspot/source.py", "from connectors.userflow.protocol import objects"),
    ("connectors/session/context.py", "from pipeline.core.outcome import Outcome"),
    ("pipeline/core/derive.py", "import faust"),
    ("pipeline/core/derive.py", "from pipeline.agents.state import Output"),
    ("pipeline/agents/step.py", "from pipeline.integration_file.model import Secret"),
    ("pipeline/operations/lag.py", "from pipeline import app"),
    ("pipeline/app.py", "from connectors.hubspot.simulator import HubSpotSimulator"),
    ("pipeline/operations/lag.py", "from confluent_kafka import Consumer"),
    ("connectors/hubspot/client.py", "import httpx"),
    ("pipeline/console/pages.py", "import faust"),
]


@pytest.mark.parametrize(("path", "line"), BROKEN, ids=[f"{path}: {line}" for path, line in BROKEN])
def test_the_rules_can_be_broken(path: str, line: str) -> None:
    assert violations(path, line)


ALLOWED = [
    ("schemas/registry.py", "from confluent_kafka.schema_registry import Schema"),
    ("connectors/hubspot/simulator/simulator.py", "import httpx"),
    ("connectors/receiver/hubspot.py", "from connectors.hubspot.protocol.signatures import verify"),
    ("pipeline/agents/objects.py", "from pipeline.agents.configuration import IntegrationView"),
    ("pipeline/local/simulate.py", "from connectors.userflow.simulator import UserflowSimulator"),
    ("pipeline/core/freshness.py", "from collections.abc import Mapping"),
]


@pytest.mark.parametrize(("path", "line"), ALLOWED, ids=[f"{path}: {line}" for path, line in ALLOWED])
def test_the_rules_leave_room(path: str, line: str) -> None:
    assert violations(path, line) == []
