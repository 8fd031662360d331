"""What doctor says of dead letters that nobody has mended or put away yet."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from pipeline.operations.findings import Finding
from pipeline.operations.letter_remedies import what_to_do
from pipeline.operations.letter_report import Told

Letters = Callable[[], Iterable[Told]]
"""Every letter that is retained, with how it stands. Blocks."""


def open_letters(told: Iterable[Told]) -> Iterator[Finding]:
    """A finding for each integration that has open ones, by their reasons; what retention lost has its own."""
    found: dict[str | None, Counter[str]] = {}
    fields: dict[tuple[str | None, str], set[str]] = {}
    for one in told:
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


def _of(fields: set[str]) -> str:
    return f" of {', '.join(sorted(fields))}" if fields else ""
