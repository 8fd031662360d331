"""Everything on one machine: brokers where none are set, topics, and every role under the supervisor."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

from connectors.kafka.admin import Admin
from pipeline.config import Settings, load_settings
from pipeline.local import endpoints
from pipeline.local.broker import BrokerSettings, LocalBroker
from pipeline.local.broker_restart import BrokerRestart
from pipeline.local.ports import free_port
from pipeline.local.supervisor import Role, Supervisor
from pipeline.secrets import load_or_make_key

READY_S: Final = 120.0
SIMULATORS: Final = ("hubspot", "userflow")
ROLES: Final = (
    ("scheduler", ("scheduler",)),
    ("worker", ("worker",)),
    ("hubspot-connector", ("connector", "hubspot")),
    ("userflow-connector", ("connector", "userflow")),
    ("receiver", ("receiver",)),
)


@dataclass(frozen=True, slots=True)
class Seeds:
    """Files that the simulators start with."""

    hubspot: Path | None = None
    userflow: Path | None = None


@dataclass(frozen=True, slots=True)
class Stack:
    """A running `up`: where everything answers, and the supervisor of its processes.

    `broker` is the local one, None where brokers are set: it may be killed and started again under the roles.
    """

    settings: Settings
    endpoints: endpoints.Endpoints
    supervisor: Supervisor
    environment: Mapping[str, str]
    broker: LocalBroker | None = None


@contextmanager
def machine(
    environment: Mapping[str, str], *, simulators: bool, seeds: Seeds | None = None, terminal: TextIO | None = None
) -> Iterator[Stack]:
    """Start everything, wait until it is ready, and stop it in the end.

    Raises the errors of `pipeline.local.errors` and `pipeline.config.Misconfigured`.
    """
    settings = load_settings(environment)
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        servers, broker = settings.kafka_bootstrap_servers, None
        if servers is None:
            broker = stack.enter_context(LocalBroker(BrokerSettings(settings.state_dir / "kafka")))
            servers = broker.bootstrap_servers
        _apply_topics(settings, servers)
        where = _places(settings, servers, simulators)
        inherited = {**environment, **_told(settings, where)}
        roles = [*_simulators(where, seeds or Seeds()), *_roles(where)]
        supervisor = Supervisor(
            [_with(role, inherited) for role in roles], settings.state_dir / "logs", terminal=terminal
        )
        endpoints.write(settings.state_dir, where)
        stack.callback(endpoints.remove, settings.state_dir, where.pid)
        stack.enter_context(supervisor)
        supervisor.wait_ready(READY_S)
        if broker is not None:
            stack.enter_context(BrokerRestart(broker, lambda line: _note(line, terminal)))
        yield Stack(settings, where, supervisor, inherited, broker)


def _note(line: str, terminal: TextIO | None) -> None:
    if terminal is not None:
        print(f"--- {line}", file=terminal, flush=True)


def _apply_topics(settings: Settings, servers: str) -> None:
    admin = Admin(settings.kafka_client_config(servers))
    admin.apply_topics(settings.partitions, 1, settings.changes_retention_days)


def _places(settings: Settings, servers: str, simulators: bool) -> endpoints.Endpoints:
    host = "127.0.0.1"
    receiver = settings.receiver_port or free_port()
    console = settings.console_port or free_port()
    return endpoints.Endpoints(
        kafka_bootstrap_servers=servers,
        receiver_url=f"http://{host}:{receiver}",
        console_url=f"http://{host}:{console}",
        pid=os.getpid(),
        hubspot_simulator_url=f"http://{host}:{free_port()}" if simulators else None,
        userflow_simulator_url=f"http://{host}:{free_port()}" if simulators else None,
    )


def _told(settings: Settings, where: endpoints.Endpoints) -> dict[str, str]:
    """What every role is told beyond the environment given."""
    told = {
        "KAFKA_BOOTSTRAP_SERVERS": where.kafka_bootstrap_servers,
        "PAIRSTREAM_STATE_DIR": str(settings.state_dir),
        "PAIRSTREAM_RECEIVER_PORT": where.receiver_url.rsplit(":", 1)[1],
        "PAIRSTREAM_CONSOLE_PORT": where.console_url.rsplit(":", 1)[1],
    }
    if not settings.secret_key:
        told["PAIRSTREAM_SECRET_KEY"] = load_or_make_key(settings.state_dir)
    if where.hubspot_simulator_url and where.userflow_simulator_url:
        told["HUBSPOT_API_URL"] = where.hubspot_simulator_url
        told["USERFLOW_API_URL"] = where.userflow_simulator_url
    return told


def _roles(where: endpoints.Endpoints) -> list[Role]:
    ready = {"receiver": f"{where.receiver_url}/health"}
    return [Role(name, _command("run", *words), ready_url=ready.get(name)) for name, words in ROLES]


def _simulators(where: endpoints.Endpoints, seeds: Seeds) -> list[Role]:
    if where.hubspot_simulator_url is None or where.userflow_simulator_url is None:
        return []
    urls = {"hubspot": where.hubspot_simulator_url, "userflow": where.userflow_simulator_url}
    files = {"hubspot": seeds.hubspot, "userflow": seeds.userflow}
    roles = []
    for system in SIMULATORS:
        seed = ("--seed", str(files[system])) if files[system] else ()
        # HubSpot's webhooks go to one target per app; Userflow's to the subscription that `apply` makes
        target = ("--webhooks", f"{where.receiver_url}/webhooks/hubspot") if system == "hubspot" else ()
        words = ("simulate", system, "--port", urls[system].rsplit(":", 1)[1], *seed, *target)
        roles.append(Role(f"{system}-simulator", _command(*words), ready_url=f"{urls[system]}/_simulator/settings"))
    return roles


def _command(*words: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "pipeline.cli", *words)


def _with(role: Role, environment: Mapping[str, str]) -> Role:
    return Role(role.name, role.argv, {**environment, **role.env}, role.ready_url)
