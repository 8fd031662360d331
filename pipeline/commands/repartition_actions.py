"""What `topics repartition` does: plan, stop check, copy, verify, switch; and how it goes on where it was cut off."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import click

from connectors.kafka.moving import Mover
from connectors.kafka.producer import publish_now
from connectors.kafka.table import TableReader
from pipeline.commands.session import audit, confirm, open_process, plain_errors, refuse
from pipeline.config import load_settings
from pipeline.full_sync.report import instant
from pipeline.local import endpoints
from pipeline.local.broker import BrokerSettings, LocalBroker
from pipeline.operations.actor import who
from pipeline.operations.moved_topics import Journal, RepartitionRefused, read_journal
from pipeline.operations.repartition import Repartition, Say, TopicPlan, plan, positions, waiting_commands
from pipeline.operations.stop_check import Installation, alive, under_way
from pipeline.process import Process, now_ms
from pipeline.state_dir import taken
from pipeline.visible import visible_lines
from schemas.topics import ERASURES, REPLAYS, RUNS, STATE_COMMANDS


def repartition(number: int | None, *, abandon: bool, dry_run: bool, yes: bool, shape: str) -> None:
    """Change the partition count, or go on with that, or take it back."""
    with plain_errors(), brokers():
        process = open_process()
        installation = Installation(process.cluster, process.codec, process.admin())
        mover = Mover(process.cluster)
        journal = read_journal(process.cluster, installation.admin.partitions())
        say: Say = (lambda line: click.echo(visible_lines(line))) if shape == "text" else (lambda _: None)

        def still() -> None:
            if running := alive(installation):
                raise RepartitionRefused("\n".join(running))

        if abandon:
            _abandon(installation, mover, journal, say)
            return
        if number is None and journal is None:
            raise RepartitionRefused("no change was cut off. Fix: `pairstream topics repartition NUMBER` begins one")
        after = number if number is not None else journal.after if journal is not None else 0
        if journal is not None and journal.phase == "switching":
            if after != journal.after:
                raise RepartitionRefused(
                    f"a change to {journal.after} partitions is half made. Fix: end it first, with --resume"
                )
            say(f"going on to {after} partitions, as {journal.by} began at {instant(journal.begun_at_ms)}")
            if not dry_run:
                still()
                _switch(process, Repartition(installation, mover, still, say), journal, say, shape)
            return
        found = plan(installation, mover)
        before = {one.shape.partitions for one in found.values()}
        if journal is None and before == {after}:
            say(f"every topic has {after} partitions already")
            return
        _tell_plan(found, after, shape, dry_run=dry_run)
        problems = [*alive(installation, say), *_half_done(process, installation, found)]
        if problems:
            refuse(*problems)
        say("nothing runs, and nothing is half done")
        if dry_run:
            return
        if not yes:
            confirm(f"Copy every topic and make it anew with {after} partitions?")
        work = Repartition(installation, mover, still, say)
        begun = Journal("copying", max(before), after, who(), now_ms())
        _switch(process, work, work.begin(begun, found), say, shape)


def _switch(process: Process, work: Repartition, journal: Journal, say: Say, shape: str) -> None:
    say("the copies are proven; making the topics anew ...")
    work.switch(journal)
    what = f"{journal.before} to {journal.after} partitions"
    publish_now(process.cluster, process.codec, [audit().deed("", "topics repartition", what)])
    records = sum(one.records for one in journal.topics.values())
    if shape == "json":
        topics = {name: {"records": one.records} for name, one in journal.topics.items()}
        told = {"at_ms": now_ms(), "from": journal.before, "to": journal.after, "records": records, "topics": topics}
        click.echo(json.dumps(told))
    say(f"\u2713 {journal.after} partitions, {records:,} records")
    say(f"now set PAIRSTREAM_PARTITIONS={journal.after} for every role and command, then start the roles")


def _abandon(installation: Installation, mover: Mover, journal: Journal | None, say: Say) -> None:
    if journal is None:
        raise RepartitionRefused("no change is under way")
    if journal.phase == "switching":
        raise RepartitionRefused("topics were made anew already: the only way is on. Fix: end it, with --resume")
    Repartition(installation, mover, lambda: None, say).abandon(journal)
    say("taken back: every topic is as it was")


def _half_done(process: Process, installation: Installation, found: Mapping[str, TopicPlan]) -> Iterator[str]:
    tables = TableReader(process.cluster, process.codec, (REPLAYS, RUNS, ERASURES))
    tables.start()
    try:
        yield from under_way({topic: tables.table(topic) for topic in (REPLAYS, RUNS, ERASURES)})
    finally:
        tables.stop()
    handled = positions(installation.admin, STATE_COMMANDS, found[STATE_COMMANDS].shape.partitions)
    yield from waiting_commands(installation, handled)


def _tell_plan(found: Mapping[str, TopicPlan], after: int, shape: str, *, dry_run: bool) -> None:
    if shape == "json":
        if dry_run:
            topics = {
                name: {"partitions": one.shape.partitions, "records": one.records, "not_handled": one.left}
                for name, one in found.items()
            }
            click.echo(json.dumps({"at_ms": now_ms(), "to": after, "topics": topics}))
        return
    click.echo(f"{'TOPIC':<26} PARTITIONS  RECORDS, AT MOST  NOT HANDLED, AT MOST")
    for name, one in found.items():
        click.echo(f"{name:<26} {f'{one.shape.partitions} -> {after}':>10}  {one.records:>16,}  {one.left:>20,}")


@contextmanager
def brokers() -> Iterator[None]:
    """Those that are set, or of a running `up`; else the local broker of this state directory, for this command."""
    settings = load_settings(os.environ)
    if settings.kafka_bootstrap_servers is not None or endpoints.read(settings.state_dir) is not None:
        yield
        return
    with taken(settings.state_dir), LocalBroker(BrokerSettings(settings.state_dir / "kafka")) as broker:
        os.environ["KAFKA_BOOTSTRAP_SERVERS"] = broker.bootstrap_servers
        try:
            yield
        finally:
            del os.environ["KAFKA_BOOTSTRAP_SERVERS"]
