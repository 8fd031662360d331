"""What `topics repartition` does: plan, stop check, copy, verify, switch; and how it goes on where it was cut off."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass

from connectors.kafka.moving import Mover
from connectors.kafka.producer import publish_now
from connectors.kafka.table import TableReader
from pipeline.commands.output import say, say_object
from pipeline.commands.session import audit, confirm, open_process, plain_errors, refuse
from pipeline.config import load_settings
from pipeline.full_sync.report import instant
from pipeline.local import endpoints
from pipeline.local.broker import BrokerSettings, LocalBroker
from pipeline.operations.actor import who
from pipeline.operations.moved_topics import Journal, RepartitionRefused, read_journal
from pipeline.operations.repartition import Repartition, TopicPlan, plan, positions, waiting_commands
from pipeline.operations.stop_check import Installation, alive, under_way
from pipeline.process import Process, now_ms
from pipeline.state_dir import taken
from schemas.topics import ERASURES, REPLAYS, RUNS, STATE_COMMANDS


def repartition(number: int | None, *, abandon: bool, dry_run: bool, yes: bool, shape: str) -> None:
    """Change the partition count, or go on with that, or take it back."""
    with plain_errors(), brokers():
        process = open_process()
        installation = Installation(process.cluster, process.codec, process.admin())
        journal = read_journal(process.cluster, installation.admin.partitions())
        change = _Change(process, installation, Mover(process.cluster), shape, dry_run=dry_run)
        if abandon:
            change.take_back(journal, yes=yes)
        elif journal is not None and journal.phase == "switching":
            change.go_on(journal, number, yes=yes)
        else:
            change.begin(wanted(number, journal), journal, yes=yes)


def wanted(number: int | None, journal: Journal | None) -> int:
    """The count to change to. Raises RepartitionRefused where none was named, and no change knows one."""
    if number is not None:
        return number
    if journal is None:
        raise RepartitionRefused("no change was cut off. Fix: `pairstream topics repartition NUMBER` begins one")
    if not journal.after:
        raise RepartitionRefused(
            "the change was cut off before it had noted its count, and changed nothing. Fix: name the number again, "
            "or --abandon"
        )
    return journal.after


@dataclass(frozen=True, slots=True)
class _Change:
    """One call of the command."""

    process: Process
    installation: Installation
    mover: Mover
    shape: str
    _: KW_ONLY
    dry_run: bool

    def begin(self, after: int, journal: Journal | None, *, yes: bool) -> None:
        """From the topics as they are, whatever an earlier change had copied by now."""
        found = plan(self.installation, self.mover)
        before = {one.shape.partitions for one in found.values()}
        if journal is None and before == {after}:
            self._say(f"every topic has {after} partitions already")
            return self._tell(after, after, {name: {"records": 0} for name in found})
        self._tell_plan(found, after)
        if problems := [*alive(self.installation, self._say), *_half_done(self.process, self.installation, found)]:
            refuse(*problems)
        self._say("nothing runs, and nothing is half done")
        if self.dry_run:
            return
        if not yes:
            confirm(f"Copy every topic and make it anew with {after} partitions?")
        work = Repartition(self.installation, self.mover, self._still, self._say)
        self._switch(work, work.begin(Journal("copying", max(before), after, who(), now_ms()), found))

    def go_on(self, journal: Journal, number: int | None, *, yes: bool) -> None:
        """With a change that has begun to make topics anew: there is no way back."""
        if number not in (None, journal.after):
            raise RepartitionRefused(
                f"a change to {journal.after} partitions is half made. Fix: end it first, with --resume"
            )
        begun = instant(journal.begun_at_ms)
        self._say(f"going on to {journal.after} partitions, as {journal.by} began at {begun}")
        left = {name: {"records": work.records} for name, work in journal.topics.items() if not work.done}
        if self.dry_run:
            self._say(*(f"  {name:<26} is still to be made anew" for name in left))
            return self._tell(journal.before, journal.after, left)
        self._still()
        if not yes:
            confirm(f"Make {len(left)} topics anew?", unasked=True)
        self._switch(Repartition(self.installation, self.mover, self._still, self._say), journal)

    def take_back(self, journal: Journal | None, *, yes: bool) -> None:
        """Throw away what was copied."""
        if journal is None:
            raise RepartitionRefused("no change is under way")
        if journal.phase == "switching":
            raise RepartitionRefused("topics were made anew already: the only way is on. Fix: end it, with --resume")
        if self.dry_run:
            self._say("the copies would be thrown away; every topic is as it was")
        else:
            if not yes:
                confirm("Throw the copies away?", unasked=True)
            Repartition(self.installation, self.mover, self._still, self._say).abandon(journal)
            self._say("taken back: every topic is as it was")
        count = self.mover.shapes([RUNS])[RUNS].partitions
        self._tell(count, count, {})

    def _switch(self, work: Repartition, journal: Journal) -> None:
        self._say("the copies are proven; making the topics anew ...")
        work.switch(journal)
        what = f"{journal.before} to {journal.after} partitions"
        publish_now(self.process.cluster, self.process.codec, [audit().deed("", "topics repartition", what)])
        records = sum(one.records for one in journal.topics.values())
        topics = {name: {"records": one.records} for name, one in journal.topics.items()}
        self._tell(journal.before, journal.after, topics)
        self._say(f"\u2713 {journal.after} partitions, {records:,} records")
        self._say(f"now set PAIRSTREAM_PARTITIONS={journal.after} for every role and command, then start the roles")

    def _still(self) -> None:
        if running := alive(self.installation):
            raise RepartitionRefused("\n".join(running))

    def _tell_plan(self, found: Mapping[str, TopicPlan], after: int) -> None:
        self._say(f"{'TOPIC':<26} PARTITIONS  RECORDS, AT MOST  NOT HANDLED, AT MOST")
        for name, one in found.items():
            count = f"{one.shape.partitions} -> {after}"
            self._say(f"{name:<26} {count:>10}  {one.records:>16,}  {one.left:>20,}")
        if self.dry_run:
            topics = {
                name: {"partitions": one.shape.partitions, "records": one.records, "not_handled": one.left}
                for name, one in found.items()
            }
            self._tell(max(one.shape.partitions for one in found.values()), after, topics)

    def _say(self, *lines: str) -> None:
        if self.shape == "text":
            say(*lines)

    def _tell(self, before: int, after: int, topics: Mapping[str, Mapping[str, int]]) -> None:
        if self.shape == "json":
            records = sum(one["records"] for one in topics.values())
            told = {"dry_run": self.dry_run, "from": before, "to": after, "records": records, "topics": topics}
            say_object({"at_ms": now_ms(), **told})


def _half_done(process: Process, installation: Installation, found: Mapping[str, TopicPlan]) -> Iterator[str]:
    tables = TableReader(process.cluster, process.codec, (REPLAYS, RUNS, ERASURES))
    tables.start()
    try:
        yield from under_way({topic: tables.table(topic) for topic in (REPLAYS, RUNS, ERASURES)})
    finally:
        tables.stop()
    handled = positions(installation.admin, STATE_COMMANDS, found[STATE_COMMANDS].shape.partitions)
    yield from waiting_commands(installation, handled)


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
