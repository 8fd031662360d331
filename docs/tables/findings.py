"""What doctor finds, by stable code: a table, and a page for each."""

from collections.abc import Iterator

from docs.tables.markdown import code, table
from pipeline.operations.finding_kinds import FINDINGS, OK, FindingCode

FOLDER = "reference/findings"


def page() -> str:
    """A row for each code."""
    rows = [
        (f"`{one}` [more](../{FOLDER}/{one}.md)", kind.meaning, kind.fix, code(kind.command_for(None)))
        for one, kind in FINDINGS.items()
        if one != OK
    ]
    return table(("Code", "Meaning", "Fix", "Command"), rows)


def pages() -> Iterator[tuple[str, str]]:
    """Place in the site and content of the page of each code."""
    for one in FINDINGS:
        if one != OK:
            yield f"{FOLDER}/{one}.md", _page_of(one)


def _page_of(one: FindingCode) -> str:
    kind = FINDINGS[one]
    command = f"\n\n```sh\n{kind.command_for(None)}\n```" if kind.command else ""
    return (
        f"# {one}\n\n`pairstream doctor` says `({one})` behind a finding where this is so.\n\n"
        f"**It means:** {kind.meaning}.\n\n**Do:** {kind.fix}.{command}\n\n"
        "[All findings](../../how-to/doctor.md) · [all reasons](../reasons.md)\n"
    )
