"""The end of a log, as error messages show it."""

from pathlib import Path

from pipeline.local.process import last_lines


def test_only_the_last_lines_of_a_long_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("\n".join(f"line {number}" for number in range(10_000)))
    assert last_lines(log, 2) == "line 9998\nline 9999"


def test_a_log_that_is_missing_or_empty_says_so(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert last_lines(tmp_path / "empty") == last_lines(tmp_path / "missing") == "(no output)"


def test_bytes_that_are_no_text_do_not_hide_the_rest(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"\xff\xfe cause\n")
    assert last_lines(tmp_path / "log").endswith(" cause")
