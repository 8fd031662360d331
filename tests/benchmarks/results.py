"""The page of results: sections by title, each replaced by whoever measures it and kept by everybody else."""

from pathlib import Path
from typing import Final

RESULTS: Final = Path(__file__).with_name("RESULTS.md")
THREE_BROKERS: Final = "## Change to visible on three brokers, one of them away again and again"
"""Written by `PAIRSTREAM_WRITE_RESULTS=1` with tests/faults/test_three_brokers.py, which `make bench` does not run."""
ROLLING: Final = "## Change to visible during two rolling restarts of every role"
"""Likewise, with tests/faults/test_rolling_restarts.py."""
BROKERS: Final = "## What brokers do for the same join"
"""Counted by hand, from the broker's own metrics."""
KEPT: Final = (THREE_BROKERS, ROLLING, BROKERS)


def with_section(page: str, section: str) -> str:
    """The page with a section, its title first, in place of the one of the same title; a new one comes last."""
    title = section.partition("\n")[0]
    head, *sections = _split(page)
    titles = [one.partition("\n")[0] for one in sections]
    if title in titles:
        sections[titles.index(title)] = section
    else:
        sections.append(section)
    return "\n".join(part.strip() + "\n" for part in (head, *sections))


def section_of(page: str, title: str) -> str | None:
    """The section of that title; None where there is none."""
    return next((one for one in _split(page)[1:] if one.partition("\n")[0] == title), None)


def _split(page: str) -> list[str]:
    """What stands before the first section, then each section."""
    head, *sections = f"\n{page}".split("\n## ")
    return [head, *(f"## {section}" for section in sections)]
