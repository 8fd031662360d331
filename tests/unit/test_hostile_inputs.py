"""The page of hostile inputs names tests and kinds of answers that there are."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/hostile-inputs.md").read_text("utf-8")
NAMED = re.compile(r"`(tests/[\w/]+\.py)`: ([\w ]+)")


def test_every_test_of_the_table_is_there() -> None:
    named = NAMED.findall(PAGE)
    assert len(named) > 100
    missing = [
        (path, words)
        for path, words in named
        if f"def test_{words.strip().replace(' ', '_')}(" not in (ROOT / path).read_text("utf-8")
    ]
    assert missing == []


def test_every_row_has_a_test_and_a_commit() -> None:
    rows = [line for line in PAGE.partition("## Inputs, tests, commits")[2].splitlines() if line.startswith("| ")]
    rows = [row for row in rows if not row.startswith("| Input |")]
    assert [row for row in rows if not re.search(r"`tests/[^|]*\| [0-9a-f]{7,}(, [0-9a-f]{7,})* \|$", row)] == []
