"""The site's own steps: links between tree and site, tables where pages ask for them, pages beside the code."""

import re
from pathlib import Path
from typing import Any

import pytest
from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.exceptions import Abort

from docs.hooks import ROOT, pages, place_of, source_of, translated, with_tables
from docs.tables import TABLES


def links(markdown: str, place: str) -> str:
    """The page with its links translated; a warning fails."""
    return translated(markdown, place, lambda warning: pytest.fail(warning))


@pytest.mark.parametrize(
    ("place", "written", "shown"),
    [
        ("index.md", "[a](docs/guarantees.md)", "[a](guarantees.md)"),
        (
            "guarantees.md",
            "[a](../connectors/hubspot/README.md#how-values-look)",
            "[a](connectors/hubspot/README.md#how-values-look)",
        ),
        ("how-to/deploy.md", "[a](../../README.md)", "[a](../index.md)"),
        ("pipeline/README.md", "[a](decisions/0010-handled-offsets.md)", "[a](decisions/0010-handled-offsets.md)"),
        ("guarantees.md", "[a](https://example.com/x.md)", "[a](https://example.com/x.md)"),
        ("guarantees.md", "[a](#below)", "[a](#below)"),
        ("index.md", "![a](docs/how-to/pictures/review.png)", "![a](how-to/pictures/review.png)"),
        ("index.md", "[the codec](schemas/codec.py)", "the codec (`schemas/codec.py`)"),
        ("index.md", "```\n[a](nowhere.md)\n```", "```\n[a](nowhere.md)\n```"),
    ],
)
def test_links_hold_in_the_site_as_in_the_tree(place: str, written: str, shown: str) -> None:
    assert links(written, place) == shown


def test_a_link_that_leads_nowhere_is_warned_of() -> None:
    warnings: list[str] = []
    assert translated("[a](gone.md)", "index.md", warnings.append) == "[a](gone.md)"
    assert warnings == ["README.md: gone.md leads nowhere"]


def test_a_page_holds_the_table_that_it_asks_for() -> None:
    assert "| `PAIRSTREAM_PARTITIONS` | `4` |" in with_tables("before\n\n<!-- table: settings -->\n\nafter")
    with pytest.raises(KeyError, match="made-up"):
        with_tables("<!-- table: made-up -->")


def test_every_table_stands_on_a_page_that_the_site_shows() -> None:
    shown = (ROOT / "mkdocs.yml").read_text()
    asked: set[str] = set()
    for path in (ROOT / "docs").rglob("*.md"):
        tables = set(re.findall(r"^<!-- table: ([\w-]+) -->$", path.read_text(), re.MULTILINE))
        assert not tables or path.relative_to(ROOT / "docs").as_posix() in shown
        asked |= tables
    assert asked == set(TABLES)


def test_places_lead_back_to_their_files() -> None:
    for path, place in pages():
        assert ROOT / source_of(place) == path
        assert place_of(path.relative_to(ROOT)) == place
    assert place_of(Path("pipeline/cli.py")) is None


def configuration(site: Path, **changes: Any) -> Any:
    return load_config(str(ROOT / "mkdocs.yml"), site_dir=str(site), strict=True, **changes)


def test_the_site_builds_strictly_and_fetches_nothing(tmp_path: Path) -> None:
    build(configuration(tmp_path))
    written = list(tmp_path.rglob("*.html"))
    assert {path.relative_to(tmp_path).as_posix() for path in written} >= {
        "index.html",
        "reference/commands.html",
        "pipeline/decisions/0001-state-by-transactions.html",
    }
    assert not list(tmp_path.rglob("*.py"))
    for path in written:
        text = path.read_text()
        assert "<!-- table:" not in text
        assert 'src="http' not in text and 'rel="stylesheet" href="http' not in text and "url(http" not in text


def test_a_broken_link_fails_the_build(tmp_path: Path) -> None:
    source = tmp_path / "docs"
    source.mkdir()
    (source / "index.md").write_text("# One\n\n[two](#two)\n")
    config = configuration(tmp_path / "site", docs_dir=str(source), hooks=[], nav=["index.md"])
    with pytest.raises(Abort):
        build(config)
