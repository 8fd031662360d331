"""What MkDocs is told while it builds: pages that lie beside the code, tables made from it, links between both."""

import logging
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from docs.tables import PAGES, TABLES
from docs.tables.file_keys import SCHEMA_FILE
from pipeline.integration_file.schema import schema_text

ROOT: Final = Path(__file__).parents[1]
OWN: Final = Path("docs")
BESIDE_THE_CODE: Final = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "pipeline/README.md",
    "pipeline/decisions/*.md",
    "connectors/README.md",
    "connectors/*/README.md",
    "schemas/README.md",
)
DECISIONS: Final = "Decisions"

_TABLE: Final = re.compile(r"^<!-- table: ([\w-]+) -->$", re.MULTILINE)
_FENCE: Final = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
_LINK: Final = re.compile(r"\[([^\]]*)\]\(([^)\s]+)\)")
# of the name under which MkDocs counts warnings, so that `--strict` fails on them
_log: Final = logging.getLogger("mkdocs.hooks.pairstream")


def pages(root: Path = ROOT) -> Iterator[tuple[Path, str]]:
    """Every page that lies beside the code, and its place in the site; the README is the site's first page."""
    for pattern in BESIDE_THE_CODE:
        for path in sorted(root.glob(pattern)):
            place = path.relative_to(root).as_posix()
            yield path, "index.md" if place == "README.md" else place


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Every decision stands in the navigation, below their list."""
    decisions = [place for _, place in pages() if place.startswith("pipeline/decisions/")]
    for entry in config.nav or []:
        if isinstance(entry, dict) and DECISIONS in entry:
            entry[DECISIONS] = [*entry[DECISIONS], *decisions]
    return config


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    for path, place in pages():
        files.append(File.generated(config, place, abs_src_path=str(path)))
    files.append(File.generated(config, SCHEMA_FILE, content=schema_text()))
    for place, content in made_pages():
        files.append(File.generated(config, place, content=content))
    return files


def made_pages() -> Iterator[tuple[str, str]]:
    """Every page that is made whole from the code."""
    for made in PAGES:
        yield from made()


MADE: Final = frozenset(place for place, _ in made_pages())


def on_page_markdown(markdown: str, *, page: Page, **_: Any) -> str:
    return translated(with_tables(markdown), page.file.src_uri, _log.warning)


def with_tables(markdown: str) -> str:
    """The page with its tables made. Raises KeyError for a table that nobody makes."""
    return _TABLE.sub(lambda asked: TABLES[asked[1]](), markdown)


def translated(markdown: str, place: str, warn: Callable[[str], None]) -> str:
    """Links as they hold in the tree, turned into links as they hold in the site.

    A link to a file that is no page becomes its text and path; one that leads nowhere is warned of.
    """
    if place in MADE:  # its links hold in the site already
        return markdown
    source = source_of(place)

    def link(found: re.Match[str]) -> str:
        text, target = found.groups()
        path, _, anchor = target.partition("#")
        if target.startswith(("http://", "https://")) or not path:
            return found[0]
        there = Path(os.path.normpath(source.parent / path))
        if there.is_relative_to(OWN) and there.relative_to(OWN).as_posix() in MADE:
            return found[0]
        if not (ROOT / there).exists():
            warn(f"{source}: {target} leads nowhere")
            return found[0]
        goal = place_of(there)
        if goal is None:
            return text if there.as_posix() in text else f"{text} (`{there.as_posix()}`)"
        relative = os.path.relpath(goal, Path(place).parent)
        return f"[{text}]({relative}{'#' if anchor else ''}{anchor})"

    parts = _FENCE.split(markdown)
    return "".join(part if part.startswith("```") else _LINK.sub(link, part) for part in parts)


def source_of(place: str) -> Path:
    """The file of a page, from the root."""
    beside = {where: path for path, where in pages()}
    return beside[place].relative_to(ROOT) if place in beside else OWN / place


def place_of(path: Path) -> str | None:
    """The page or picture of a file, from the root; None where it is neither."""
    if path.suffix in (".md", ".png") and path.is_relative_to(OWN):
        return path.relative_to(OWN).as_posix()
    return {file.relative_to(ROOT): place for file, place in pages()}.get(path)
