"""Each finding, and each reason, has a page that is made from the code; the code gives no other."""

import ast
from pathlib import Path
from typing import get_args

import pytest

from docs.hooks import made_pages
from docs.tables import TABLES
from pipeline.core.conversion import MEANING
from pipeline.operations.finding_kinds import FINDINGS, OK, FindingCode
from pipeline.operations.findings import Finding, line, report
from schemas.reasons import REASONS
from tests.unit.test_docs import check

ROOT = Path(__file__).parents[3]
PAGES = dict(made_pages())
CODES = sorted(set(FINDINGS) - {OK})


def used() -> set[str]:
    """Every code that stands in the checks."""
    found: set[str] = set()
    for path in (ROOT / "pipeline/operations").glob("*.py"):
        if path.name != "finding_kinds.py":
            constants = (node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant))
            found |= {value for value in constants if isinstance(value, str) and value in FINDINGS}
    return found


def test_every_code_is_described_and_used() -> None:
    assert FINDINGS.keys() == set(get_args(FindingCode))
    assert used() >= set(CODES)


@pytest.mark.parametrize("code", CODES)
def test_every_finding_has_a_page_with_what_the_code_says(code: FindingCode) -> None:
    page, kind = PAGES[f"reference/findings/{code}.md"], FINDINGS[code]
    assert page.startswith(f"# {code}\n")
    assert kind.meaning in page and kind.fix in page and kind.command_for(None) in page
    assert f"| `{code}` [more]" in TABLES["findings"]()


@pytest.mark.parametrize("code", [code for code in CODES if FINDINGS[code].command.startswith("pairstream")])
def test_every_command_exists(code: FindingCode) -> None:
    check(FINDINGS[code].command_for("acme").replace("FILE.yaml", "acme.yaml"))


@pytest.mark.parametrize("reason", sorted({*REASONS, *MEANING}))
def test_every_reason_has_a_page(reason: str) -> None:
    page = PAGES[f"reference/reasons/{reason}.md"]
    assert page.startswith(f"# {reason}\n")
    assert (REASONS[reason].sentence if reason in REASONS else MEANING[reason]) in page  # type: ignore[index]


def test_there_is_no_page_for_what_the_code_does_not_have() -> None:
    named = {place.rpartition("/")[2].removesuffix(".md") for place in PAGES}
    assert named == {*CODES, *REASONS, *MEANING}


def test_a_finding_that_is_not_well_has_a_code() -> None:
    with pytest.raises(ValueError, match="wrong with the code ok"):
        Finding("brokers", "wrong", "away")


def test_the_object_has_every_key_always_and_all_of_them_on_the_page() -> None:
    fine = Finding("brokers", "ok", "answer")
    gone = Finding("integration acme: full syncs", "wrong", "old", "full_sync_overdue", "acme")
    told = report(7, [fine, gone])
    assert told["at_ms"] == 7 and not told["healthy"] and report(7, [fine])["healthy"]
    first, second = told["findings"]
    assert first.keys() == second.keys()
    assert second["command"] == "pairstream full-sync start acme"
    assert second["page"] == "reference/findings/full_sync_overdue.html"
    page = (ROOT / "docs/how-to/doctor.md").read_text()
    assert [key for key in (*told, *first) if f"`{key}`" not in page] == []


def test_a_line_ends_with_the_code() -> None:
    assert line(Finding("brokers", "ok", "answer")) == "ok       brokers: answer"
    told = line(Finding("brokers", "wrong", "away", "brokers_unreachable"))
    assert told == "wrong    brokers: away (brokers_unreachable)"
