"""What every command shares: settings, the brokers, the tables of configuration, and errors in plain words."""

import asyncio
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, NoReturn

import click

from connectors.http.server import CannotListen
from connectors.kafka.admin import TopicsRefused
from connectors.kafka.groups import BrokersUnreachable
from connectors.kafka.moving import NotMoved
from connectors.kafka.producer import Publisher, PublishFailed
from connectors.kafka.settings import LOGGER
from connectors.kafka.table import TableIncomplete, TableReader
from pipeline.config import SettingsInvalid, load_settings
from pipeline.exit_codes import REFUSED
from pipeline.local.errors import LocalError
from pipeline.memory import search_less
from pipeline.observability.logging import set_up
from pipeline.operations import OperationRefused
from pipeline.operations.actor import machine, user
from pipeline.operations.audit import Audit
from pipeline.operations.installation import SettingsDiffer
from pipeline.process import Process, now_ms
from pipeline.secrets import KeyFileUnsafe, NoKeyFits
from pipeline.state_dir import AlreadyRunning, StateDirUnusable
from pipeline.visible import visible_lines
from schemas.configuration import IntegrationPart, IntegrationSettings
from schemas.integrations import every, settings_of
from schemas.registry import UnknownSchema

log = logging.getLogger(__name__)

NONE_YET: Final = "no integration is connected: `pairstream apply FILE.yaml` connects one"

EXPECTED_ERRORS: Final = (
    SettingsInvalid,
    StateDirUnusable,
    AlreadyRunning,
    LocalError,
    BrokersUnreachable,
    NotMoved,
    TopicsRefused,
    CannotListen,
    TableIncomplete,
    PublishFailed,
    UnknownSchema,
    SettingsDiffer,
    OperationRefused,
    NoKeyFits,
    KeyFileUnsafe,
)


@contextmanager
def plain_errors() -> Iterator[None]:
    """An error with a remedy is a message and exit code 1; any other is a bug and keeps its traceback."""
    try:
        yield
    except EXPECTED_ERRORS as error:
        refuse(visible_lines(str(error)))
    except OSError as error:
        if error.filename is None:  # no file of the user's: a bug
            raise
        refuse(visible_lines(f"{error.filename}: {error.strerror}. Fix: make it usable, or name another."))


def open_process(*, makes_key: bool = False, lasts: bool = False, waits: bool = False) -> Process:
    """The settings of the environment, brokers and codec; without `makes_key` it writes nothing anywhere.

    A command tells in a sentence of its own what is wrong with the brokers; librdkafka's lines are for what `lasts`.
    Whoever `waits` for brokers is not told at once that none is there; what `lasts` logs it, and tries on for as long
    as its client does. Raises BrokersUnreachable.
    """
    search_less()
    settings = load_settings(os.environ)
    set_up(settings.log_format, settings.log_level, hide=settings.hidden)
    LOGGER.setLevel(logging.WARNING if lasts else logging.CRITICAL)
    process = Process.open(settings, makes_key=makes_key)
    if waits:
        return process
    try:
        process.check_reached()
    except BrokersUnreachable as error:
        if not lasts:
            raise
        log.error("%s", error)
    return process


def refuse(*lines: str) -> NoReturn:
    """Say why, exit 1."""
    for line in lines:
        click.echo(visible_lines(line), err=True)
    sys.exit(REFUSED)


def confirm(question: str, *, unasked: bool = False) -> None:
    """Ask on the terminal; refuses where the answer is no, and where nobody can answer unless it goes on `unasked`."""
    if unasked and not sys.stdin.isatty():
        return
    try:
        yes = click.confirm(question, err=True)  # the output may be an object, or go to a file
    except click.Abort:
        if sys.stdin.isatty():  # Ctrl-C
            raise
        refuse("", "no terminal to ask on. Fix: add --yes.")
    if not yes:
        refuse("nothing was changed")


def read_tables(process: Process) -> TableReader:
    """The configuration in force, read to its end. Raises TableIncomplete where a row cannot be read."""
    tables = process.start(process.tables(), records=False)
    if tables.unreadable:
        raise TableIncomplete("\n".join(unread(tables)))
    return tables


def unread(tables: TableReader) -> tuple[str, ...]:
    """What could not be read, and what mends it."""
    fix = "Fix: apply the integration's file again, with the settings that every process has"
    return (*tables.unreadable, fix) if tables.unreadable else ()


def with_kafka(
    work: Callable[[Process, Publisher, TableReader], Awaitable[None]],
    *,
    topics: Sequence[str] = (),
) -> None:
    """Run something that publishes and reads configuration, and more topics where they are named, with plain errors."""

    async def inside(process: Process) -> None:
        tables = process.tables(*topics)
        await asyncio.to_thread(process.start, tables, records=True)
        publisher = process.publisher(tables, user(), from_where())
        try:
            await work(process, publisher, tables)
        finally:
            await publisher.close()
            await asyncio.to_thread(tables.stop)
        if tables.unreadable:  # still: what was to be done may have mended it
            raise TableIncomplete("\n".join(unread(tables)))

    with plain_errors():
        asyncio.run(inside(open_process()))


def from_where() -> str:
    """This machine and the command, as the audit tells it."""
    context = click.get_current_context(silent=True)
    return machine() if context is None else f"{machine()}: {context.command_path}"


def audit() -> Audit:
    """The audit of what no single record tells."""
    return Audit(lambda *_: None, user(), from_where(), now_ms)


def known(parts: Mapping[str, IntegrationPart], name: str) -> IntegrationSettings:
    """The settings of an integration. Raises OperationRefused with the names there are."""
    settings = settings_of(parts, name)
    if settings is None:
        raise OperationRefused(f"no integration {name}; there are: {', '.join(every(parts)) or 'none'}")
    return settings
