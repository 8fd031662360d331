"""What can go wrong on one machine, each error saying what to do next.

LocalError
  JavaMissing        install Java 17+ (and Maven), or use a Kafka that runs elsewhere
  FetchFailed        Maven could not bring the jars: its last lines are in the message
  DirectoryInUse     another broker still works in that directory
  StartFailed        a child process died or was not ready in time: its last lines are in the message
  NotRunning         the role is between two runs: wait for its restart
  PortTaken          somebody listens where roles should: end that, or set other ports
  EndpointsUnreadable  endpoints.json is damaged: remove it, or start `pairstream up` again
"""

from collections.abc import Mapping, Sequence

WITHOUT_JAVA = (
    "Either install Java 17 or newer and Maven (Debian: apt-get install openjdk-17-jre-headless maven), "
    "or start Kafka elsewhere (`docker compose up`) and set KAFKA_BOOTSTRAP_SERVERS."
)


class LocalError(Exception):
    """Something on this machine keeps the local broker or the supervisor from working."""


class JavaMissing(LocalError):
    """No Java 17+, or no Maven while the jars are not fetched yet."""

    def __init__(self, what: str) -> None:
        super().__init__(f"The local Kafka broker needs Java 17 or newer and Maven: {what}. {WITHOUT_JAVA}")


class FetchFailed(LocalError):
    """Maven ended with an error."""


class DirectoryInUse(LocalError):
    """A broker that this process did not start still works in the directory."""


class StartFailed(LocalError):
    """A child process ended, or did not answer before its deadline."""


class NotRunning(LocalError):
    """A role has no process at this moment."""


class PortTaken(LocalError):
    """Somebody listens on ports that roles need; each with the setting that names it."""

    def __init__(self, taken: Mapping[str, Sequence[int]]) -> None:
        each = "; ".join(f"{setting}: {_ports(ports)} taken" for setting, ports in taken.items())
        super().__init__(f"{each}. Fix: end what listens there, or set another port; 0 is any free one.")


class EndpointsUnreadable(LocalError):
    """endpoints.json exists but is not what `pairstream up` writes."""


def _ports(ports: Sequence[int]) -> str:
    return f"port {ports[0]} is" if len(ports) == 1 else f"ports {', '.join(map(str, ports))} are"
