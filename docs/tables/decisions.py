"""The decisions: the first line of each page of `pipeline/decisions`."""

from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parents[2] / "pipeline" / "decisions"


def page() -> str:
    """A list of links; a page's first line is its title."""
    return "\n".join(f"- [{_title(path)}](../pipeline/decisions/{path.name})" for path in sorted(FOLDER.glob("*.md")))


def _title(path: Path) -> str:
    return path.read_text("utf-8").splitlines()[0].removeprefix("# ")
