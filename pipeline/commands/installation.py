"""Commands about the installation: its topics, and what is wrong with it; `installation_actions` does the work."""

from typing import Any, Final

import click

from pipeline.commands.command_line import command, group
from pipeline.commands.lag import Duration
from pipeline.commands.options import DRY_RUN, FORMAT, FROM, TO, YES, Way, changes

REPLICATION: Final = click.option(
    "--replication", type=click.IntRange(min=1), help="Replicas of each topic; unset: the brokers' default."
)


@group(examples=("pairstream topics apply", "pairstream topics check"))
def topics() -> None:
    """Make, check and read the topics."""


@topics.command("apply", examples=("pairstream topics apply", "pairstream topics apply --replication 3"))
@REPLICATION
@changes
def topics_apply(replication: int | None, way: Way) -> None:
    """Make missing topics and mend their settings."""
    from pipeline.commands.installation_actions import apply_topics

    apply_topics(replication, way)


@topics.command("check", examples=("pairstream topics check", "pairstream topics check --replication 3"))
@REPLICATION
@FORMAT
def topics_check(replication: int | None, shape: str) -> None:
    """Say where topics differ from the table; then it exits 1."""
    from pipeline.commands.installation_actions import check_topics

    check_topics(replication, shape)


@topics.command(
    "read",
    examples=(
        "pairstream topics read hubspot.changes --from -1h",
        "pairstream topics read sync.pairs-state --key acme:1:people:ada@example.com",
        "pairstream topics read userflow.field-patches --follow",
    ),
)
@click.argument("topic")
@click.option("--key", help="Only records with this key; only its partition is read.")
@FROM
@TO
@click.option("--partition", "partitions", type=click.IntRange(min=0), multiple=True, help="Only this one; repeatable.")
@click.option("--follow", is_flag=True, help="Go on with what comes; from now on, without --from.")
@click.option("--max", "most", type=click.IntRange(min=1), help="Not more than so many.")
@click.option("--show-values", "values", is_flag=True, help="People's values too, which are hidden else.")
@click.option(
    "--format",
    "shape",
    type=click.Choice(["jsonl", "json"]),
    default="jsonl",
    show_default=True,
    help="An object a line, or one object with all.",
)
def topics_read(**given: Any) -> None:
    """Show a topic's records, decoded.

    Kafka's own tools cannot: schema ids are Pairstream's own where there is no
    registry. Secrets are never shown. A place is what Kafka's tools take.
    """
    from pipeline.commands.topic_reading import Asked, read_topic

    shape = given.pop("shape")
    if given["follow"] and shape == "json":
        raise click.UsageError("--follow has no end. Fix: leave out --format json.")
    if given["follow"] and given["end"] is not None:
        raise click.UsageError("--follow has no end. Fix: leave out --to, or --follow.")
    read_topic(Asked(**given), shape)


@topics.command(
    "repartition",
    examples=(
        "pairstream topics repartition 12 --dry-run",
        "pairstream topics repartition 12 --yes",
        "pairstream topics repartition --resume --yes",
    ),
)
@click.argument("number", type=click.IntRange(min=1, max=10_000), required=False)
@click.option("--resume", is_flag=True, help="Go on with a change that was cut off.")
@click.option("--abandon", is_flag=True, help="Take a change back that has switched nothing yet.")
@DRY_RUN
@YES
@FORMAT
def topics_repartition(number: int | None, resume: bool, abandon: bool, dry_run: bool, yes: bool, shape: str) -> None:
    """Give every topic another number of partitions.

    Stop every role first; only the brokers run. Each topic is copied, each key
    to its new place, the copies are proven, then the topics are made anew from
    them: nothing is lost, and what was not handled yet still will be. Then set
    PAIRSTREAM_PARTITIONS for every role and start them. May be cut off at any
    point and resumed. Needs room on the brokers for everything once more.
    """
    from pipeline.commands.repartition_actions import repartition

    if (number is not None) + resume + abandon != 1:
        raise click.UsageError(
            "one of NUMBER, --resume and --abandon is wanted. Fix: `pairstream topics repartition 12`"
        )
    repartition(number, abandon=abandon, dry_run=dry_run, yes=yes, shape=shape)


@topics.command(
    "acls",
    examples=(
        "pairstream topics acls",
        "pairstream topics acls --role worker --principal User:CN={role}",
        "pairstream topics acls --format json",
    ),
)
@click.option(
    "--role",
    "roles",
    type=click.Choice(
        ["receiver", "hubspot-connector", "userflow-connector", "worker", "scheduler", "console", "operator"]
    ),
    multiple=True,
    metavar="ROLE",
    help="Only of this role, or of the operator; repeatable.",
)
@click.option(
    "--principal", default="User:pairstream-{role}", show_default=True, help="Who is let in; {role} is filled in."
)
@click.option(
    "--format",
    "shape",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Calls of kafka-acls, or one object.",
)
def topics_acls(roles: tuple[Any, ...], principal: str, shape: str) -> None:
    """Say what each role needs to be let do on the brokers.

    Made from the table of topics and PAIRSTREAM_PREFIX; asks no broker. The
    operator is whoever types commands.
    """
    from pipeline.commands.installation_actions import show_acls

    show_acls(roles, principal, shape)


@group(examples=("pairstream secrets public-key", "pairstream secrets rotate"))
def secrets() -> None:
    """The secrets that are kept sealed on the brokers."""


@secrets.command("rotate", examples=("pairstream secrets rotate --dry-run", "pairstream secrets rotate --yes"))
@changes
def secrets_rotate(way: Way) -> None:
    """Seal every secret again with the newest key.

    The newest is the first in PAIRSTREAM_SECRET_KEY, for this command as for the
    roles. Afterwards no other key is needed. May be repeated.
    """
    from pipeline.commands.installation_actions import rotate_secrets

    rotate_secrets(way)


@secrets.command("public-key", examples=("pairstream secrets public-key",))
@FORMAT
def secrets_public_key(shape: str) -> None:
    """Print the key that seals and opens nothing.

    `apply` in CI needs it as PAIRSTREAM_PUBLIC_KEY, in place of
    PAIRSTREAM_SECRET_KEY, which opens every secret. No secret itself.
    """
    from pipeline.commands.installation_actions import show_public_key

    show_public_key(shape)


@command(examples=("pairstream doctor", "pairstream doctor --format json", "pairstream doctor --probe-within 0s"))
@click.option(
    "--probe-within",
    "probe_s",
    type=Duration(),
    default="10s",
    show_default=True,
    help="How long connectors may take to say what their systems say now; 0s asks nobody.",
)
@FORMAT
def doctor(probe_s: float, shape: str) -> None:
    """Say what is wrong here, in the order in which to mend it.

    Each connector is asked what its system says of the mapped fields and of its
    webhook subscription: a few calls, and one record on sync.integrations.
    """
    from pipeline.commands.installation_actions import examine_installation

    examine_installation(probe_s, shape)
