"""How `pairstream lag` is typed."""

import pytest
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.commands.lag import Duration
from pipeline.exit_codes import MISTYPED


@pytest.mark.parametrize(
    ("typed", "seconds"), [("60s", 60), ("5m", 300), ("1.5h", 5_400), ("500ms", 0.5), ("7", 7), ("0s", 0)]
)
def test_durations(typed: str, seconds: float) -> None:
    assert Duration().convert(typed, None, None) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--max-behind", "soon"], "write 60s, 5m or 1h"),
        (["--max-behind", "-3s"], "write 60s, 5m or 1h"),
        (["--group", "pairstream-worker"], "add --partitions"),
        (["--partitions", "--by", "integration"], "ask for one of them"),
        (["--by", "topic"], "integration"),
    ],
)
def test_what_is_mistyped(words: list[str], said: str) -> None:
    result = CliRunner().invoke(main, ["lag", *words])
    assert result.exit_code == MISTYPED
    assert said in result.output
