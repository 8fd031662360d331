"""What a request loses where records are written as an earlier release writes them: no run would keep to it."""

from collections.abc import Mapping
from typing import Final

from schemas.codec import Codec
from schemas.runs import FullSyncRun, RunProgress
from schemas.topics import RUNS

OPTIONS: Final[Mapping[str, str]] = {"most_per_s": "--rate", "asks": "--ask", "supersede": "--supersede"}
"""What a request says, by the option that asks for it."""


def not_held(codec: Codec, request: RunProgress) -> str | None:
    """Why a run would write without a bound, or a question, that its request asks for; None: it keeps to all of it.

    `codec` is that of whoever writes the run's row: by PAIRSTREAM_SCHEMAS_UP_TO it leaves out what came later.
    """
    written = codec.decode(RUNS, codec.encode(RUNS, request)).full_sync
    lost = [option for name, option in OPTIONS.items() if _of(written, name) != _of(request.full_sync, name)]
    if not lost:
        return None
    return (
        f"{' and '.join(lost)} would not be held to: by PAIRSTREAM_SCHEMAS_UP_TO records are written as a release that "
        "does not know it writes them. Fix: leave it out, or unset PAIRSTREAM_SCHEMAS_UP_TO for every role and command "
        "once that release will not be gone back to"
    )


def _of(asked: FullSyncRun | None, name: str) -> object:
    return getattr(asked, name, None)
