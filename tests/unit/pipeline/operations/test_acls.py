"""The ACL list: every topic that the code of a role names is in the role's list, and the names are the brokers'."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final

import click
import pytest

import schemas.topics
from connectors.kafka.cluster import Cluster
from pipeline.commands.installation import topics_acls
from pipeline.operations.acls import ACCESS, ROLES, Acl, RoleName, acls, as_object, command_lines
from schemas.topics import TOPICS
from schemas.values import SYSTEMS

ROOT: Final = Path(__file__).parents[4]
RUNS_IN: Final[Mapping[RoleName, str]] = {
    "receiver": "run_receiver",
    "hubspot-connector": "run_connector",
    "userflow-connector": "run_connector",
    "worker": "run_worker",
    "scheduler": "run_scheduler",
}
BY_SYSTEM: Final = ("changes_topic", "notifications_topic", "requests_topic", "field_patches_topic")
ONLY_NAME: Final = {
    "pipeline.operations.lost_records": "judges what is lost by the topic's name; what it writes is LOST",
    "connectors.kafka.topology": "says which group takes which topic",
    "connectors.runtime.backpressure": "asks for offsets alone",
    "pipeline.operations.acls": "is the list itself",
    "pipeline.operations.audit": "knows what goes along with a record by its topic; what it writes is AUDIT",
}
"""Modules that name topics which their role neither reads nor writes, with the reason."""


def imported(nodes: Sequence[ast.AST]) -> Iterator[tuple[str, str]]:
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.module, name.name) for name in node.names)
        elif isinstance(node, ast.Import):
            yield from ((name.name, "") for name in node.names)


def file_of(module: str) -> Path | None:
    path = ROOT / module.replace(".", "/")
    return next((one for one in (path.with_suffix(".py"), path / "__init__.py") if one.is_file()), None)


@cache
def imports_of(module: str) -> tuple[tuple[str, str], ...]:
    path = file_of(module)
    assert path is not None
    return tuple(imported(list(ast.walk(ast.parse(path.read_text("utf-8"))))))


@cache
def modules_of(function: str) -> frozenset[str]:
    """Every module of ours that a role's function in `app.py` loads, however indirectly."""
    app = ast.parse((ROOT / "pipeline/app.py").read_text("utf-8"))
    (body,) = [
        node for node in app.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) if node.name == function
    ]
    called = {node.func.id for node in ast.walk(body) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    parts = [node for node in app.body if isinstance(node, ast.FunctionDef) and node.name in called]
    waiting = [*imported([*app.body, *ast.walk(body), *(inner for part in parts for inner in ast.walk(part))])]
    found = set[str]()
    while waiting:
        module, name = waiting.pop()
        for one in (module, f"{module}.{name}"):
            ours = one.startswith(("pipeline.", "connectors."))
            if ours and one not in found and file_of(one) is not None:
                found.add(one)
                waiting += imports_of(one)
    return frozenset(found)


def named_topics(role: RoleName) -> Mapping[str, str]:
    """Topic -> a module that names it."""
    systems = [system for system in SYSTEMS if role.startswith(system)] or list(SYSTEMS)
    found = dict[str, str]()
    for module in sorted(modules_of(RUNS_IN[role]) - set(ONLY_NAME)):
        for source, name in imports_of(module):
            if source != "schemas.topics":
                continue
            if name in BY_SYSTEM:
                found |= {getattr(schemas.topics, name)(system): module for system in systems}
            elif isinstance(topic := getattr(schemas.topics, name), str) and topic in TOPICS:
                found[topic] = module
    others = [system for system in SYSTEMS if system not in systems]
    return {topic: module for topic, module in found.items() if not topic.startswith(tuple(others) or "-")}


@pytest.mark.parametrize("role", RUNS_IN)
def test_every_topic_that_a_role_s_code_names_is_in_its_list(role: RoleName) -> None:
    access = ACCESS[role]
    named = named_topics(role)

    assert len(named) >= 5
    assert {topic: module for topic, module in named.items() if topic not in (*access.reads, *access.writes)} == {}


def test_the_walk_would_notice_a_topic_that_is_not_listed() -> None:
    assert named_topics("scheduler")["sync.notices"] == "pipeline.notices.telling"
    assert named_topics("worker")["sync.erasures"] == "pipeline.agents.erasing"
    assert "userflow.activity" in named_topics("userflow-connector")
    assert "userflow.activity" not in named_topics("hubspot-connector")


@pytest.mark.parametrize("module", ONLY_NAME)
def test_what_is_left_out_is_there(module: str) -> None:
    assert file_of(module) is not None


@pytest.mark.parametrize("role", ROLES)
def test_every_name_takes_the_prefix(role: RoleName) -> None:
    names = [acl.name for acl in acls(Cluster({}, "staging").physical, (role,)) if acl.resource != "cluster"]

    assert names
    assert all(name.startswith("staging.") for name in names)


def test_no_role_may_make_or_change_topics_and_only_the_scheduler_deletes_records() -> None:
    for acl in acls(Cluster({}).physical):
        if acl.role != "operator":
            assert not {"Alter", "AlterConfigs", "Create"} & set(acl.operations)
            assert "Delete" not in acl.operations or acl.role == "scheduler"


def test_only_the_worker_writes_state_beside_erasures() -> None:
    writers = {role for role, access in ACCESS.items() if "sync.pairs-state" in access.writes}

    assert writers == {"worker", "scheduler"}  # an erasure rewrites it


def test_what_is_alike_is_one_call_of_kafka_s_own_tool() -> None:
    lines = command_lines(
        [
            Acl("worker", "topic", "a", ("Describe", "Read")),
            Acl("worker", "topic", "b", ("Describe", "Read")),
            Acl("worker", "transactional-id", "pairstream-pairs-", ("Write",), "prefixed"),
            Acl("operator", "cluster", "kafka-cluster", ("Describe",)),
        ],
        "User:CN={role}",
    )

    assert lines == [
        "kafka-acls --add --allow-principal User:CN=worker --operation Describe --operation Read --topic a --topic b "
        '--bootstrap-server "$KAFKA_BOOTSTRAP_SERVERS"',
        "kafka-acls --add --allow-principal User:CN=worker --operation Write --transactional-id pairstream-pairs- "
        '--resource-pattern-type prefixed --bootstrap-server "$KAFKA_BOOTSTRAP_SERVERS"',
        "kafka-acls --add --allow-principal User:CN=operator --operation Describe --cluster "
        '--bootstrap-server "$KAFKA_BOOTSTRAP_SERVERS"',
    ]


def test_the_object_has_the_documented_keys() -> None:
    shown = as_object([Acl("worker", "topic", "a", ("Read",))], "User:{role}")

    assert shown == {
        "acls": [
            {
                "role": "worker",
                "principal": "User:worker",
                "resource": "topic",
                "name": "a",
                "pattern": "literal",
                "operations": ["Read"],
            }
        ]
    }


def test_the_command_offers_every_role() -> None:
    (option,) = [one for one in topics_acls.params if one.name == "roles"]

    assert isinstance(option.type, click.Choice)
    assert tuple(option.type.choices) == ROLES
