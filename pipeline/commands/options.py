"""Options that several commands share, and the words of Kafka's tools for a place on a topic."""

import difflib
import functools
import math
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

import click

from pipeline.operations.positions import WORDS, NoPosition, Position, position

FORMAT: Final = click.option(
    "--format", "shape", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How to print it."
)
STREAM: Final = click.option(
    "--format",
    "shape",
    type=click.Choice(["text", "json", "jsonl"]),
    default="text",
    show_default=True,
    help="How to print it; jsonl: an object a line, while it goes on.",
)
YES: Final = click.option("--yes", is_flag=True, help="Do not ask.")
DRY_RUN: Final = click.option("--dry-run", is_flag=True, help="Only say what would be done.")


@dataclass(frozen=True, slots=True)
class Way:
    """How somebody wants a change to be made and told."""

    dry_run: bool = False
    yes: bool = False
    shape: str = "text"


Command = Callable[..., Any]  # of any options


def changing(shape: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """The options of a command that changes something and takes them as its `way`; `shape` says how it may print."""

    def with_options(command: Command) -> Command:
        @functools.wraps(command)
        def asked(dry_run: bool, yes: bool, shape: str, **given: Any) -> Any:
            return command(**given, way=Way(dry_run, yes, shape))

        return DRY_RUN(YES(shape(asked)))

    return with_options


changes: Final = changing(FORMAT)


class Number(click.FloatRange):
    """A number within bounds; FloatRange alone takes NaN, which compares with nothing, and infinity."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        return number if math.isfinite(number) else self.fail(f"{value} is no number of any use here.", param, ctx)


def meant(word: str, words: Collection[str]) -> str:
    """The closest of the words as a question, and all of them."""
    close = next(iter(difflib.get_close_matches(word, words, n=1)), None)
    return f"{f' Did you mean {close}?' if close else ''} There are: {', '.join(words)}."


class Word(click.ParamType):
    """One of the words that there are: by a mistyped one nothing would be found, which would pass for good news."""

    def __init__(self, name: str, words: Sequence[str], others: Collection[str] = (), told: str = "") -> None:
        """`others` are taken too; `told` says of them what the list does not."""
        self.name = name
        self._words = words
        self._others = others
        self._told = told

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        word = str(value)
        if word in self._words or word in self._others:
            return word
        return self.fail(f"{word!r} is no {self.name}.{meant(word, self._words)}{self._told}", param, ctx)


SECONDS: Final = Number(min=0, max=86_400)


class Place(click.ParamType):
    """A place on a topic."""

    name = "place"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Position:
        if isinstance(value, Position):
            return value
        try:
            return position(value, time.time_ns() // 1_000_000)
        except NoPosition as error:
            self.fail(str(error), param, ctx)


FROM: Final = click.option("--from", "begin", type=Place(), metavar="PLACE", help=f"From where: {WORDS}.")
TO: Final = click.option("--to", "end", type=Place(), metavar="PLACE", help="Up to where, in the same words.")
SINCE: Final = click.option("--since", type=Place(), metavar="PLACE", help="Only what is newer: 24h, or an instant.")


def since_ms(since: Position | None) -> int:
    """The time that `--since` names; 0 without one. Raises UsageError for an offset."""
    if since is None:
        return 0
    if since.at_ms is None and (since.offset is not None or since.end):
        raise click.UsageError("--since takes a time. Fix: write 24h, or an instant such as 2026-11-25T10:00Z")
    return since.at_ms or 0
