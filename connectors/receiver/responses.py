"""The judgement on one webhook, as values: the integrations it is stored for, and the answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from connectors.http.messages import Headers
from connectors.receiver.ports import WebhookResult

RETRY_AFTER_S: Final = 1

_STATUS: Final[Mapping[WebhookResult, int]] = {
    "broken_off": 400,
    "no_account": 400,
    "missing": 401,
    "malformed": 401,
    "stale": 401,
    "mismatch": 401,
    "no_secret": 401,
    "unknown": 404,
    "disconnected": 410,
    "too_large": 413,
    "sealed": 503,
    "overloaded": 503,
    "not_stored": 503,
    "too_slow": 503,
}
_NOBODY: Final = (404, 410)


@dataclass(frozen=True, slots=True)
class Arrived:
    """One request: the URL that the vendor called, and the time by our clock when the body was complete."""

    method: str
    url: str
    headers: Headers = field(repr=False)
    body: bytes = field(repr=False)
    at_ms: int


@dataclass(frozen=True, slots=True)
class WebhookRefusal:
    """The reason why a webhook is not stored, and the sender's remedy; `number` accounts share it."""

    result: WebhookResult
    message: str
    number: int = 1

    @property
    def status(self) -> int:
        return _STATUS[self.result]


@dataclass(frozen=True, slots=True)
class Judgement:
    """The integrations that a webhook is stored for, and the refusals for others.

    `shares`: integration -> the account whose events alone it gets, of a body that names several; empty: all of it.
    `signed`: one of our secrets fits. An unsigned request must not reveal which integrations exist: its answer is
    `to_strangers` whatever the refusals, which are only counted.
    """

    recipients: tuple[str, ...] = ()
    refusals: tuple[WebhookRefusal, ...] = ()
    to_strangers: WebhookRefusal | None = None
    shares: Mapping[str, str] = field(default_factory=dict)

    @property
    def signed(self) -> bool:
        return self.to_strangers is None

    def answer(self) -> WebhookRefusal | None:
        """None means 2xx. A refusal with a remedy is answered even if others have the webhook: then it is resent."""
        if self.to_strangers is not None:
            return self.to_strangers
        if self.recipients:
            return gravest([refusal for refusal in self.refusals if refusal.status not in _NOBODY])
        return gravest(self.refusals)


def gravest(refusals: Sequence[WebhookRefusal]) -> WebhookRefusal | None:
    """The refusal likeliest to pass comes first: a fault of ours, then a secret, then an unknown integration."""
    return min(refusals, key=lambda refusal: (refusal.status != 503, refusal.status), default=None)


def refused(result: WebhookResult, message: str) -> Judgement:
    """Signed, but stored for no integration."""
    return Judgement(refusals=(WebhookRefusal(result, message),))


def not_proven(result: WebhookResult, some_sealed: bool) -> Judgement:
    """No secret fits; `reason` is only counted.

    The answer is the same for an unknown, known or disconnected name or account. If any integration's secret does
    not open, every sender is asked to retry: the sealed secret may be the right one.
    """
    answer = SEALED if some_sealed else unsigned("mismatch", "")
    return Judgement(refusals=(WebhookRefusal(result, answer.message),), to_strangers=answer)


SEALED: Final = WebhookRefusal(
    "sealed", "a secret cannot be opened here: set PAIRSTREAM_SECRET_KEY, then send it again"
)


def unsigned(result: str | None, header: str) -> WebhookRefusal:
    """`result` is the reason of a failed SignatureCheck."""
    match result:
        case "missing":
            return WebhookRefusal("missing", f"sign the request: {header} is missing")
        case "malformed":
            return WebhookRefusal("malformed", f"{header} cannot be read")
        case "stale":
            return WebhookRefusal(
                "stale", "the signature's time is more than 5 minutes away: sign it anew, check the clocks"
            )
        case _:
            return WebhookRefusal("mismatch", "the signature does not fit: check the secret and PAIRSTREAM_PUBLIC_URL")
