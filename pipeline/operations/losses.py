"""Records that were lost lately, by their dead letters: which of the losses no full sync has healed yet."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from connectors.kafka.admin import Admin
from connectors.kafka.cluster import Cluster
from connectors.kafka.reading import read_to_end
from pipeline.operations.findings import Finding
from pipeline.operations.letter_report import Told
from pipeline.operations.lost_records import LOST, affected_by
from pipeline.operations.whole_runs import whole
from schemas.codec import Codec, MalformedRecord
from schemas.configuration import IntegrationPart, IntegrationSettings
from schemas.integrations import every
from schemas.records import DeadLetter
from schemas.registry import UnknownSchema
from schemas.runs import RunProgress, asked_for_ms
from schemas.topics import DEAD_LETTERS

LATELY_MS: Final = 7 * 24 * 60 * 60 * 1000
MOST_SHOWN: Final = 10

Losses = Callable[[], Iterable[DeadLetter]]
"""The letters of losses."""


def read_losses(cluster: Cluster, codec: Codec, admin: Admin, now_ms: int) -> Iterator[DeadLetter]:
    """The letters of the last seven days. Blocks. Raises BrokersUnreachable.

    Few letters are of losses, and decoding all takes seconds: a text stands in a record's bytes as it is.
    """
    begins = admin.offsets_at([DEAD_LETTERS], now_ms - LATELY_MS)
    for found in read_to_end(cluster, begins):
        if LOST.encode() not in (found.value or b""):
            continue
        try:
            letter = codec.decode(DEAD_LETTERS, found.value or b"")
        except (MalformedRecord, UnknownSchema):
            continue
        if isinstance(letter, DeadLetter) and letter.reason == LOST:
            yield letter


def losses_among(told: Iterable[Told], now_ms: int) -> Iterator[DeadLetter]:
    """The same of letters that were read already."""
    letters = (one.letter.letter for one in told)
    return (letter for letter in letters if letter.reason == LOST and letter.at_ms >= now_ms - LATELY_MS)


def losses(
    letters: Iterable[DeadLetter], parts: Mapping[str, IntegrationPart], runs: Sequence[RunProgress], partitions: int
) -> Iterator[Finding]:
    """A finding for each place where records were lost, by its newest loss: healed, or what is left to be done.

    `runs` are the rows of whole runs.
    """
    newest: dict[str, DeadLetter] = {}
    for letter in letters:
        if letter.key not in newest or newest[letter.key].at_ms < letter.at_ms:
            newest[letter.key] = letter
    healed_at = _completed_since(runs, every(parts))
    shown = sorted(newest.values(), key=lambda letter: -letter.at_ms)
    for letter in shown[:MOST_SHOWN]:
        concerned = affected_by(letter, partitions, parts)
        yield _finding(letter, [name for name in concerned if healed_at.get(name, -1) < letter.at_ms])
    if len(shown) > MOST_SHOWN:
        yield Finding("lost records", "wrong", f"and at {len(shown) - MOST_SHOWN} places more", "records_lost")


def _finding(letter: DeadLetter, left: Sequence[str]) -> Finding:
    at = datetime.fromtimestamp(letter.at_ms / 1000, UTC).isoformat(timespec="seconds")
    told = f"{letter.detail}, {at}"
    if not left:
        return Finding("lost records", "ok", f"{told}; a full sync has healed it")
    fix = "; ".join(f"`pairstream full-sync start {name}`" for name in left)
    told = f"{told}. Fix: unless the full sync that was asked for is under way, {fix}"
    return Finding("lost records", "wrong", told, "records_lost", left[0] if len(left) == 1 else None)


def _completed_since(runs: Iterable[RunProgress], in_force: Mapping[str, IntegrationSettings]) -> Mapping[str, int]:
    """When the newest whole full sync began that completed, by integration; run ids begin with that time."""
    since: dict[str, int] = {}
    for run in runs:
        settings = in_force.get(run.integration)
        if settings is not None and whole(run, settings):
            since[run.integration] = max(since.get(run.integration, 0), asked_for_ms(run.run_id))
    return since
