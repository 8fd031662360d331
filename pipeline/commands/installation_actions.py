"""What the commands about the installation do: topics, and what is wrong with it."""

import os
import sys
from contextlib import ExitStack
from dataclasses import asdict
from typing import Final

import click

from connectors.kafka.cluster import Cluster
from connectors.kafka.producer import Publisher, publish_now
from connectors.kafka.table import TableIncomplete, TableReader
from connectors.kafka.topic_problems import TopicProblem
from pipeline.commands.changing import Change
from pipeline.commands.doctoring import findings_of
from pipeline.commands.options import Way
from pipeline.commands.output import say, say_object
from pipeline.commands.session import audit, open_process, plain_errors, refuse, with_kafka
from pipeline.config import load_settings
from pipeline.counting import counted
from pipeline.exit_codes import DONE, REFUSED
from pipeline.operations.acls import ROLES, RoleName, acls, as_object, command_lines
from pipeline.operations.findings import line, report
from pipeline.operations.moved_topics import refuse_beside
from pipeline.operations.rotate import rotate, seals
from pipeline.process import Process, now_ms
from pipeline.secrets import SecretBox, load_key
from schemas.topics import INTEGRATIONS, LETTER_MARKS, TOPICS

ROTATED_S: Final = 60.0
AS_THEY_SHOULD_BE: Final = f"all {len(TOPICS)} topics are as they should be"


def apply_topics(replication: int | None, way: Way) -> None:
    """Make missing topics and mend their settings."""
    with plain_errors():
        process = open_process(waits=not sys.stdin.isatty())  # a step of an installer begins beside its brokers
        settings = process.settings
        refuse_beside(process.admin().partitions(), settings.partitions, every=False)
        differ = _differing(process, replication)
        change = Change("topics apply", way, topics=[asdict(one) for one in differ])
        mendable = sum(one.mendable for one in differ)
        if mendable:
            lines = (f"{one.topic} {one.message}" for one in differ)
            change.agree("\n".join((*lines, f"{mendable} of these would be made or mended")), "Make and mend them?")
        days = settings.changes_retention_days
        done = process.admin().apply_topics(settings.partitions, replication, days) if mendable else []
        for line in done or ([] if differ else [AS_THEY_SHOULD_BE]):
            change.say(line)
        if done:
            entry = audit().deed("", "topics apply", f"{len(done)} made or mended")
            publish_now(process.cluster, process.codec, [entry])
        left = _differing(process, replication) if done else differ
        change.end(done=bool(done), topics=[asdict(one) for one in left or differ])
        if left:
            refuse(*(f"{problem.topic} {problem.message}" for problem in left))


def check_topics(replication: int | None, shape: str) -> None:
    """Say where topics differ from the table; exits 1 where they do."""
    with plain_errors():
        found = _differing(open_process(), replication)
        if shape == "json":
            say_object({"at_ms": now_ms(), "topics": [asdict(one) for one in found]})
            sys.exit(REFUSED if found else DONE)
        if found:
            refuse(*(f"{problem.topic} {problem.message}" for problem in found))
        click.echo(AS_THEY_SHOULD_BE)


def _differing(process: Process, replication: int | None) -> list[TopicProblem]:
    settings = process.settings
    return process.admin().check_topics(settings.partitions, settings.changes_retention_days, replication=replication)


def show_acls(roles: tuple[RoleName, ...], principal: str, shape: str) -> None:
    """The ACLs of these roles, or of all; no broker is asked."""
    with plain_errors():
        if "{" in principal.replace("{role}", "") or "}" in principal.replace("{role}", ""):
            refuse("--principal: only {role} may stand in braces. Fix: write it like `User:pairstream-{role}`")
        found = acls(Cluster({}, load_settings(os.environ).prefix).physical, roles or ROLES)
        if shape == "json":
            say_object(as_object(found, principal))
            return
        for line in command_lines(found, principal):
            click.echo(line)


def show_public_key(shape: str) -> None:
    """The newest key's public half; no broker is asked."""
    with plain_errors():
        settings = load_settings(os.environ)
        kept = load_key(settings.state_dir)
        keys = settings.secret_keys or (() if kept is None else (kept,))
        if not keys:
            refuse("there is no key yet. Fix: set PAIRSTREAM_SECRET_KEY as the roles have it, or start `pairstream up`")
        key = SecretBox(keys).public_keys[0]
        say_object({"at_ms": now_ms(), "public_key": key}) if shape == "json" else say(key)


def rotate_secrets(way: Way) -> None:
    """Seal everything again with the newest key, and say how many secrets that were."""

    async def ask(process: Process, publisher: Publisher, tables: TableReader) -> None:
        before = seals(tables.table(INTEGRATIONS), process.box)
        old, there = sum(before.old.values()), before.count
        change = Change("secrets rotate", way, secrets=there, sealed_again=0)
        if old or way.dry_run:
            would = f"{old} of {there} secrets would be sealed again with the newest key"
            change.agree(would, f"Seal {counted(old, 'secret')} again?")
        number = await rotate(publisher, tables, process.box, now_ms, ROTATED_S)
        there = seals(tables.table(INTEGRATIONS), process.box).count
        change.say(
            f"{number} of {there} secrets were sealed again with the newest key; no former key is needed any more"
        )
        change.end(done=bool(number), secrets=there, sealed_again=number)

    with_kafka(ask)


def examine_installation(probe_s: float, shape: str) -> None:
    """Say what is wrong with this installation, in the order in which to mend it."""
    with plain_errors():
        process = open_process(waits=True)  # a finding tells of brokers that are away, beside what needs none
        found = []
        with ExitStack() as until_done:

            def tables() -> TableReader:
                read = process.start(process.tables(LETTER_MARKS), records=False)
                until_done.callback(read.stop)
                if read.unreadable:
                    raise TableIncomplete("; ".join(read.unreadable))
                return read

            for finding in findings_of(process, tables, probe_s):
                found.append(finding)
                if shape == "text":
                    say(line(finding))
        if shape == "json":
            say_object(report(now_ms(), found))
        sys.exit(REFUSED if any(one.verdict == "wrong" for one in found) else DONE)
