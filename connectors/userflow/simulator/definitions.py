"""Attribute and event definitions of the simulated environment: built in, seeded, or created by first use."""

import uuid
from collections.abc import Mapping

from connectors.simulation.calls import Json
from connectors.simulation.clock import iso_offset
from connectors.userflow.simulator.builtin import ATTRIBUTES, EVENT_ATTRIBUTES, EVENTS

_NAMESPACE = uuid.UUID("6f3c1d5e-0000-4000-8000-000000000000")


class Definitions:
    """Definitions by scope and name."""

    def __init__(self) -> None:
        self.attributes: dict[tuple[str, str], Json] = {}
        self.events: dict[str, Json] = {}
        for scope, names in ATTRIBUTES.items():
            for name, data_type in names.items():
                self.define_attribute(scope, name, data_type, 0)
        for name, data_type in EVENT_ATTRIBUTES.items():
            self.define_attribute("event", name, data_type, 0)
        for name, display_name in EVENTS.items():
            self.define_event(name, 0, display_name)

    def attribute_type(self, scope: str, name: str) -> str | None:
        """The data type of an attribute, None before it has a definition."""
        found = self.attributes.get((scope, name))
        return None if found is None else str(found["data_type"])

    def define_attribute(
        self, scope: str, name: str, data_type: str, now_ms: int, extra: Mapping[str, Json] | None = None
    ) -> None:
        """Add a definition unless one exists."""
        self.attributes.setdefault(
            (scope, name),
            {
                "id": str(uuid.uuid5(_NAMESPACE, f"{scope}/{name}")),
                "object": "attribute_definition",
                "name": name,
                "display_name": display(name),
                "description": "",
                "data_type": data_type,
                "scope": scope,
                "created_at": iso_offset(now_ms),
                **(extra or {}),
            },
        )

    def define_event(
        self, name: str, now_ms: int, display_name: str | None = None, extra: Mapping[str, Json] | None = None
    ) -> None:
        """Add a definition unless one exists."""
        self.events.setdefault(
            name,
            {
                "id": str(uuid.uuid5(_NAMESPACE, f"event-definition/{name}")),
                "object": "event_definition",
                "name": name,
                "display_name": display_name or display(name),
                "description": "",
                "created_at": iso_offset(now_ms),
                **(extra or {}),
            },
        )


def display(name: str) -> str:
    """A display name made of a machine name."""
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]
