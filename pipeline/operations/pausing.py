"""The reason for a pause: in the words of whoever asks for it, told wherever the pause is."""

from typing import Final

from pipeline.operations import OperationRefused

LONGEST: Final = 200
"""Characters; a sentence or two, for others to read beside the state."""


class NoReason(OperationRefused):
    """What was given is no reason; the message says why and what to do. Nothing was changed."""


def pause_reason(text: str) -> str:
    """The text on one line; empty: none was given. Raises NoReason."""
    reason = " ".join(text.split())
    if len(reason) > LONGEST:
        raise NoReason(
            f"A reason for a pause has at most {LONGEST} characters; this one has {len(reason):,}. Fix: shorten it"
        )
    try:
        reason.encode()
    except UnicodeEncodeError:
        raise NoReason("The reason for the pause is no text in UTF-8. Fix: type it anew") from None
    return reason
