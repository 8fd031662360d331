"""Whatever the code declares stands on the site: every command, setting, metric, topic, record, field and reason."""

import dataclasses
from typing import Any, Final, get_args

import pytest

from connectors.receiver.ports import WebhookResult
from docs.tables import TABLES
from docs.tables.commands import leaves
from docs.tables.markdown import cell, table
from docs.tables.records import link
from pipeline import exit_codes
from pipeline.cli import main
from pipeline.commands.command_line import Command
from pipeline.config import Settings
from pipeline.core.conversion import ConversionReason
from pipeline.core.outcome import Outcome
from pipeline.observability.metrics import CounterName, GaugeName, HistogramName
from pipeline.provisioning.remedies import EITHER, REMEDIES
from pipeline.setting_words import variable
from schemas.reasons import KINDS, REASONS
from schemas.records import avro_name
from schemas.topics import TOPICS, KeyKind

RECORDS: Final = {avro_name(topic.record): topic.record for topic in TOPICS.values()}


def rows(name: str) -> list[list[str]]:
    """The cells of a table's rows, its heads left out."""
    lines = [line for line in TABLES[name]().splitlines() if line.startswith("| ")]
    return [[part.strip() for part in line.strip("|").split(" | ")] for line in lines]


def first_cells(name: str) -> list[str]:
    return [row[0].partition(" [")[0].strip("`") for row in rows(name)[1:]]


@pytest.mark.parametrize(
    ("name", "declared"),
    [
        ("settings", [variable(name) for name in Settings.model_fields]),
        ("metrics", [name for kind in (CounterName, GaugeName, HistogramName) for name in get_args(kind)]),
        ("topics", list(TOPICS)),
        ("keys", get_args(KeyKind)),
        ("outcomes", get_args(Outcome)),
        ("conversion-reasons", get_args(ConversionReason)),
        ("webhook-results", get_args(WebhookResult)),
    ],
)
def test_everything_declared_has_a_row(name: str, declared: list[str]) -> None:
    assert sorted(first_cells(name)) == sorted(declared)


@pytest.mark.parametrize("name", ["settings", "metrics", "topics", "outcomes", "conversion-reasons", "webhook-results"])
def test_every_row_says_something(name: str) -> None:
    heads, *found = rows(name)
    meaning = heads.index("Meaning") if "Meaning" in heads else heads.index("Kept")
    assert found and all(len(row) == len(heads) and row[meaning] for row in found)


def test_a_setting_shows_its_default_and_meaning() -> None:
    shown = {row[0]: row[1:] for row in rows("settings")}
    assert shown["`PAIRSTREAM_PARTITIONS`"] == ["`4`", "partitions of all co-partitioned topics", "`24`"]
    assert shown["`PAIRSTREAM_SECRET_KEY`"][0] == ""


def test_every_reason_has_a_row_under_its_kind() -> None:
    page = TABLES["reasons"]()
    for kind, sentence in KINDS.items():
        section = page.split(f"### {kind.capitalize()}\n", 1)[1].split("\n### ", 1)[0]
        assert sentence in section
        listed = [line.split("`")[1] for line in section.splitlines() if line.startswith("| `")]
        assert listed == [code for code, reason in REASONS.items() if reason.kind == kind]


def test_a_reason_shows_every_fix() -> None:
    page = TABLES["reasons"]()
    fixes = {remedy.fix for of_system in REMEDIES.values() for remedy in of_system.values()}
    assert [fix for fix in fixes | {fix for _, fix in EITHER.values()} if cell(fix) not in page] == []


def test_every_command_has_a_section_with_its_help() -> None:
    page = TABLES["commands"]()
    found = list(leaves(main))
    assert len(found) > 15
    for path, command in found:
        words = " ".join(("pairstream", *path))
        section = page.split(f"### {words}\n", 1)[1].split("\n### ", 1)[0]
        assert f"Usage: {words}" in section
        options = [option for parameter in command.params for option in parameter.opts if option.startswith("--")]
        assert [option for option in options if option not in section] == []
        assert isinstance(command, Command) and command.examples
        assert [example for example in command.examples if example not in section] == []


def test_every_exit_code_has_a_row() -> None:
    declared = {value for name, value in vars(exit_codes).items() if name.isupper() and isinstance(value, int)}
    assert {int(code) for code in first_cells("exit-codes")} == declared


@pytest.mark.parametrize("name", RECORDS)
def test_every_record_has_a_section_with_its_fields_and_topics(name: str) -> None:
    record: Any = RECORDS[name]
    section = TABLES["records"]().split(f"#### {name}\n", 1)[1].split("\n#### ", 1)[0]
    listed = [line.split("`")[1] for line in section.splitlines() if line.startswith("| `")]
    assert listed == [field.name for field in dataclasses.fields(record)]
    assert all(f"`{topic.name}`" in section for topic in TOPICS.values() if topic.record is record)


def test_records_link_only_to_sections_that_exist() -> None:
    page = TABLES["records"]()
    headings = {line.removeprefix("#### ") for line in page.splitlines() if line.startswith("#### ")}
    linked = {part.split("]", 1)[0] for part in page.split("[")[1:] if link(part.split("]", 1)[0]) in page}
    assert {"Cause", "StampedValue", "Instant"} <= linked <= headings
    assert len(headings) == page.count("#### "), "a record stands twice"


def test_every_decision_is_listed() -> None:
    assert TABLES["decisions"]().startswith("- [0001: ")


def test_a_cell_breaks_no_table() -> None:
    assert cell("a | b\n c <d> `<e>`") == "a \\| b c &lt;d> `<e>`"
    with pytest.raises(ValueError, match="a row of 1 cells under 2 heads"):
        table(("one", "two"), [("only",)])
