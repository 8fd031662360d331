"""Ends roles that live and do nothing, so that the supervisor starts them again."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from pipeline.local.readiness import says_alive

CHECK_EVERY_S: Final = 5.0
SILENT_S: Final = 90.0  # a role that answered before may be silent for so long: a suspended machine wakes up again


@dataclass(slots=True, eq=False)
class WatchedRole:
    """One role with a `/health/live`; `end` takes the reason."""

    url: str
    end: Callable[[str], None]
    answered_at: float | None = field(default=None)


class LiveWatch:
    """Asks every role in turn, on a thread, while started."""

    def __init__(
        self,
        roles: Sequence[WatchedRole],
        *,
        says: Callable[[str], bool | None] = says_alive,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._roles = roles
        self._says = says
        self._clock = clock
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="live watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def check(self) -> None:
        """Ask each role once, and end those that say they do nothing, or went silent."""
        for role in self._roles:
            said = self._says(role.url)
            if said is False:
                role.answered_at = None
                role.end("it lives and nothing moves")
            elif said:
                role.answered_at = self._clock()
            elif role.answered_at is not None and self._clock() - role.answered_at > SILENT_S:
                role.answered_at = None
                role.end(f"it has not answered for {SILENT_S:.0f} s")

    def _run(self) -> None:
        while not self._stopping.wait(CHECK_EVERY_S):
            self.check()
