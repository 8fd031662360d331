"""The layers of connectors/: a package imports only those below it, packages of one layer never each other."""

import pytest

from tests.unit.test_imports import ROOT, imports

LAYERS = (("clock",), ("contract",), ("http", "kafka"), ("session",), ("inbound", "outbound"), ("runtime",))
BELOW = {
    package: {one for below in LAYERS[:number] for one in below}
    for number, layer in enumerate(LAYERS)
    for package in layer
}
MAY = {
    **BELOW,
    "kafka": set[str](),  # brokers know nothing of systems
    "hubspot": {"clock", "contract", "http"},
    "userflow": {"clock", "contract", "http"},
    "receiver": {"http", "kafka", "hubspot", "userflow"},
}


def imported(package: str) -> set[str]:
    """The packages of connectors/ that one imports; simulators are no part of a system's connector."""
    top = ROOT / "connectors"
    files = [top / f"{package}.py"] if (top / f"{package}.py").exists() else sorted((top / package).rglob("*.py"))
    modules = {
        module.split(".")[1]
        for path in files
        if "simulator" not in path.parts
        for _, module in imports(path.read_text("utf-8"))
        if module.startswith("connectors.")
    }
    return modules - {package}


@pytest.mark.parametrize("package", MAY)
def test_a_package_imports_only_layers_below(package: str) -> None:
    assert imported(package) <= MAY[package]


def test_the_receivers_judges_know_only_http_and_their_vendors_protocol() -> None:
    for system in ("hubspot", "userflow"):
        source = (ROOT / "connectors" / "receiver" / f"{system}.py").read_text("utf-8")
        modules = [module for _, module in imports(source) if module.startswith("connectors.")]
        allowed = ("connectors.http.", "connectors.receiver", f"connectors.{system}.protocol")
        assert [module for module in modules if not module.startswith(allowed)] == []


def test_every_package_of_the_rim_has_a_layer() -> None:
    folders = {path.name for path in (ROOT / "connectors").iterdir() if (path / "__init__.py").exists()}
    assert folders - {"simulation"} <= MAY.keys()
