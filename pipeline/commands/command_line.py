"""What every command has: examples in its help, -h, --version, suggestions for typing mistakes, the exit codes.

Modules that declare commands import nothing heavy (Kafka, Faust, HTTP, pydantic): each command imports its work when it
runs, so that `--help` answers at once.
"""

import difflib
import os
import select
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from typing import Any, Final

import click

from pipeline.exit_codes import INTERRUPTED, MISTYPED, READER_GONE, REFUSED
from pipeline.observability.printable import OutputFailed, printable_output

WIDTH: Final = 80
STDERR: Final = 2


class Command(click.Command):
    """One command; `examples` are whole lines as typed."""

    def __init__(self, *args: Any, examples: Sequence[str] = (), **rest: Any) -> None:
        super().__init__(*args, **rest)
        self.examples = tuple(examples)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*super().get_params(ctx), _version(hidden=True)]

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        _write_examples(formatter, self.examples)


class Group(click.Group):
    """Commands under one name, with the closest one for a mistyped name."""

    command_class = Command

    def __init__(self, *args: Any, examples: Sequence[str] = (), **rest: Any) -> None:
        super().__init__(*args, **rest)
        self.examples = tuple(examples)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*super().get_params(ctx), _version(hidden=ctx.parent is not None)]

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        _write_examples(formatter, self.examples)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchOption:
            raise
        except click.UsageError as error:
            close = self._below(ctx, args[0]) or _closest(args[0], self.list_commands(ctx))
            if close is None:
                raise
            path = f"{ctx.command_path} {close}"
            raise click.UsageError(f"{error.message} Did you mean `{path}`?", ctx) from None

    def _below(self, ctx: click.Context, word: str) -> str | None:
        """The command of that very name in the one group here that has it: `disconnect` is `integration disconnect`."""
        groups = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        holding = [name for name, group in groups if isinstance(group, click.Group) and word in group.commands]
        return f"{holding[0]} {word}" if len(holding) == 1 else None


class Program(Group):
    """The root: turns what was raised into the exit code."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, False, **extra)
        try:
            with printable_output():
                code = self._code(args, prog_name, complete_var, **extra)
        except BrokenPipeError:  # of what was still to be flushed, or of an error's text
            _write_nowhere()
            code = READER_GONE
        except OutputFailed as error:
            _tell_of_output(error)
            code = REFUSED
        sys.exit(code)

    def make_context(self, *args: Any, **rest: Any) -> click.Context:
        with _reader_may_go():
            return super().make_context(*args, **rest)

    def invoke(self, ctx: click.Context) -> Any:
        with _reader_may_go():
            return super().invoke(ctx)

    def _code(self, args: Sequence[str] | None, prog_name: str | None, complete_var: str | None, **extra: Any) -> int:
        try:
            code: int = super().main(args, prog_name, complete_var, False, **extra)
        except click.UsageError as error:
            error.show()
            code = MISTYPED
        except click.ClickException as error:
            error.show()
            code = error.exit_code
        except click.Abort:  # Ctrl-C, in whatever phase
            click.echo("stopped", err=True)
            code = INTERRUPTED
        return code


def command(name: str | None = None, *, examples: Sequence[str]) -> Callable[[Callable[..., Any]], Command]:
    """`click.command` with examples."""
    return click.command(name, cls=Command, examples=examples)


def group(name: str | None = None, *, examples: Sequence[str]) -> Callable[[Callable[..., Any]], Group]:
    """`click.group` with examples."""
    return click.group(name, cls=Group, examples=examples)


def clean_up_on_ctrl_c() -> None:
    """From here on Ctrl-C raises KeyboardInterrupt: this command has processes or files to put away."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def _reader_may_go() -> Iterator[None]:
    """Ends the command once nobody reads its output any more: `| head` has seen enough, and nothing is wrong."""
    try:
        yield
    except BrokenPipeError:
        _write_nowhere()
        raise click.exceptions.Exit(READER_GONE) from None


def _write_nowhere() -> None:
    """What is still buffered has no reader: the interpreter's last flush would tell of it as of an error."""
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None and _is_pipe_without_reader(stream.fileno()):
            _point_nowhere(stream.fileno())


def _point_nowhere(number: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)


def _tell_of_output(failed: OutputFailed) -> None:
    """Say on the error output why the answer is not whole, if that one takes it."""
    _point_nowhere(failed.number)
    name = "standard error" if failed.number == STDERR else "standard output"
    try:
        click.echo(
            f"{name}: {failed.strerror}: not all of the answer is written; what was done until then stays. "
            "Fix: make room there, or write to another place.",
            err=True,
        )
    except OSError:
        _point_nowhere(STDERR)


def _is_pipe_without_reader(number: int) -> bool:
    looked = select.poll()
    looked.register(number, 0)
    return any(event & select.POLLERR for _, event in looked.poll(0))


def _closest(word: str, names: Sequence[str]) -> str | None:
    """The name that was meant: the only one that begins so (`stat` is `status`, not `start`), else the most alike."""
    begun = [name for name in names if name.startswith(word)]
    return begun[0] if len(begun) == 1 else next(iter(difflib.get_close_matches(word, names, n=1)), None)


def _write_examples(formatter: click.HelpFormatter, examples: Sequence[str]) -> None:
    if examples:
        with formatter.section("Examples"):
            for line in examples:
                formatter.write(f"{'':>{formatter.current_indent}}{line}\n")


def _version(*, hidden: bool) -> click.Option:
    return click.Option(
        ["--version"],
        is_flag=True,
        expose_value=False,
        is_eager=True,
        hidden=hidden,
        callback=_print_version,
        help="Show the version and exit.",
    )


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        click.echo(f"pairstream {metadata.version('pairstream')}")
        ctx.exit()
