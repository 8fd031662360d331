"""Publishes a replay's records: each chunk in one transaction with the row that says how far the replay has come.

So an interrupted replay goes on exactly where it stood. Its transactional id is its own: who goes on with it, or
cancels it, fences whoever is still at it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from connectors.kafka.cluster import Cluster
from connectors.kafka.groups import ConsumerGroup
from connectors.kafka.reading import Found, Reading
from connectors.kafka.transactions import Produced, TransactionalWriter, TransactionFailed
from pipeline.replay.choice import Choice, as_replayed, place_name, places
from pipeline.replay.credit import Credit
from schemas.codec import Codec, MalformedRecord
from schemas.operating import REPLAY, Replay, ReplayState
from schemas.records import Cause, Notification
from schemas.registry import UnknownSchema
from schemas.topics import REPLAYS

CHUNK: Final = 250
TAKE_S: Final = 0.2
GROUP: Final = "pairstream-replays"
"""A transaction wants a group's name; nothing is committed for it."""


class TakenOver(RuntimeError):
    """Somebody cancelled the replay, or goes on with it elsewhere."""


@dataclass(frozen=True, slots=True)
class PublishingDeps:
    """What publishing is done with."""

    cluster: Cluster
    codec: Codec
    now_ms: Callable[[], int]
    credit: Credit


def decoded(found: Found, codec: Codec) -> Any:
    """The record; None where its bytes are none."""
    try:
        return codec.decode(found.topic, found.value or b"")
    except (MalformedRecord, UnknownSchema):
        return None


def again(found: Found, record: Any) -> Any:
    """The record as it is published again, with its first cause: itself where it names none."""
    sent = as_replayed(record)
    if isinstance(sent, Notification) or sent.caused_by is not None:
        return sent
    return replace(sent, caused_by=Cause(found.topic, found.partition, found.offset, found.at_ms))


class Publishing:
    """One replay on its way."""

    def __init__(self, deps: PublishingDeps, row: Replay) -> None:
        self._deps = deps
        self._row = row
        group = ConsumerGroup(deps.cluster, GROUP)
        self._writer = TransactionalWriter(deps.cluster, f"pairstream-replay-{row.replay_id}", group)

    def run(self, choice: Choice, told: Callable[[Replay], None]) -> Replay:
        """Publish what is left; blocks. `told` gets the row after each chunk. Raises TakenOver."""
        deps = self._deps
        with Reading(deps.cluster, places(self._row.reached), places(self._row.ends)) as reading:
            while reading.left:
                for chunk in _chunks(reading.take(TAKE_S)):
                    records = [(one, decoded(one, deps.codec)) for one in chunk]
                    wanted = [(one, record) for one, record in records if choice.takes(record, one.headers)]
                    deps.credit.wait()
                    self._publish(wanted, {place_name((one.topic, one.partition)): one.offset + 1 for one in chunk})
                    told(self._row)
        return self._row

    def goes_on_from(self, row: Replay) -> None:
        """Take the row over as whoever was fenced left it."""
        self._row = row

    def end(self, state: ReplayState, written: int = 0, refused: int = 0) -> Replay:
        """Write how it ended. Raises TakenOver."""
        now_ms = self._deps.now_ms()
        row = replace(self._row, state=state, updated_at_ms=now_ms, written=written, refused=refused)
        self._write([], row)
        self._writer.close()
        return row

    def _publish(self, wanted: Sequence[tuple[Found, Any]], reached: Mapping[str, int]) -> None:
        header = ((REPLAY, self._row.replay_id.encode()),)
        messages = [
            Produced(
                one.topic,
                one.key.decode(errors="replace"),
                self._deps.codec.encode(one.topic, again(one, record)),
                one.partition,
                header,
            )
            for one, record in wanted
        ]
        row = replace(
            self._row,
            reached={**self._row.reached, **reached},
            published=self._row.published + len(wanted),
            updated_at_ms=self._deps.now_ms(),
        )
        self._write(messages, row)

    def _write(self, messages: Sequence[Produced], row: Replay) -> None:
        value = self._deps.codec.encode(REPLAYS, row)
        try:
            self._writer.write([*messages, Produced(REPLAYS, row.replay_id, value)], {})
        except TransactionFailed as error:
            if not error.fenced:
                raise
            raise TakenOver(row.replay_id) from error
        self._row = row


def _chunks(found: Sequence[Found]) -> Iterator[Sequence[Found]]:
    for start in range(0, len(found), CHUNK):
        yield found[start : start + CHUNK]
