"""What becomes of one webhook, as values: for whom it is stored, and what is answered."""

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
    """One request: the URL the vendor called it by, and when we had the whole body (our clock)."""

    method: str
    url: str
    headers: Headers = field(repr=False)
    body: bytes = field(repr=False)
    at_ms: int


@dataclass(frozen=True, slots=True)
class WebhookRefusal:
    """Why a webhook is not stored, and what its sender can do; `number` accounts end like this."""

    result: WebhookResult
    message: str
    number: int = 1

    @property
    def status(self) -> int:
        return _STATUS[self.result]


@dataclass(frozen=True, slots=True)
class Judgement:
    """The integrations a webhook is stored for, and why it is not stored for others.

    `signed` says that a secret of ours fits. Who has signed nothing learns nothing of what there is: `to_strangers` is
    the answer whatever the refusals are, which are counted only.
    """

    recipients: tuple[str, ...] = ()
    refusals: tuple[WebhookRefusal, ...] = ()
    to_strangers: WebhookRefusal | None = None

    @property
    def signed(self) -> bool:
        return self.to_strangers is None

    def answer(self) -> WebhookRefusal | None:
        """None: 2xx. What can be mended is refused though others have it, so that the vendor sends it again."""
        if self.to_strangers is not None:
            return self.to_strangers
        if self.recipients:
            return gravest([refusal for refusal in self.refusals if refusal.status not in _NOBODY])
        return gravest(self.refusals)


def gravest(refusals: Sequence[WebhookRefusal]) -> WebhookRefusal | None:
    """What is likeliest to pass comes first: ours to mend, then a secret, then nobody there."""
    return min(refusals, key=lambda refusal: (refusal.status != 503, refusal.status), default=None)


def refused(result: WebhookResult, message: str) -> Judgement:
    """Signed, and stored for nobody."""
    return Judgement(refusals=(WebhookRefusal(result, message),))


def not_proven(result: WebhookResult, some_sealed: bool) -> Judgement:
    """No secret fits, for a reason that is counted.

    The answer is the same for a name or account that is unknown, known or disconnected. Where a secret of whichever
    integration does not open, all are told to come again: it may be the one.
    """
    answer = SEALED if some_sealed else unsigned("mismatch", "")
    return Judgement(refusals=(WebhookRefusal(result, answer.message),), to_strangers=answer)


SEALED: Final = WebhookRefusal(
    "sealed", "a secret cannot be opened here: set PAIRSTREAM_SECRET_KEY, then send it again"
)


def unsigned(result: str | None, header: str) -> WebhookRefusal:
    """`result` is the reason of a signature's Verdict."""
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
