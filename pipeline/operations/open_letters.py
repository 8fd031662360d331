"""What doctor says of dead letters that nobody has mended or put away yet."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pipeline.operations.findings import Finding
from pipeline.operations.letter_remedies import what_to_do
from pipeline.operations.letter_report import Told


@dataclass(frozen=True, slots=True)
class Looked:
    """Letters with how each stands, and how many records of their topic, older than they, were not looked at."""

    told: Sequence[Told]
    older: int = 0


Letters = Callable[[], Looked]
"""The letters that are retained. Blocks."""


def open_letters(looked: Looked) -> Iterator[Finding]:
    """A finding for each integration that has open ones, by their reasons; what retention lost has its own."""
    found: dict[str | None, Counter[str]] = {}
    fields: dict[tuple[str | None, str], set[str]] = {}
    for one in looked.told:
        letter = one.letter.letter
        if not one.now.open or letter.reason == "records_lost":
            continue
        found.setdefault(letter.integration, Counter())[letter.reason] += 1
        if letter.field is not None:
            fields.setdefault((letter.integration, letter.reason), set()).add(letter.field)
    for integration, reasons in sorted(found.items(), key=lambda item: item[0] or ""):
        parts = [
            f"{number} {reason}{_of(fields.get((integration, reason), set()))}: {what_to_do(reason)}"
            for reason, number in reasons.most_common()
        ]
        what = f"integration {integration}: dead letters" if integration else "dead letters"
        yield Finding(what, "wrong", f"open: {'; '.join(parts)}", "letters_open", integration)
    if looked.older:
        detail = f"the newest {len(looked.told):,} were looked at; up to {looked.older:,} are older"
        yield Finding("dead letters", "unknown", detail, "letters_not_looked_at")


def _of(fields: set[str]) -> str:
    return f" of {', '.join(sorted(fields))}" if fields else ""
