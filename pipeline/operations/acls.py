"""What each role may do on the brokers: the least that it needs, from the table of topics and the names of groups."""

import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal, get_args

from connectors.kafka.topology import connector_group, connector_topics, handled_group, transactional_ids
from pipeline.operations.moved_topics import JOURNAL
from schemas.topics import (
    AUDIT,
    CONSOLE,
    DEAD_LETTERS,
    ERASURES,
    HUBSPOT_REQUESTS,
    HUBSPOT_TIMELINE_EVENTS,
    INTEGRATIONS,
    MAPPINGS,
    MATCHES,
    NOTICES,
    OBJECTS_STATE,
    PAIRS_STATE,
    POSITIONS,
    RECEIPTS,
    REPLAYS,
    RUNS,
    STATE_COMMANDS,
    TOPICS,
    USERFLOW_ACTIVITY,
    VITALS,
    WORKER_GROUP,
    changes_topic,
    field_patches_topic,
    notifications_topic,
    requests_topic,
)
from schemas.values import SYSTEMS, System

RoleName = Literal["receiver", "hubspot-connector", "userflow-connector", "worker", "scheduler", "console", "operator"]
Resource = Literal["topic", "group", "transactional-id", "cluster"]
Pattern = Literal["literal", "prefixed"]

ROLES: Final[tuple[RoleName, ...]] = get_args(RoleName)
STAGES: Final = ("objects", "pairs")
READERS: Final = "pairstream-readers"
SCHEDULERS: Final = "pairstream-scheduler"
CLUSTER: Final = "kafka-cluster"
CONFIGURATION: Final = (INTEGRATIONS, MAPPINGS)
LOST: Final = (DEAD_LETTERS, RUNS)
"""What tells that records were gone before they were read, and asks for the full sync that heals it."""


@dataclass(frozen=True, slots=True)
class Access:
    """The topics that a role reads and writes, whose records it deletes, and its groups and transactions."""

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    deletes: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()  # it is a member of them, or keeps their offsets
    watches: tuple[str, ...] = ()  # groups whose offsets and members it reads
    transactions: tuple[str, ...] = ()  # how their ids begin


@dataclass(frozen=True, slots=True)
class Acl:
    """What one role may do with one thing on the brokers, by the names there."""

    role: RoleName
    resource: Resource
    name: str
    operations: tuple[str, ...]
    pattern: Pattern = "literal"


def _connector(system: System) -> Access:
    timeline = HUBSPOT_TIMELINE_EVENTS if HUBSPOT_TIMELINE_EVENTS.startswith(system) else None
    activity = (USERFLOW_ACTIVITY,) if USERFLOW_ACTIVITY.startswith(system) else ()
    return Access(
        reads=(*CONFIGURATION, RUNS, POSITIONS, *connector_topics(system, timeline)),
        writes=(
            AUDIT,
            INTEGRATIONS,
            POSITIONS,
            RECEIPTS,
            STATE_COMMANDS,
            VITALS,
            *LOST,
            notifications_topic(system),
            requests_topic(system),
            changes_topic(system),
            *activity,
        ),
        groups=(connector_group(system),),
        watches=(WORKER_GROUP, *map(connector_group, SYSTEMS)),
    )


_SYNC: Final = (MATCHES, RECEIPTS, STATE_COMMANDS)
_ERASED: Final = tuple(
    name
    for name in TOPICS
    if name not in (*CONFIGURATION, RUNS, POSITIONS, ERASURES, VITALS, NOTICES, REPLAYS, CONSOLE)
)
"""The topics that an erasure rewrites: what may hold people's values."""

_REDRIVEN: Final = tuple(
    name
    for name in TOPICS
    if name
    not in (*CONFIGURATION, POSITIONS, ERASURES, VITALS, NOTICES, REPLAYS, DEAD_LETTERS, OBJECTS_STATE, PAIRS_STATE)
)
"""The topics whose records may be published again, and the marks of letters."""

ACCESS: Final[dict[RoleName, Access]] = {
    "receiver": Access(
        reads=CONFIGURATION,
        writes=(AUDIT, INTEGRATIONS, HUBSPOT_REQUESTS, VITALS, *map(notifications_topic, SYSTEMS)),
    ),
    "hubspot-connector": _connector("hubspot"),
    "userflow-connector": _connector("userflow"),
    "worker": Access(
        reads=(*CONFIGURATION, *_SYNC, USERFLOW_ACTIVITY, *map(changes_topic, SYSTEMS), OBJECTS_STATE, PAIRS_STATE),
        writes=(
            *_SYNC,
            *map(requests_topic, SYSTEMS),
            *map(field_patches_topic, SYSTEMS),
            HUBSPOT_TIMELINE_EVENTS,
            OBJECTS_STATE,
            PAIRS_STATE,
            ERASURES,
            INTEGRATIONS,
            VITALS,
            *LOST,
        ),
        groups=(WORKER_GROUP, *map(handled_group, STAGES)),
        transactions=tuple(map(transactional_ids, STAGES)),
    ),
    "scheduler": Access(
        reads=tuple(TOPICS),
        writes=(*CONFIGURATION, RUNS, ERASURES, VITALS, NOTICES, *_ERASED),
        deletes=_ERASED,
        groups=(SCHEDULERS,),
        watches=(WORKER_GROUP, *map(handled_group, STAGES), *map(connector_group, SYSTEMS)),
    ),
    "console": Access(
        reads=tuple(TOPICS),
        writes=(INTEGRATIONS, RUNS, CONSOLE, AUDIT, VITALS, *_REDRIVEN),
        watches=(WORKER_GROUP, *map(handled_group, STAGES), *map(connector_group, SYSTEMS)),
    ),
}


def acls(physical: Callable[[str], str], roles: tuple[RoleName, ...] = ROLES) -> list[Acl]:
    """The list of these roles; `physical` gives the name that something has on the brokers."""
    return [acl for role in roles for acl in (_operator(physical) if role == "operator" else _of(role, physical))]


def _of(role: RoleName, physical: Callable[[str], str]) -> Iterator[Acl]:
    access = ACCESS[role]
    for topic in TOPICS:
        more = [
            word
            for word, topics in (("Read", access.reads), ("Write", access.writes), ("Delete", access.deletes))
            if topic in topics
        ]
        # every process watches whether a topic was made anew, and the limit that each has for a message
        yield Acl(role, "topic", physical(topic), ("Describe", "DescribeConfigs", *more))
    yield Acl(role, "topic", physical(JOURNAL), ("Describe",))  # no role starts beside a change of the count
    for group in (*access.groups, READERS):
        yield Acl(role, "group", physical(group), ("Describe", "Read"))
    for group in access.watches:
        if group not in access.groups:
            yield Acl(role, "group", physical(group), ("Describe",))
    for prefix in access.transactions:
        yield Acl(role, "transactional-id", physical(prefix), ("Describe", "Write"), "prefixed")


def _operator(physical: Callable[[str], str]) -> Iterator[Acl]:
    """Whoever types commands: makes topics, reads what is there, and writes what is asked for."""
    every = ("Alter", "AlterConfigs", "Create", "Delete", "Describe", "DescribeConfigs", "Read", "Write")
    for topic in TOPICS:
        yield Acl("operator", "topic", physical(topic), every)
    yield Acl("operator", "topic", physical(JOURNAL), every, "prefixed")  # and the copies
    yield Acl("operator", "transactional-id", physical("pairstream-"), ("Describe", "Write"), "prefixed")
    yield Acl("operator", "group", physical("pairstream-"), ("Delete", "Describe", "Read"), "prefixed")
    yield Acl("operator", "cluster", CLUSTER, ("Describe", "DescribeConfigs"))


def command_lines(found: list[Acl], principal: str) -> list[str]:
    """`kafka-acls` calls that add them, one for all things with the same operations; `{role}` is filled in."""
    together: dict[tuple[RoleName, Resource, Pattern, tuple[str, ...]], list[str]] = {}
    for acl in found:
        together.setdefault((acl.role, acl.resource, acl.pattern, acl.operations), []).append(acl.name)
    lines = []
    for (role, resource, pattern, operations), names in together.items():
        words = ["kafka-acls", "--add", "--allow-principal", principal.format(role=role)]
        words += [word for operation in operations for word in ("--operation", operation)]
        words += (
            ["--cluster"] if resource == "cluster" else [word for name in names for word in (f"--{resource}", name)]
        )
        words += ["--resource-pattern-type", pattern] if pattern != "literal" else []
        lines.append(f'{shlex.join(words)} --bootstrap-server "$KAFKA_BOOTSTRAP_SERVERS"')
    return lines


def as_object(found: list[Acl], principal: str) -> dict[str, object]:
    """The list as one object with stable keys."""
    return {
        "acls": [
            {
                "role": acl.role,
                "principal": principal.format(role=acl.role),
                "resource": acl.resource,
                "name": acl.name,
                "pattern": acl.pattern,
                "operations": list(acl.operations),
            }
            for acl in found
        ]
    }
