"""The command on how far behind the road is; `lag_actions` does the work."""

import re
from typing import Any

import click

from pipeline.commands.command_line import command
from pipeline.commands.options import STREAM

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)?")
LEAST_S = 0.5
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class Duration(click.ParamType):
    """`60s`, `5m`, `1h`, `500ms`; a plain number is seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        found = _DURATION.fullmatch(str(value).strip())
        if found is None:
            self.fail(f"{value!r} is no duration. Fix: write 60s, 5m or 1h.", param, ctx)
        return float(found[1]) * _UNITS[found[2] or "s"]


@command(
    examples=(
        "pairstream lag",
        "pairstream lag --watch=5s",
        "pairstream lag --partitions --group pairstream-worker",
        "pairstream lag --max-behind 60s",
    )
)
@click.option("--partitions", is_flag=True, help="A line for each partition, in Kafka's own columns.")
@click.option("--group", help="With --partitions: of this consumer group only.")
@click.option("--by", type=click.Choice(["integration"]), help="A line for each integration.")
@click.option("--max-behind", "allowed_s", type=Duration(), help="Exit 1 where a stage is further behind.")
@click.option(
    "--watch", "every_s", type=Duration(), is_flag=False, flag_value="2s", help="Again and again; every 2 s if bare."
)
@STREAM
def lag(**given: Any) -> None:
    """Say how far behind each stage is, in records and seconds.

    LAG counts records; transaction markers are told apart. BEHIND is the time
    since the first cause of the oldest record that waits was received.
    """
    from pipeline.commands.lag_actions import tell

    if given["group"] and not given["partitions"]:
        raise click.UsageError("--group narrows --partitions. Fix: add --partitions.")
    if given["every_s"] is not None and given["every_s"] < LEAST_S:
        raise click.UsageError("each look reads from the brokers. Fix: write --watch=500ms or more.")
    if given["allowed_s"] is not None and (given["partitions"] or given["by"]):
        raise click.UsageError("--max-behind shows no table. Fix: leave out --partitions and --by, or --max-behind.")
    if given["partitions"] and given["by"]:
        raise click.UsageError("--partitions and --by are two tables. Fix: ask for one of them.")
    tell(**given)
