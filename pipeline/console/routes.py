"""Every page: its path, the least role, and what it shows or does. What is not listed here is refused."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from pipeline.console.pages import connection, doctor, full_sync, integration, mappings, overview, road, settings
from pipeline.console.visit import Gone, Shown, Visit
from schemas.operating import ConsoleRole

Page = Callable[[Visit], Awaitable[Shown | Gone]]


@dataclass(frozen=True, slots=True)
class At:
    """One route."""

    path: str
    role: ConsoleRole
    page: Page
    method: Literal["GET", "POST"] = "GET"
    live: bool = False  # parts of it are told anew as they change


_OF: Final = "/i/{integration}"
PAGES: Final[Sequence[At]] = (
    At("/", "viewer", overview.overview, live=True),
    At("/road", "viewer", road.road, live=True),
    At("/doctor", "viewer", doctor.doctor),
    At("/doctor", "viewer", doctor.look_again, "POST"),
    At("/settings", "admin", settings.settings),
    At(_OF, "viewer", integration.health, live=True),
    At(f"{_OF}/mappings", "viewer", mappings.mappings),
    At(f"{_OF}/mappings/{{mapping}}", "viewer", mappings.mapping),
    At(f"{_OF}/connection", "viewer", connection.connection),
    At(f"{_OF}/full-sync", "viewer", full_sync.full_sync, live=True),
)
