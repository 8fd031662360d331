"""Commands on dead letters; `dead_letter_actions` does the work."""

from typing import Any, Final

import click

from pipeline.commands.command_line import group
from pipeline.commands.options import DRY_RUN, FORMAT, SECONDS, SINCE, YES, Number, Word
from schemas.letters import STAGES
from schemas.topics import TOPICS

STAGE: Final = Word("stage", STAGES, TOPICS, " Of records that were lost it is their topic.")


def _filters(command: Any) -> Any:
    """Which letters are meant."""
    for option in (
        click.option("--run", metavar="RUN", help="Only those of this full sync, or replay."),
        click.option("--reason", metavar="REASON", help="Only those with this reason."),
        click.option("--stage", type=STAGE, metavar="STAGE", help="Only those of this stage, as hubspot.sink."),
        click.option("--integration", help="Only those of this integration."),
        SINCE,
    ):
        command = option(command)
    return command


@group(
    "dead-letters",
    examples=("pairstream dead-letters list", "pairstream dead-letters redrive --reason invalid_option --dry-run"),
)
def dead_letters() -> None:
    """What could not be handled, and why."""


@dead_letters.command(
    "list",
    examples=(
        "pairstream dead-letters list",
        "pairstream dead-letters list --reason invalid_option",
        "pairstream dead-letters list --all --since 24h --format json",
    ),
)
@_filters
@click.option("--all", "everything", is_flag=True, help="Also what is mended, redriven or discarded.")
@click.option(
    "--max", "most", type=click.IntRange(min=1), default=10_000, show_default=True, help="Look at the newest so many."
)
@FORMAT
def dead_letters_list(**given: Any) -> None:
    """Those that wait for somebody, by their reason.

    With a reason or a run: one by one, with how each stands now.
    """
    from pipeline.commands.dead_letter_actions import list_letters

    list_letters(**given)


@dead_letters.command(
    "show",
    examples=("pairstream dead-letters show 8b1f33aa", "pairstream dead-letters show 8b1f33aa --value --show-values"),
)
@click.argument("letter")
@click.option("--value", "decoded", is_flag=True, help="Also the record that it repeats, as JSON.")
@click.option("--raw", is_flag=True, help="Only the record's bytes, as they stood on the topic.")
@click.option("--show-values", "values", is_flag=True, help="People's values too, which are hidden else.")
@FORMAT
def dead_letters_show(letter: str, decoded: bool, raw: bool, values: bool, shape: str) -> None:
    """One letter; the beginning of its id is enough."""
    from pipeline.commands.dead_letter_actions import show_letter

    if raw and (decoded or shape == "json"):
        raise click.UsageError("--raw writes bytes and nothing else. Fix: leave out --value and --format.")
    show_letter(letter, decoded=decoded, raw=raw, values=values, shape=shape)


@dead_letters.command(
    "redrive",
    examples=(
        "pairstream dead-letters redrive --reason invalid_option --dry-run",
        "pairstream dead-letters redrive 8b1f33aa --yes --wait",
    ),
)
@click.argument("letters", nargs=-1)
@_filters
@DRY_RUN
@YES
@click.option("--wait", is_flag=True, help="Show what becomes of each; exits 1 where one is refused again.")
@click.option("--timeout", "within_s", type=SECONDS, default=60, show_default=True, help="With --wait.")
@click.option(
    "--rate", "per_s", type=Number(min=0.1, max=100_000), default=100, show_default=True, help="Letters a second."
)
@click.option("--max", "most", type=click.IntRange(min=1), help="Not more than so many, the oldest first.")
@click.option("--force", is_flag=True, help="Also what came back three times, or may be there already.")
@FORMAT
def dead_letters_redrive(letters: tuple[str, ...], **given: Any) -> None:
    """Try what was refused once more.

    A refused field is derived again from what is known now; a record is published
    again. Only what is open: not what is mended or discarded. Name letters, or
    choose them by an option.
    """
    from pipeline.commands.dead_letter_actions import redrive_letters

    chosen = ("run", "reason", "stage", "integration", "since")
    if not letters and not any(given[name] for name in chosen):
        raise click.UsageError("which letters? Fix: name some, or choose them by --reason, --stage, --since, ...")
    redrive_letters(letters, **given)


@dead_letters.command("discard", examples=('pairstream dead-letters discard 8b1f33aa --note "ACME-77"',))
@click.argument("letters", nargs=-1, required=True)
@click.option("--note", default="", help="Why, for whoever looks at it later.")
@DRY_RUN
@YES
@FORMAT
def dead_letters_discard(letters: tuple[str, ...], **given: Any) -> None:
    """Put letters away: they are open no longer.

    They stay on their topic for its 30 days; `list --all` shows them.
    """
    from pipeline.commands.dead_letter_actions import discard_letters

    discard_letters(letters, **given)
