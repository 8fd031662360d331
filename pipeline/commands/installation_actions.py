"""What the commands about the installation do: topics, and what is wrong with it."""

import json
import os
import sys
from typing import Final

import click

from connectors.kafka.cluster import Cluster
from connectors.kafka.producer import Publisher
from connectors.kafka.table import TableReader
from pipeline.commands.session import open_process, plain_errors, read_tables, refuse, with_kafka
from pipeline.config import load_settings
from pipeline.exit_codes import DONE, REFUSED
from pipeline.lag.looking import look
from pipeline.lag.reading import Brokers
from pipeline.operations.acls import ROLES, RoleName, acls, as_object, command_lines
from pipeline.operations.doctor import examine
from pipeline.operations.losses import read_losses
from pipeline.operations.rotate import rotate, seals
from pipeline.operations.runs import read_runs
from pipeline.process import Process, now_ms
from pipeline.visible import visible_lines
from schemas.topics import INTEGRATIONS, TOPICS

ROTATED_S: Final = 60.0


def apply_topics(replication: int | None) -> None:
    """Make missing topics and mend their settings."""
    with plain_errors():
        process = open_process()
        settings = process.settings
        done = process.admin().apply_topics(settings.partitions, replication, settings.changes_retention_days)
        for line in done or [f"all {len(TOPICS)} topics are as they should be"]:
            click.echo(line)
        left = process.admin().check_topics(
            settings.partitions, settings.changes_retention_days, replication=replication
        )
        if left:
            refuse(*(f"{problem.topic} {problem.message}" for problem in left))


def check_topics(replication: int | None) -> None:
    """Say where topics differ from the table; exits 1 where they do."""
    with plain_errors():
        process = open_process()
        settings = process.settings
        found = process.admin().check_topics(
            settings.partitions, settings.changes_retention_days, replication=replication
        )
        if found:
            refuse(*(f"{problem.topic} {problem.message}" for problem in found))
        click.echo(f"all {len(TOPICS)} topics are as they should be")


def show_acls(roles: tuple[RoleName, ...], principal: str, shape: str) -> None:
    """The ACLs of these roles, or of all; no broker is asked."""
    with plain_errors():
        if "{" in principal.replace("{role}", "") or "}" in principal.replace("{role}", ""):
            refuse("--principal: only {role} may stand in braces. Fix: write it like `User:pairstream-{role}`")
        found = acls(Cluster({}, load_settings(os.environ).prefix).physical, roles or ROLES)
        if shape == "json":
            click.echo(json.dumps(as_object(found, principal)))
            return
        for line in command_lines(found, principal):
            click.echo(line)


def rotate_secrets() -> None:
    """Seal everything again with the newest key, and say how many secrets that were."""

    async def ask(process: Process, publisher: Publisher, tables: TableReader) -> None:
        number = await rotate(publisher, tables, process.box, now_ms, ROTATED_S)
        there = seals(tables.table(INTEGRATIONS), process.box).count
        click.echo(
            f"{number} of {there} secrets were sealed again with the newest key; no former key is needed any more"
        )

    with_kafka(ask)


def examine_installation() -> None:
    """Say what is wrong with this installation, in the order in which to mend it."""
    with plain_errors():
        process = open_process()
        wrong = False
        for finding in examine(
            process.admin(),
            process.registry(),
            lambda: read_tables(process).table(INTEGRATIONS),
            partitions=process.settings.partitions,
            changes_retention_days=process.settings.changes_retention_days,
            opens=process.box.can_open,
            newest=process.box.is_newest,
            runs=lambda: read_runs(process.cluster, process.codec, process.settings.partitions),
            lost=lambda: read_losses(process.cluster, process.codec, process.admin(), now_ms()),
            road=lambda: look(Brokers(process.cluster, process.codec, process.admin(), now_ms)),
            now_ms=now_ms(),
        ):
            click.echo(visible_lines(f"{finding.verdict:<8} {finding.what}: {finding.detail}"))
            wrong = wrong or finding.verdict == "wrong"
        sys.exit(REFUSED if wrong else DONE)
