"""One call to a simulated vendor, its answer, and the log of calls that tests read."""

import json
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# vendor JSON: only its reader knows its shape
Json = Any


@dataclass(frozen=True)
class Call:
    """`path` is as sent, still percent-encoded; `kind` names the endpoint; `object_ids` are those in path or body."""

    method: str
    path: str
    kind: str
    object_ids: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """A whole HTTP answer; `body` is JSON bytes or empty."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def json_answer(status: int, body: Json, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer with `body` written as JSON."""
    return Answer(status, json.dumps(body).encode(), {"content-type": "application/json", **(headers or {})})


@dataclass(frozen=True)
class LoggedCall:
    """`time_ms` is the vendor's time of arrival, `status` 0 if the client got no answer."""

    time_ms: int
    method: str
    path: str
    kind: str
    object_ids: tuple[str, ...]
    status: int


class RequestLog:
    """The latest calls, and counters of all calls since the last clearing."""

    def __init__(self, size: int) -> None:
        self.calls: deque[LoggedCall] = deque(maxlen=size)
        self.counters: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()

    def add(self, call: Call, time_ms: int, status: int) -> None:
        """Keep one finished call."""
        self.calls.append(LoggedCall(time_ms, call.method, call.path, call.kind, call.object_ids, status))
        self.counters[f"{call.method} {call.kind}"] += 1
        self.statuses[str(status)] += 1

    def clear(self) -> None:
        """Forget calls and counters."""
        self.calls.clear()
        self.counters.clear()
        self.statuses.clear()
