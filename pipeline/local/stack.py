"""Everything on one machine: brokers where none are set, topics, and every role under the supervisor."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TextIO

from connectors.http.server import CannotListen
from connectors.kafka.admin import Admin
from connectors.kafka.cluster import Cluster
from pipeline.config import Settings, load_settings
from pipeline.local import endpoints
from pipeline.local.broker import BrokerSettings, LocalBroker
from pipeline.local.broker_restart import BrokerRestart
from pipeline.local.errors import PortTaken
from pipeline.local.ports import LOOPBACK, free_port, is_free
from pipeline.local.supervisor import Role, Supervisor
from pipeline.operations.moved_topics import refuse_beside
from pipeline.secrets import load_or_make_key
from pipeline.state_dir import private_files, taken

READY_S: Final = 120.0
SIMULATORS: Final = ("hubspot", "userflow")
EVERY_ADDRESS: Final = ("0.0.0.0", "::")
CONSOLE: Final = "console"
ROLES: Final = (
    ("scheduler", ("scheduler",)),
    ("worker", ("worker",)),
    ("hubspot-connector", ("connector", "hubspot")),
    ("userflow-connector", ("connector", "userflow")),
    ("receiver", ("receiver",)),
)
WITH_CONSOLE: Final = (*ROLES, (CONSOLE, (CONSOLE,)))
Roles = Sequence[tuple[str, tuple[str, ...]]]
"""Each role's name, and how `pairstream run` is told of it."""


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
    environment: Mapping[str, str],
    *,
    simulators: bool,
    console: bool = False,
    seeds: Seeds | None = None,
    keep_stores: bool = False,
    say: Callable[[str], None] = lambda line: None,
    terminal: TextIO | None = None,
) -> Iterator[Stack]:
    """Start everything, wait until it is ready, and stop it in the end.

    `keep_stores`: the simulators find their records again after a restart. `say` takes what is being started.
    Raises AlreadyRunning, StateDirUnusable, SettingsInvalid, CannotListen and the errors of `pipeline.local.errors`.
    """
    settings, wanted = load_settings(environment), WITH_CONSOLE if console else ROLES
    with ExitStack() as stack:
        stack.enter_context(private_files())
        stack.enter_context(taken(settings.state_dir))
        _refuse_taken_ports(settings, wanted)
        servers, broker = settings.kafka_bootstrap_servers, None
        if servers is None:
            say("starting Apache Kafka (the first time Maven fetches it, 54 MB) ...")
            broker = stack.enter_context(LocalBroker(BrokerSettings(settings.state_dir / "kafka")))
            servers = broker.bootstrap_servers
        _apply_topics(settings, servers)
        where = _places(settings, servers, simulators, wanted)
        inherited = {**environment, **roles_environment(settings, where)}
        stores = settings.state_dir / "simulators" if keep_stores and simulators else None
        roles = [*_simulators(where, seeds or Seeds(), stores), *_roles(where, wanted)]
        say(f"starting {', '.join(role.name for role in roles)} ...")
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


def _refuse_taken_ports(settings: Settings, roles: Roles) -> None:
    """Refuse before anything starts: a role whose port is taken would crash and restart without end."""
    wanted = [(settings.receiver_port, settings.bind_host, "PAIRSTREAM_RECEIVER_PORT")]
    wanted += [(port, settings.bind_host, "PAIRSTREAM_HEALTH_PORT") for port in _health_ports(settings, roles)]
    if roles is WITH_CONSOLE:
        wanted.append((settings.console_port, settings.console_bind_host, "PAIRSTREAM_CONSOLE_PORT"))
    taken: dict[str, list[int]] = {}
    for port, host, setting in wanted:
        if port and not _is_free(port, host):
            taken.setdefault(setting, []).append(port)
    if taken:  # all at once: whoever ends one would find the next at the next start
        raise PortTaken(taken)


def _is_free(port: int, host: str) -> bool:
    try:
        return is_free(port, host)
    except OSError as error:  # the host is none of this machine's
        raise CannotListen(host, port, error) from error


def _health_ports(settings: Settings, roles: Roles) -> list[int]:
    """A port for each role, counted up from the setting; 0: any."""
    return [settings.health_port and settings.health_port + number for number in range(len(roles))]


def _note(line: str, terminal: TextIO | None) -> None:
    """Tell of a broker that was started again; a terminal that takes no more loses the line, and nobody's work ends."""
    if terminal is not None:
        with suppress(OSError):
            print(f"--- {line}", file=terminal, flush=True)


def _apply_topics(settings: Settings, servers: str) -> None:
    admin = Admin(Cluster(settings.kafka_client_config(servers), settings.prefix))
    refuse_beside(admin.partitions(), settings.partitions)
    admin.apply_topics(settings.partitions, None, settings.changes_retention_days)


def _places(settings: Settings, servers: str, simulators: bool, roles: Roles = ROLES) -> endpoints.Endpoints:
    here = f"http://{_reached_at(settings.bind_host)}"
    health = {
        name: f"{here}:{port or free_port()}"
        for (name, _), port in zip(roles, _health_ports(settings, roles), strict=True)
    }
    console_at = f"http://{_reached_at(settings.console_bind_host)}"
    return endpoints.Endpoints(
        kafka_bootstrap_servers=servers,
        receiver_url=f"{here}:{settings.receiver_port or free_port()}",
        console_url=f"{console_at}:{settings.console_port or free_port()}",
        pid=os.getpid(),
        hubspot_simulator_url=f"{here}:{free_port()}" if simulators else None,
        userflow_simulator_url=f"{here}:{free_port()}" if simulators else None,
        health_urls=health,
    )


def _reached_at(bind_host: str) -> str:
    """The host of URLs to what listens at `bind_host`."""
    if bind_host in EVERY_ADDRESS:
        return LOOPBACK
    return f"[{bind_host}]" if ":" in bind_host else bind_host


def _port(url: str) -> str:
    return url.rsplit(":", 1)[1]


def roles_environment(settings: Settings, where: endpoints.Endpoints) -> dict[str, str]:
    """Variables that every role gets besides the environment given."""
    told = {
        "KAFKA_BOOTSTRAP_SERVERS": where.kafka_bootstrap_servers,
        "PAIRSTREAM_STATE_DIR": str(settings.state_dir),
        "PAIRSTREAM_RECEIVER_PORT": _port(where.receiver_url),
        "PAIRSTREAM_CONSOLE_PORT": _port(where.console_url),
    }
    if not settings.secret_key:
        told["PAIRSTREAM_SECRET_KEY"] = load_or_make_key(settings.state_dir)
    if where.hubspot_simulator_url and where.userflow_simulator_url:
        told["HUBSPOT_API_URL"] = where.hubspot_simulator_url
        told["USERFLOW_API_URL"] = where.userflow_simulator_url
        # they sign the address they send to, and no other counts
        told["PAIRSTREAM_PUBLIC_URL"] = where.receiver_url
    return told


def _roles(where: endpoints.Endpoints, roles: Roles) -> list[Role]:
    """Each with a health port of its own: one that all inherited would be taken by the first."""
    return [
        Role(
            name,
            _command("run", *words),
            {"PAIRSTREAM_HEALTH_PORT": _port(where.health_urls[name])},
            f"{where.receiver_url}/health" if name == "receiver" else f"{where.health_urls[name]}/health/ready",
            f"{where.health_urls[name]}/health/live",
        )
        for name, words in roles
    ]


def _simulators(where: endpoints.Endpoints, seeds: Seeds, stores: Path | None) -> list[Role]:
    """`stores`: the folder that keeps their records; None: they begin anew each time."""
    files = {"hubspot": seeds.hubspot, "userflow": seeds.userflow}
    if stores is not None:
        stores.mkdir(exist_ok=True)
    roles = []
    for system in SIMULATORS:
        url = where.simulator_url(system)
        if url is None:
            continue
        seed = ("--seed", str(files[system])) if files[system] else ()
        store = ("--store", str(stores / f"{system}.store")) if stores else ()
        # HubSpot's webhooks go to one target per app; Userflow's to the subscription that `apply` makes
        target = ("--webhooks", f"{where.receiver_url}/webhooks/hubspot") if system == "hubspot" else ()
        words = ("simulate", system, "--port", _port(url), *seed, *target, *store)
        ready = f"{url}/_simulator/settings"
        roles.append(Role(f"{system}-simulator", _command(*words), ready_url=ready, foundation=True))
    return roles


def _command(*words: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "pipeline.cli", *words)


def _with(role: Role, environment: Mapping[str, str]) -> Role:
    return replace(role, env={**environment, **role.env})
