"""Wires doctor's checks to one process: what the command and the console's page both run."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from connectors.kafka.producer import publish_now
from connectors.kafka.table import TableReader
from pipeline.commands.letter_desk import LetterDesk
from pipeline.full_sync.rows import Run
from pipeline.lag.looking import look
from pipeline.lag.reading import Brokers
from pipeline.operations.doctor import NO_KEY_HERE, examine
from pipeline.operations.findings import Finding
from pipeline.operations.letter_report import Told
from pipeline.operations.losses import losses_among, read_losses
from pipeline.operations.open_letters import Looked
from pipeline.operations.probing import NOBODY_ASKED, Probed, probe
from pipeline.operations.runs import Runs, read_runs
from pipeline.process import Process, now_ms
from schemas.records import DeadLetter
from schemas.topics import INTEGRATIONS

MOST_LETTERS: Final = 10_000
"""The newest so many are judged by a process that knows none yet: each costs a decoded letter and a pair's row."""


@dataclass(frozen=True, slots=True)
class AtHand:
    """What a process that lasts has read already: every letter, and every full sync, oldest first."""

    letters: Callable[[], Sequence[Told]]  # blocks
    runs: Runs


def findings_of(
    process: Process,
    tables: Callable[[], TableReader],
    probe_s: float,
    at_hand: AtHand | None = None,
) -> Iterator[Finding]:
    """Every finding, as it is found; blocks. `tables` hold letter marks too; with `probe_s` 0 no vendor is asked."""
    settings, read = process.settings, _Once(tables)

    def letters() -> Looked:
        if at_hand is not None:
            return Looked(at_hand.letters())
        desk = LetterDesk(process, read.tables())
        newest, older = desk.newest(MOST_LETTERS)
        return Looked(desk.told(newest), older)

    def lost() -> Iterable[DeadLetter]:
        if at_hand is not None:
            return losses_among(at_hand.letters(), now_ms())
        return read_losses(process.cluster, process.codec, process.admin(), now_ms())

    def runs() -> Iterable[Run]:
        if at_hand is not None:
            return at_hand.runs()
        return read_runs(process.cluster, process.codec, settings.partitions)

    def ask() -> Probed:
        if not probe_s:
            return NOBODY_ASKED
        publish = lambda messages: publish_now(process.cluster, process.codec, messages)  # noqa: E731
        return probe(publish, lambda: read.tables().table(INTEGRATIONS), probe_s, now_ms)

    found = examine(
        process.admin(),
        process.registry(),
        process.check_reached,
        process.check_partitions,
        lambda: read.tables().table(INTEGRATIONS),
        partitions=settings.partitions,
        changes_retention_days=settings.changes_retention_days,
        opens=_any if process.keyless else process.box.can_open,
        newest=_any if process.keyless else process.box.is_newest,
        runs=runs,
        lost=lost,
        road=lambda: look(Brokers(process.cluster, process.codec, process.admin(), now_ms)),
        letters=letters,
        probe=ask,
        state_dir=settings.state_dir,
        full_sync_interval_s=settings.full_sync_interval_s,
        now_ms=now_ms(),
    )
    return chain(found, [NO_KEY_HERE]) if process.keyless else found


def _any(_: bytes, __: str) -> bool:
    """Nothing is said of secrets where the roles' key is not."""
    return True


class _Once:
    """The tables, read when they are asked for first: nothing is read of brokers that do not answer."""

    def __init__(self, read: Callable[[], TableReader]) -> None:
        self._read = read
        self._tables: Any = None

    def tables(self) -> TableReader:
        if self._tables is None:
            self._tables = self._read()
        found: TableReader = self._tables
        return found
