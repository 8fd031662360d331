"""What a simulated vendor holds, in a file: `up` begins a simulator that died, or was stopped, where it was.

A real vendor forgets nothing when Pairstream is stopped; a simulator that began anew under the pipeline's kept state
would be a vendor that lost its records. So every change is on disk before it is answered.
"""

import asyncio
import os
import pickle
import random
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.local.errors import LocalError

_MARK: Final = b"pairstream simulator 1\n"
_READS: Final = (b"/batch/read", b"/search")
"""POST requests that change nothing."""

Held = dict[str, Any]  # the simulators' own dataclasses, pickled as they are


class StoreUnreadable(LocalError):
    """The store file is not what this version writes."""


class SimulatorStore:
    """One simulator's data in one file. `simulator` is either of the two; they share no type that names their data."""

    def __init__(self, simulator: Any, system: str, path: Path) -> None:
        self._simulator, self._path = simulator, path
        self._parts = _hubspot_parts(simulator) if system == "hubspot" else _userflow_parts(simulator)
        self._lock = asyncio.Lock()
        self._changes = self._saved = 0

    def restore(self) -> bool:
        """Fill the simulator from the file; False where there is none yet. Raises StoreUnreadable."""
        if not self._path.exists():
            return False
        fix = f"Fix: remove it, and start a full sync: the simulator begins with its seed again ({self._path})."
        found = self._path.stat()
        if found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o022:
            raise StoreUnreadable(f"the simulator's store may be written by others. {fix}")
        try:
            held = _loaded(self._path.read_bytes(), self._parts)
            self._simulator.rng.setstate(held["rng"])
        except Exception as error:  # noqa: BLE001 - unpickling raises whatever the file's bytes lead to
            raise StoreUnreadable(
                f"the simulator's store is of another version ({type(error).__name__}). {fix}"
            ) from None
        for name, data in held["parts"].items():
            _fill(self._parts[name], data)
        return True

    async def save(self) -> None:
        """Return once all that changed before this call is in the file; calls at one time share a write."""
        self._changes = number = self._changes + 1
        async with self._lock:
            if self._saved >= number:
                return
            covered = self._changes
            await asyncio.to_thread(self._write, self._bytes())
            self._saved = covered

    def _bytes(self) -> bytes:
        parts = {name: _data(part) for name, part in self._parts.items()}
        return _MARK + pickle.dumps({"rng": self._simulator.rng.getstate(), "parts": parts})

    def _write(self, data: bytes) -> None:
        aside = self._path.with_suffix(".new")
        aside.touch(0o600)
        aside.write_bytes(data)
        aside.replace(self._path)


class SavedBeforeAnswered:
    """An ASGI app whose answers to changing requests leave once the change is in the store."""

    def __init__(self, app: ASGIApp, store: SimulatorStore) -> None:
        self._app, self._store = app, store

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _may_change(scope):
            await self._app(scope, receive, send)
            return
        answer: list[Message] = []

        async def hold(message: Message) -> None:
            answer.append(message)

        await self._app(scope, receive, hold)
        await self._store.save()
        for message in answer:
            await send(message)


def _may_change(scope: Scope) -> bool:
    if scope["method"] in ("GET", "HEAD"):
        return False
    return not scope.get("raw_path", b"").partition(b"?")[0].endswith(_READS)


def _hubspot_parts(simulator: Any) -> Mapping[str, Any]:
    portal = simulator.portal
    return {
        "store": portal.store,
        "definitions": portal.definitions,
        "associations": portal.associations,
        "tokens": simulator.tokens,
        "app_events": simulator.app_events,
        "custom_events": simulator.custom_events,
    }


def _userflow_parts(simulator: Any) -> Mapping[str, Any]:
    environment = simulator.environment
    return {
        "store": environment.store,
        "definitions": environment.definitions,
        "subscriptions": environment.subscriptions,
        "content": simulator.content,
    }


def _data(part: Any) -> Held:
    """An object's data without what it was given to work with: functions and the source of randomness."""
    if isinstance(part, dict):
        return dict(part)
    return {name: value for name, value in vars(part).items() if not callable(value) and not _is_random(value)}


def _is_random(value: object) -> bool:
    return isinstance(value, random.Random)


def _fill(part: Any, data: Held) -> None:
    """In place: others hold the same object."""
    if isinstance(part, dict):
        part.clear()
        part.update(data)
    else:
        vars(part).update(data)


def _loaded(content: bytes, parts: Iterable[str]) -> Held:
    if not content.startswith(_MARK):
        raise ValueError("no store")
    held: Held = pickle.loads(content[len(_MARK) :])
    if set(held["parts"]) != set(parts):
        raise ValueError("other parts")
    return held
