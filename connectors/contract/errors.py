"""The errors of a call to a system, named by what to do next.

ConnectorError
├── Retryable            do it again, not before `wait_s`
│   ├── Transient        nothing was done: back off, try again
│   ├── RateLimited      too many requests: wait, and never count it as a failure
│   └── UnknownResult    a write was sent and its answer lost: write again if that is harmless
├── Refused              the same request will be refused again: dead letter
│   ├── Denied           so is every such request for this object type: leave it, try again much later
│   └── Unforeseen       our own code raised on it: nobody was asked, or nobody understood the answer
├── Missing              the object is not there (any more)
├── CredentialsRejected  the integration needs to be connected again
└── Misconfigured        somebody has to change a setting: stop

The first line of a class's docstring is its message; messages carry codes, never field values, tokens or
object ids (which can be emails); `object_id` is an attribute for who needs it.
"""

from typing import Final

from schemas.letters import place_of

LONGEST_NAME: Final = 200
MOST_NAMES: Final = 100
MISSING_SCOPES: Final = "missing_scopes"

WAIT_CAPPED: Final = "wait_capped"
"""Reason of a system that works, and asks for a longer wait than is kept."""
CURSOR_GONE: Final = "cursor_gone"
"""Reason of a refused page: the object that its cursor names was deleted."""
PAGE_EMPTY: Final = "paging_page_empty"
"""Reason of a page that holds nothing though others are said to follow."""
OTHER_OBJECT: Final = "other_object"
"""Reason of a refused read: the answer shows another object than was asked for, and no merge explains it."""


class ConnectorError(Exception):
    """The other system did not do what was asked."""

    def __init__(self, reason: str, *, status: int | None = None, trace: str | None = None) -> None:
        """`reason` is a stable snake_case code, `status` the HTTP status, `trace` the vendor's id of the request."""
        super().__init__(reason)
        self.reason = named(reason)
        self.status = status
        self.trace = trace

    def __str__(self) -> str:
        facts = {name: fact for name, fact in self._facts().items() if fact not in (None, ())}
        return f"{_message(type(self))} ({', '.join(f'{name} {_shown(fact)}' for name, fact in facts.items())})"

    def _facts(self) -> dict[str, object]:
        return {"reason": self.reason, "status": self.status, "trace": self.trace}


class Retryable(ConnectorError):
    """The same request may succeed later."""

    def __init__(
        self, reason: str, *, wait_s: float | None = None, status: int | None = None, trace: str | None = None
    ) -> None:
        """`wait_s` is what the answer asks for, in seconds; None leaves it to the caller's back-off."""
        super().__init__(reason, status=status, trace=trace)
        self.wait_s = wait_s

    def _facts(self) -> dict[str, object]:
        return super()._facts() | {"wait_s": self.wait_s}


class Transient(Retryable):
    """Nothing was done this time."""


class RateLimited(Retryable):
    """The other system takes no more requests for now."""

    def __init__(
        self,
        policy: str,
        *,
        reason: str = "rate_limited",
        wait_s: float | None = None,
        status: int | None = None,
        trace: str | None = None,
    ) -> None:
        """`policy` names the limit that was met: `burst`, `search`, `daily` or `unknown`."""
        super().__init__(reason, wait_s=wait_s, status=status, trace=trace)
        self.policy = policy

    def _facts(self) -> dict[str, object]:
        return super()._facts() | {"policy": self.policy}


class UnknownResult(Retryable):
    """A write was sent, and whether it was done is not known."""


class Refused(ConnectorError):
    """The request was understood and refused."""

    def __init__(
        self,
        reason: str,
        *,
        fields: tuple[str, ...] = (),
        object_id: str | None = None,
        status: int | None = None,
        trace: str | None = None,
    ) -> None:
        """`fields` are the fields the answer blames, as the system names them; empty when it blames none."""
        super().__init__(reason, status=status, trace=trace)
        self.fields = tuple(map(named, fields[:MOST_NAMES]))
        self.object_id = object_id

    @property
    def field(self) -> str | None:
        """The first field that was blamed."""
        return self.fields[0] if self.fields else None

    def _facts(self) -> dict[str, object]:
        return super()._facts() | {"fields": self.fields}


class Denied(Refused):
    """The credentials may not do this with objects of this type."""


class Unforeseen(Refused):
    """Our own code failed on it."""

    def __init__(self, error: BaseException) -> None:
        """`error` is what was raised; of it only the type and the place are kept."""
        super().__init__("step_failed")
        self.place = place_of(error)

    def _facts(self) -> dict[str, object]:
        return super()._facts() | {"place": self.place}


class Missing(ConnectorError):
    """The object is not there."""

    def __init__(self, object_id: str | None = None, *, status: int | None = None, trace: str | None = None) -> None:
        super().__init__("missing", status=status, trace=trace)
        self.object_id = object_id


class CredentialsRejected(ConnectorError):
    """The token or key is not accepted."""


class Misconfigured(ConnectorError):
    """A setting, a permission or an address has to be changed."""

    def __init__(
        self, reason: str, *, needed: tuple[str, ...] = (), status: int | None = None, trace: str | None = None
    ) -> None:
        """`needed` names what is lacking, such as the scopes to grant."""
        super().__init__(reason, status=status, trace=trace)
        self.needed = tuple(map(named, needed[:MOST_NAMES]))

    def _facts(self) -> dict[str, object]:
        return super()._facts() | {"needed": self.needed}


def named(text: str) -> str:
    """A name as an answer gives it, short and without what a terminal takes for a command."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:LONGEST_NAME])


def _message(kind: type[ConnectorError]) -> str:
    return (kind.__doc__ or kind.__name__).splitlines()[0].rstrip(".")


def _shown(fact: object) -> str:
    return " ".join(str(part) for part in fact) if isinstance(fact, tuple) else str(fact)
