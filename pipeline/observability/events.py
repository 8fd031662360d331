"""The stable name of a log line: from the module and the sentence as it stands in the code, never from its values."""

import re
from functools import lru_cache
from typing import Final

OURS: Final = ("pipeline.", "connectors.", "schemas.", "docs.")
MOST_WORDS: Final = 8
_FIELD: Final = re.compile(r"%(?:\(\w+\))?[-+ #0]*[\d*]*(?:\.[\d*]+)?[a-zA-Z%]")
_WORD: Final = re.compile(r"[a-z0-9]+")


@lru_cache(maxsize=1_000)
def event_name(logger: str, sentence: str) -> str:
    """`pipeline.notices.telling`, `%s: %s, to be told` -> `notices.telling.to_be_told`.

    A library's sentence may have values in it: its lines are named by the logger alone.
    """
    if not logger.startswith(OURS):
        return logger
    words = _WORD.findall(_FIELD.sub(" ", sentence).lower())[:MOST_WORDS]
    place = logger.partition(".")[2]
    return f"{place}.{'_'.join(words)}" if words else place
