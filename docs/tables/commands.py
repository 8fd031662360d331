"""The commands: each one's own `--help`, found by walking the tree of `pipeline/cli.py`."""

from collections.abc import Iterator

import click

from docs.tables.markdown import code, table
from pipeline.cli import main
from pipeline.commands.command_line import WIDTH
from pipeline.exit_codes import EXIT_CODES


def page() -> str:
    """A section for each command that does something, with what `--help` prints at 80 columns."""
    return "\n\n".join(_section(path, command) for path, command in leaves(main))


def exit_codes() -> str:
    """Every exit code and the sentence of it."""
    return table(("Exit code", "Meaning"), [(code(str(int(one))), sentence) for one, sentence in EXIT_CODES])


def leaves(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that is no group, with the words that lead to it."""
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from leaves(below, (*path, name))
    else:
        yield path, command


def _section(path: tuple[str, ...], command: click.Command) -> str:
    words = " ".join(("pairstream", *path))
    return f"### {words}\n\n```text\n{command.get_help(_context(path))}\n```"


def _context(path: tuple[str, ...]) -> click.Context:
    """As if the words were typed, so that help shows the whole line and what the root settles for all."""
    context = click.Context(main, info_name="pairstream", terminal_width=WIDTH, color=False, **main.context_settings)
    for word in path:
        group = context.command
        found = group.get_command(context, word) if isinstance(group, click.Group) else None
        if found is None:
            raise LookupError(f"no command {' '.join(path)}")
        context = click.Context(found, info_name=word, parent=context)
    return context
