"""endpoints.json in the state directory: how other commands find a running `pairstream up`."""

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pipeline.local.errors import EndpointsUnreadable
from pipeline.state_dir import make_private

FILE_NAME = "endpoints.json"


@dataclass(frozen=True)
class Endpoints:
    """Where the processes of one `up` or `demo` listen; `pid` is the supervisor's."""

    kafka_bootstrap_servers: str
    receiver_url: str
    console_url: str
    pid: int
    hubspot_simulator_url: str | None = None
    userflow_simulator_url: str | None = None
    health_urls: Mapping[str, str] = field(default_factory=dict)

    def simulator_url(self, system: str) -> str | None:
        """None where that system is not simulated."""
        return self.hubspot_simulator_url if system == "hubspot" else self.userflow_simulator_url


def write(state_dir: Path, endpoints: Endpoints) -> None:
    """Replace the file at once: a reader sees the old one or the new one whole."""
    make_private(state_dir)
    number, aside = tempfile.mkstemp(prefix=f".{FILE_NAME}-", dir=state_dir)
    with os.fdopen(number, "w") as file:
        json.dump(asdict(endpoints), file, indent=2)
    Path(aside).replace(state_dir / FILE_NAME)


def read(state_dir: Path) -> Endpoints | None:
    """What the running supervisor wrote; None if there is none, or only the file of one that died.

    Raises EndpointsUnreadable for a file that `write` did not write.
    """
    path = state_dir / FILE_NAME
    try:
        endpoints = Endpoints(**json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise EndpointsUnreadable(
            f"{path} is not readable ({error}): remove it, and start `pairstream up` again."
        ) from error
    return endpoints if _runs(endpoints.pid) else None


def remove(state_dir: Path, pid: int) -> None:
    """Remove the file if `pid` wrote it; a newer supervisor's file stays."""
    endpoints = read(state_dir)
    if endpoints is not None and endpoints.pid == pid:
        (state_dir / FILE_NAME).unlink(missing_ok=True)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # it exists and belongs to somebody else
    return True
