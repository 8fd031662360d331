"""Where what is acted on once has led: whoever asks for it again, by a page or a second click, ends there too."""

from dataclasses import dataclass, field
from typing import Final

MOST_KEPT: Final = 100


@dataclass
class ActedOn:
    """Paths by the session, the integration, and the name of what it acted on; the oldest are forgotten."""

    kept: dict[tuple[str, str, str], str] = field(default_factory=dict)

    def led(self, session: str, integration: str, name: str, path: str) -> None:
        while len(self.kept) >= MOST_KEPT:
            self.kept.pop(next(iter(self.kept)))
        self.kept[session, integration, name] = path

    def path(self, session: str, integration: str, name: str) -> str | None:
        """None for what was never acted on, and for any other session."""
        return self.kept.get((session, integration, name))
