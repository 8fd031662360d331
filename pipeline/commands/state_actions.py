"""What `state rebuild` does: refuses beside workers, tells what comes of it, writes the rows."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any, Final

import click

from connectors.kafka.groups import ConsumerGroup
from connectors.kafka.latest import latest_rows
from connectors.kafka.partitioner import partition_of
from connectors.kafka.producer import publish_now
from connectors.kafka.reading import Found, read_to_end
from connectors.kafka.topology import STAGE_TOPICS, handled_group, transactional_ids
from connectors.kafka.transactions import Produced, TransactionalWriter, TransactionFailed
from pipeline.agents.configuration import Configuration
from pipeline.agents.step import Incoming
from pipeline.commands.output import say_object
from pipeline.commands.repartition_actions import brokers
from pipeline.commands.session import audit, confirm, open_process, plain_errors, refuse
from pipeline.counting import counted
from pipeline.operations import OperationRefused
from pipeline.operations.moved_topics import refuse_beside
from pipeline.operations.repartition import positions
from pipeline.operations.stop_check import still_members
from pipeline.process import Process, now_ms
from pipeline.replay.rebuilding import Compared, KeptRows, Rebuilding, compared
from schemas.codec import MalformedRecord
from schemas.copies import handled_by
from schemas.registry import UnknownSchema
from schemas.state import ObjectState
from schemas.topics import (
    INTEGRATIONS,
    MAPPINGS,
    MATCHES,
    OBJECTS_STATE,
    PAIRS_STATE,
    RECEIPTS,
    STATE_COMMANDS,
    WORKER_GROUP,
    TopicAndPartition,
)

WRITTEN_BY: Final = {OBJECTS_STATE: "objects", PAIRS_STATE: "pairs"}
CHUNK_ROWS: Final = 1_000  # of one transaction
READ: Final = (*STAGE_TOPICS["objects"], RECEIPTS)


class RebuildRefused(OperationRefused):
    """State was not rebuilt; the message says why and what to do."""


def rebuild(*, dry_run: bool, yes: bool, shape: str) -> None:
    """Rebuild state, or only say what would come of it."""
    with plain_errors(), brokers():
        process = open_process()
        partitions = process.settings.partitions
        refuse_beside(process.admin().partitions(), partitions)
        say = click.echo if shape == "text" else _nothing
        if live := still_members(process.cluster, [WORKER_GROUP], say, "stop the workers: they write this state"):
            refuse(*live)
        rebuilding = _rebuilt(process)
        rows = _together(rebuilding)
        present = {topic: _present(process, topic) for topic in WRITTEN_BY}
        erased = _erased(process, present[OBJECTS_STATE], rows[OBJECTS_STATE])
        told = {
            topic: compared(rows[topic], present[topic], len(erased) if topic == OBJECTS_STATE else 0) for topic in rows
        }
        if shape == "text" or dry_run:
            _tell(rebuilding, told, shape, dry_run=dry_run)
        if dry_run:
            return
        if not yes:
            confirm("Write these rows in place of those that are there?")
        _write(process, rebuilding, present, erased)
        what = f"{counted(told[OBJECTS_STATE].rebuilt, 'object')}, {counted(told[PAIRS_STATE].rebuilt, 'pair')}"
        publish_now(process.cluster, process.codec, [audit().deed("", "state rebuild", what)])
        if shape == "text":
            click.echo("\u2713 rebuilt; start the workers, then `pairstream full-sync start` brings what is older")
        else:
            _tell(rebuilding, told, shape, dry_run=False)


def _nothing(_: str) -> None:
    """JSON tells the end alone."""


def _rebuilt(process: Process) -> Rebuilding:
    settings, codec = process.settings, process.codec
    tables = process.start(process.tables(), records=False)
    tables.stop()
    configuration = Configuration()
    for topic in (MAPPINGS, INTEGRATIONS):
        for key, record in tables.table(topic).items():
            configuration.apply(topic, key, record)

    def rows(topic: str) -> KeptRows:
        return KeptRows(lambda row: codec.encode(topic, row), lambda value: codec.decode(topic, value))

    hold_ms, interval_ms = settings.event_hold_s * 1000, settings.lookup_interval_s * 1000
    rebuilding = Rebuilding(configuration.view, rows, settings.partitions, hold_ms, interval_ms)
    for found in sorted(_handled(process), key=lambda one: one.at_ms):
        try:
            record = codec.decode(found.topic, found.value or b"")
        except (MalformedRecord, UnknownSchema):
            continue  # it is a dead letter
        key = found.key.decode(errors="replace")
        rebuilding.handle(Incoming(found.topic, found.partition, found.offset, key, b"", record), found.at_ms)
    return rebuilding


def _handled(process: Process) -> Iterator[Found]:
    """The records that the agents have handled. Raises RebuildRefused where some in the middle wait for PAIRS."""
    admin, partitions = process.admin(), process.settings.partitions
    for topic in (MATCHES, RECEIPTS, STATE_COMMANDS):
        places = positions(admin, topic, partitions)
        begins: dict[TopicAndPartition, int] = {(topic, number): min(at.values()) for number, at in places.items()}
        if admin.holding_after(begins):
            raise RebuildRefused(
                f"records of {topic} wait: what they tell would be known, and never done. Fix: start a worker until "
                "`pairstream lag` shows nothing before objects and pairs, then stop it"
            )
    ends: dict[TopicAndPartition, int] = {}
    for topic in READ:
        stage = "pairs" if topic == RECEIPTS else "objects"
        ends |= {(topic, number): at[stage] for number, at in positions(admin, topic, partitions).items()}
    begins = {place: at for place, at in admin.begin_offsets(READ).items() if at < ends[place]}
    yield from read_to_end(process.cluster, begins, ends)
    for found in read_to_end(process.cluster, ends):
        if handled_by(found.headers, "objects"):
            yield found  # before it was moved to another partition


def _together(rebuilding: Rebuilding) -> dict[str, dict[str, bytes]]:
    found: dict[str, dict[str, bytes]] = {topic: {} for topic in WRITTEN_BY}
    for (topic, _), rows in rebuilding.rows.items():
        found[topic].update(rows.values)
    return found


def _present(process: Process, topic: str) -> dict[str, bytes]:
    return latest_rows(process.cluster, topic, process.settings.partitions, "", lambda *_: None)


def _erased(process: Process, present: Mapping[str, bytes], rebuilt: Mapping[str, bytes]) -> frozenset[str]:
    """Rows of what was erased, which refuse whatever comes late: they stay though nothing of them is retained."""
    left = ((key, process.codec.decode(OBJECTS_STATE, present[key])) for key in present.keys() - rebuilt.keys())
    return frozenset(key for key, row in left if isinstance(row, ObjectState) and row.erased_ms)


def _write(
    process: Process, rebuilding: Rebuilding, present: Mapping[str, Mapping[str, bytes]], erased: frozenset[str]
) -> None:
    """Rows that changed, and those that are gone; each partition under the id by which its worker writes it."""
    partitions = process.settings.partitions
    gone: dict[TopicAndPartition, list[str]] = {}
    for topic, there in present.items():
        for key in there.keys() - erased:
            gone.setdefault((topic, partition_of(key, partitions)), []).append(key)
    for (topic, number), rows in rebuilding.rows.items():
        messages = [
            Produced(topic, key, value, number)
            for key, value in rows.values.items()
            if present[topic].get(key) != value
        ]
        messages += [
            Produced(topic, key, None, number) for key in gone.get((topic, number), ()) if key not in rows.values
        ]
        if not messages:
            continue
        stage = WRITTEN_BY[topic]
        group = ConsumerGroup(process.cluster, handled_group(stage))
        try:
            writer = TransactionalWriter(process.cluster, f"{transactional_ids(stage)}{number}", group)
            for start in range(0, len(messages), CHUNK_ROWS):
                writer.write(messages[start : start + CHUNK_ROWS], {})
        except TransactionFailed as error:
            raise RebuildRefused(
                f"{topic}[{number}]: {error}. Fix: see that no worker runs, then run it again"
            ) from error
        writer.close()


def _tell(rebuilding: Rebuilding, told: Mapping[str, Compared], shape: str, *, dry_run: bool) -> None:
    if shape == "json":
        report: dict[str, Any] = {"at_ms": now_ms(), "dry_run": dry_run, "records": rebuilding.handled}
        say_object({**report, "state": {topic: asdict(one) for topic, one in told.items()}})
        return
    click.echo(f"{rebuilding.handled:,} retained records were handled again")
    for topic, one in told.items():
        click.echo(
            f"  {topic:<18} {one.rebuilt:,} rows: {one.equal:,} as they are, {one.differ:,} others, {one.new:,} new"
        )
        if one.lost or one.kept:
            click.echo(f"  {'':<18} {one.lost:,} go, nothing of them is retained; {one.kept:,} of erased objects stay")
