"""Brokers, and the names one installation has there: code speaks of logical names, the brokers know physical ones."""

from collections.abc import Mapping
from dataclasses import dataclass, field

SEPARATOR = "."


@dataclass(frozen=True, slots=True)
class Cluster:
    """`client` is librdkafka's connection properties; `prefix` starts every name, so that installations share brokers.

    Topics, consumer groups, transactional ids and registry subjects are named alike: `staging.hubspot.changes`.
    """

    client: Mapping[str, str] = field(repr=False)  # may hold a password
    prefix: str = ""

    def physical(self, name: str) -> str:
        """The name on the brokers: `hubspot.changes` -> `staging.hubspot.changes`."""
        return f"{self.prefix}{SEPARATOR}{name}" if self.prefix else name

    def logical(self, physical: str) -> str:
        """The name in code and records: `staging.hubspot.changes` -> `hubspot.changes`."""
        return physical.removeprefix(f"{self.prefix}{SEPARATOR}") if self.prefix else physical

    def owns(self, physical: str) -> bool:
        """Whether a name on the brokers begins as this installation's names do."""
        return not self.prefix or physical.startswith(f"{self.prefix}{SEPARATOR}")
