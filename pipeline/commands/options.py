"""Options that several commands share, and the words of Kafka's tools for a place on a topic."""

import math
import time
from typing import Any, Final

import click

from pipeline.operations.positions import WORDS, NoPosition, Position, position

FORMAT: Final = click.option(
    "--format", "shape", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How to print it."
)
YES: Final = click.option("--yes", is_flag=True, help="Do not ask.")
DRY_RUN: Final = click.option("--dry-run", is_flag=True, help="Only say what would be done.")


class Number(click.FloatRange):
    """A number within bounds; FloatRange alone takes NaN, which compares with nothing, and infinity."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        return number if math.isfinite(number) else self.fail(f"{value} is no number of any use here.", param, ctx)


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
