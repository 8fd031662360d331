"""What processes have used of the machine, and how busy it is: beside every number, for others run here too."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.e2e.world import World

TICKS_A_SECOND: Final = os.sysconf("SC_CLK_TCK")
ROLES: Final = (
    "worker",
    "hubspot-connector",
    "userflow-connector",
    "receiver",
    "scheduler",
    "hubspot-simulator",
    "userflow-simulator",
)
BROKER: Final = "broker"


def cpu_s(pid: int) -> float:
    """Processor seconds of a process since it began."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND


def rss_mb(pid: int) -> float:
    """Resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024


def load() -> float:
    """The machine's load average of the last minute."""
    return os.getloadavg()[0]


@dataclass(frozen=True, slots=True)
class Used:
    """Processor seconds by role, the broker among them."""

    by_role: Mapping[str, float]

    def since(self, before: "Used") -> "Used":
        return Used({name: spent - before.by_role.get(name, 0.0) for name, spent in self.by_role.items()})

    def told(self) -> str:
        """The roles that used most first."""
        most_first = sorted(self.by_role.items(), key=lambda one: -one[1])
        return ", ".join(f"{name} {spent:.1f} s" for name, spent in most_first if spent >= 0.05)


def used(it: World) -> Used:
    """Of a world that is running."""
    found = {name: cpu_s(it.machine.supervisor.pid_of(name)) for name in ROLES}
    if it.machine.broker is not None:
        found[BROKER] = cpu_s(it.machine.broker.pid)
    return Used(found)
