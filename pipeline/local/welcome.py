"""What `up` says: where everything listens, and the commands to type next."""

import shutil
import sys
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Final

from pipeline.local.endpoints import Endpoints

CREDENTIALS: Final = {
    "HUBSPOT_APP_SECRET": "hubspot-app-secret",
    "HUBSPOT_TOKEN": "pat-simulated",
    "USERFLOW_API_KEY": "ak_simulated",
}
"""What the simulators accept; they open nothing else."""
FORM: Final = {
    "integration": "demo",
    "environment": "production",
    "account": "12345678",
    "client_id": "hubspot-client",
    "client_secret": "hubspot-client-secret",
    "api_key": CREDENTIALS["USERFLOW_API_KEY"],
    "token": CREDENTIALS["HUBSPOT_TOKEN"],
    "app_secret": CREDENTIALS["HUBSPOT_APP_SECRET"],
}
"""The same as the console's form takes it; the consent page of HubSpot's simulator offers this account."""
DEMO_CONTACT: Final = "1150"
DEMO_USER: Final = "user-150"


def demo_file() -> Path:
    """The demo's integration file, in the package."""
    return Path(str(files("pipeline") / "integration_file" / "examples" / "demo.yaml"))


def program() -> str:
    """How this program is typed: its bare name where the shell finds it, else its path, the shorter way."""
    if shutil.which("pairstream"):
        return "pairstream"
    program = Path(sys.argv[0]).absolute()
    return str(program.relative_to(Path.cwd())) if program.is_relative_to(Path.cwd()) else str(program)


def listening(where: Endpoints, logs: Path) -> list[str]:
    """Where everything listens, a line each."""
    rows = [("brokers", where.kafka_bootstrap_servers), ("receiver", where.receiver_url)]
    for system in ("hubspot", "userflow"):
        if url := where.simulator_url(system):
            rows += [(f"{system} simulator", url), ("  control API", f"{url}/_simulator")]
    if "console" in where.health_urls:
        rows.append(("console", where.console_url))
    rows += [(f"health of {role}", f"{url}/health/ready") for role, url in where.health_urls.items()]
    rows.append(("logs", str(logs)))
    width = max(len(name) for name, _ in rows)
    return [f"{name:<{width}}  {place}" for name, place in rows]


def console(link: str) -> list[str]:
    """The one-time link into the console."""
    return _block("the console; this link signs in once, within 10 minutes:", [link])


def next_steps(typed: str, state_dir: Path | None, *, simulators: bool, demo_data: bool) -> list[str]:
    """The commands to type in another terminal; `state_dir` where it is not the default one."""
    exports = [f"export PAIRSTREAM_STATE_DIR={state_dir}"] if state_dir else []
    if not simulators:
        steps = [f"{typed} apply acme.yaml", f"{typed} full-sync start acme", f"{typed} doctor"]
        return _block("next, in another terminal:", [*exports, *steps])
    exports += [f"export {name}={value}" for name, value in CREDENTIALS.items()]
    steps = [f"{typed} apply {demo_file()} --yes", f"{typed} full-sync start demo", f"{typed} doctor"]
    return [*_block("next, in another terminal:", [*exports, *steps]), *_edits(typed, demo_data)]


def _edits(typed: str, demo_data: bool) -> list[str]:
    contact, user = (DEMO_CONTACT, DEMO_USER) if demo_data else ("ID", "ID")
    edits = [
        f'{typed} simulate edit hubspot contacts {contact} jobtitle="Captain"',
        f"{typed} simulate show userflow users {user}",
        f"{typed} simulate edit userflow users {user} plan=platinum",
        f"{typed} simulate show hubspot contacts {contact}",
    ]
    return _block("then edit a record on each side, and see it arrive on the other:", edits)


def _block(title: str, lines: Sequence[str]) -> list[str]:
    return ["", title, *(f"  {line}" for line in lines)]


def simulated(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment with the simulators' credentials."""
    return {**environment, **CREDENTIALS}
