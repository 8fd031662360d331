"""What the commands on an integration file do."""

import asyncio
import os
import sys
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

import click

from connectors.kafka.groups import BrokersUnreachable
from connectors.kafka.producer import Publisher
from connectors.kafka.table import TableIncomplete, TableReader
from pipeline.commands.audit_actions import read as read_audit
from pipeline.commands.changing import Change
from pipeline.commands.options import Way
from pipeline.commands.output import say, say_object
from pipeline.commands.session import (
    confirm,
    known,
    open_process,
    plain_errors,
    read_tables,
    refuse,
    with_kafka,
)
from pipeline.config import Settings, SettingsInvalid, load_settings, unknown_variables
from pipeline.exit_codes import DONE, REFUSED
from pipeline.integration_file.loader import load, too_large
from pipeline.integration_file.model import IntegrationFile
from pipeline.integration_file.problems import MOST_PROBLEMS, render
from pipeline.integration_file.schema import schema_text
from pipeline.integration_file.yaml_tree import MOST_BYTES
from pipeline.observability.printable import drawing
from pipeline.operations import apply as applying
from pipeline.operations import hubspot_project as project
from pipeline.operations import make_plan
from pipeline.operations.audit import document_of
from pipeline.operations.generated_files import write_generated
from pipeline.operations.plan import Plan
from pipeline.operations.plan_text import as_json, as_text
from pipeline.operations.refused_apply import paused
from pipeline.process import Process, now_ms
from pipeline.provisioning.scopes import lacking_scopes, lacking_sentence
from pipeline.visible import visible
from schemas.configuration import IntegrationPart
from schemas.integrations import settings_of
from schemas.records import ObjectMapping
from schemas.topics import INTEGRATIONS


def validate_file(file: Path, *, offline: bool, strict: bool, shape: str = "text") -> None:
    """Check an integration file without touching anything; variables need not be set, and `offline` reads none."""
    environment = {} if offline else os.environ
    checked = read_file(file, environment, all_set=False)
    unread = unknown_variables(environment)
    for warning in unread:
        click.echo(visible(f"warning: {warning}"), err=True)
    warnings = [*checked.warnings, *unread]
    if shape == "json":
        head = {"at_ms": now_ms(), "file": str(file), "integration": checked.integration}
        told = {**head, "fine": not (strict and warnings), "warnings": [str(one) for one in warnings]}
        say_object(told)
    if strict and warnings:
        sys.exit(REFUSED)
    if shape == "text":
        say(visible(f"{file}: fine as far as a file can tell; `pairstream plan` checks it against both systems"))


def print_schema() -> None:
    """The JSON schema of integration files."""
    click.echo(schema_text(), nl=False)


def print_example() -> None:
    """The integration file that shows every key."""
    click.echo((files("pipeline") / "integration_file" / "examples" / "full.yaml").read_text("utf-8"), nl=False)


def read_file(path: Path, environment: Mapping[str, str] = os.environ, *, all_set: bool = True) -> IntegrationFile:
    """The integration file, its warnings on stderr; or every problem with its line and exit code 1."""
    with path.open("rb") as opened:
        content = opened.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        refuse(str(too_large(str(path))))
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        refuse(f"{visible(str(path))}: not UTF-8 text (byte {error.start}). Fix: save it as UTF-8.")
    file = load(text, str(path), environment, all_set=all_set)
    if not isinstance(file, IntegrationFile):
        refuse(render(file))
    for warning in file.warnings[:MOST_PROBLEMS]:
        click.echo(f"warning: {warning}", err=True)
    return file


def show_plan(
    file: Path, shape: str, *, show_values: bool, pairs: bool, timeout_s: float, revision: int | None = None
) -> None:
    """Print what applying the file, or going back to a revision, would do; exit with the plan's code."""
    given = read_file(file)

    async def look(process: Process, publisher: Publisher, tables: TableReader) -> None:
        deps = _deps(process, publisher, tables)
        wanted = given if revision is None else await asyncio.to_thread(_of_revision, process, given, revision)
        found = await make_plan.plan(deps, wanted, timeout_s, pairs=pairs)
        click.echo((as_json if shape == "json" else as_text)(found, show_values=show_values))
        raise click.exceptions.Exit(found.exit_code)

    with_kafka(look)


def mappings_of(file: IntegrationFile, within_s: float) -> tuple[ObjectMapping, ...]:
    """The mappings as applying the file would put them in force; or why it would not, and exit code 1."""
    plans: list[Plan] = []

    async def look(process: Process, publisher: Publisher, tables: TableReader) -> None:
        plans.append(await make_plan.plan(_deps(process, publisher, tables), file, within_s, pairs=False))

    with_kafka(look)
    (found,) = plans
    if found.problems:
        refuse(render(found.problems))
    if found.unknown is not None:
        refuse(f"{file.integration}: {found.unknown}")
    return found.records


def _of_revision(process: Process, file: IntegrationFile, revision: int) -> IntegrationFile:
    """The integration's file as it was at a revision, by the audit; secrets come from the environment."""
    name = file.integration
    document = document_of(read_audit(process, name, None, 0), name, revision)
    found = load(document, f"revision {revision} of {name}", os.environ)
    if not isinstance(found, IntegrationFile):
        refuse(render(found))
    return found


def _deps(process: Process, publisher: Publisher, tables: TableReader) -> make_plan.PlanDeps:
    return make_plan.PlanDeps(
        publisher,
        tables,
        process.cluster,
        process.codec,
        process.seal,
        process.box.open,
        process.settings.partitions,
        _progress,
        now_ms,
    )


def _progress(topic: str, done: int, there_are: int) -> None:
    """On a terminal alone: a log has no use for it."""
    if sys.stderr.isatty():
        line = f"\rreading {topic}: {done} of {there_are} partitions"
        click.echo(line, drawing(sys.stderr), nl=done == there_are)


def apply_file(file: Path, way: Way, *, wait: bool, timeout_s: float) -> None:
    """Put an integration file in force; `timeout_s` is for each connector's answer to the plan, and for the waiting."""
    integration_file = read_file(file)

    async def ask(process: Process, publisher: Publisher, tables: TableReader) -> None:
        if way.dry_run or not way.yes:
            await _confirm(_deps(process, publisher, tables), integration_file, timeout_s, way)
        await _carry_out(process, publisher, tables, integration_file, timeout_s if wait else None, way)

    with_kafka(ask)


async def _confirm(deps: make_plan.PlanDeps, file: IntegrationFile, timeout_s: float, way: Way) -> None:
    """Show the plan and ask. Raises NotApplied where it would be refused."""
    found = await make_plan.plan(deps, file, timeout_s, pairs=True)
    if found.problems:
        raise applying.NotApplied(render(found.problems))
    if way.dry_run:
        click.echo((as_json if way.shape == "json" else as_text)(found, show_values=False))
        sys.exit(DONE)
    click.echo(as_text(found), err=way.shape == "json")
    confirm(f"Put integration {file.integration} in force?")


async def _carry_out(
    process: Process, publisher: Publisher, tables: TableReader, file: IntegrationFile, within_s: float | None, way: Way
) -> None:
    """Hand the request over and, unless `within_s` is None, wait until it is in force. Raises NotApplied."""
    name, request = file.integration, applying.desired(file, process.seal, now_ms())
    before = settings_of(tables.table(INTEGRATIONS), name)
    if way.yes:  # who was asked has seen the plan
        mappings = "1 mapping" if len(file.mappings) == 1 else f"{len(file.mappings)} mappings"
        click.echo(f"{name}: its file would be put in force, with {mappings}; `plan` tells what it changes", err=True)
    change = Change("apply", way, integration=name, in_force=False, revision=None, took_s=None, fields_made=0)
    if within_s is None:
        await applying.ask(publisher, name, request)
        change.say(f"{name}: asked; `pairstream doctor` tells how it stands")
        return change.end()
    applied = await applying.put_in_force(publisher, tables, file, request, within_s)
    lacking = lacking_scopes(file, tables.table(INTEGRATIONS))
    made = len(applied.settings.create)
    revision, took_s = applied.settings.revision, applied.seconds
    change.say(f"{name}: in force as revision {revision} after {took_s:.1f} s")
    if applied.settings.state == "paused":
        change.say(paused(name))
    if lacking:
        change.say(lacking_sentence(name, lacking))
    if made:
        change.say("1 HubSpot field was created" if made == 1 else f"{made} HubSpot fields were created")
    if applied.settings.events and file.hubspot.timeline == "app_events":
        change.say("event types are part of the HubSpot app: `pairstream hubspot-project` writes its files")
    change.say(applying.what_follows(name, before, applied.settings))
    return change.end(in_force=True, revision=revision, took_s=round(took_s, 1), fields_made=made)


def export_file(name: str, out: Path | None, shape: str) -> None:
    """The integration file in force, to the terminal or a file."""
    with plain_errors():
        settings = known(read_tables(open_process()).table(INTEGRATIONS), name)
        text = settings.document
        if shape == "json":
            told = {"at_ms": now_ms(), "integration": name, "revision": settings.revision, "document": text}
            say_object(told)
        elif out is None:
            click.echo(text, nl=False)
        else:
            out.write_text(text, "utf-8")
            click.echo(f"{out}: written", err=True)


def write_project(file: Path, folder: Path, shape: str) -> None:
    """Write the HubSpot project of an integration into a folder."""
    integration_file = read_file(file)
    with plain_errors():
        settings = load_settings(os.environ)
        known = project.knowledge(integration_file, _in_force(settings))
        written = project.project_files(integration_file, known, settings.webhook_base_url)
        left = write_generated(folder, written)
        told = [*project.summary(written, known), f"next: `hs project upload` in {folder}"]
        for path in left:
            click.echo(f"{path} is no more needed: HubSpot keeps what it has, so remove it there first", err=True)
        if shape == "json":
            files = {"folder": str(folder), "files": sorted(map(str, written)), "left": sorted(map(str, left))}
            say_object({"at_ms": now_ms(), **files, "told": told})
            return
        for line in told:
            click.echo(line)


def _in_force(settings: Settings) -> Mapping[str, IntegrationPart]:
    """The configuration in force; none where no brokers are named or none answer, for the files need none."""
    try:
        process = Process.open(settings, makes_key=False)
        process.check_reached()
        tables = read_tables(process)
    except (SettingsInvalid, BrokersUnreachable, TableIncomplete) as error:
        click.echo(f"note: without the configuration in force ({error})", err=True)
        return {}
    try:
        return tables.table(INTEGRATIONS)
    finally:
        tables.stop()
