"""Starts the local broker again when it dies by itself, as the supervisor does with the roles."""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Protocol, Self

from pipeline.local.errors import LocalError
from pipeline.local.restarts import RestartPolicy, Restarts

CHECK_EVERY_S: Final = 0.5


class Mortal(Protocol):
    """The part of `LocalBroker` that is used here."""

    @property
    def died(self) -> bool:
        """Whether its process ended though nobody stopped or killed it here."""
        ...

    def kill(self) -> None: ...

    def start(self) -> None: ...


class BrokerRestart:
    """Watches a broker on its own thread while the block lasts; `note` takes a line for the operator."""

    def __init__(
        self,
        broker: Mortal,
        note: Callable[[str], None],
        *,
        policy: RestartPolicy | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._broker = broker
        self._note = note
        self._policy = policy or RestartPolicy()
        self._clock = clock
        self._restarts = Restarts()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._look_after, name="revival of the broker", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()

    def _look_after(self) -> None:
        started, works = self._clock(), True
        while not self._stopping.wait(CHECK_EVERY_S):
            if works and not self._broker.died:
                continue
            self._restarts = self._restarts.after_end(self._clock() - started, self._policy)
            wait_s = self._restarts.wait_s(self._policy)
            self._note(f"the local broker ended; restart {self._restarts.total} in {wait_s:g} s")
            if self._stopping.wait(wait_s):
                return
            started, works = self._clock(), self._revived()

    def _revived(self) -> bool:
        """Start it once; a failed start counts as another end."""
        self._broker.kill()
        try:
            self._broker.start()
        except (LocalError, OSError) as error:  # a full disk, say: that may pass
            self._note(f"the local broker: {error}")
            return False
        return True
