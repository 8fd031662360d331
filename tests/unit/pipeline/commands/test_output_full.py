"""An output that takes no more, as on a full disk, is said in a sentence, with the code of every write that fails."""

import errno
import io
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from pipeline import process
from pipeline.exit_codes import REFUSED
from pipeline.local.stack import _note
from tests.unit.pipeline.commands.test_reader_gone import COMMANDS, run

FULL: Final = Path("/dev/full")

pytestmark = pytest.mark.skipif(not FULL.exists(), reason="no /dev/full on this system")


@pytest.fixture
def full() -> Iterator[int]:
    """A device whose every write fails."""
    number = os.open(FULL, os.O_WRONLY)
    yield number
    os.close(number)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_it_is_said_without_a_traceback(words: tuple[str, ...], tmp_path: Path, full: int) -> None:
    command = run(words, tmp_path, full)
    _, said = command.communicate(timeout=60)

    assert command.returncode == REFUSED
    assert said == (
        b"standard output: No space left on device: not all of the answer is written; what was done until then stays. "
        b"Fix: make room there, or write to another place.\n"
    )


@pytest.mark.parametrize("words", [("aply",), ("topics", "acls", "--principal", "{x}")], ids=" ".join)
def test_an_error_that_cannot_be_told_keeps_the_output_clean(words: tuple[str, ...], tmp_path: Path, full: int) -> None:
    command = run(words, tmp_path, subprocess.PIPE, full)
    told, _ = command.communicate(timeout=60)

    assert (command.returncode, told) == (REFUSED, b"")


def test_where_nothing_can_be_told_it_ends_all_the_same(tmp_path: Path, full: int) -> None:
    command = run(("topics", "acls"), tmp_path, full, full)

    assert command.wait(60) == REFUSED


class Full(io.StringIO):
    """Takes nothing."""

    def write(self, _: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    def flush(self) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_process_ends_itself_whatever_its_output_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error of the last flush kept it from its end."""
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)
    monkeypatch.setattr("logging.shutdown", lambda: None)
    monkeypatch.setattr("sys.stdout", Full())

    process.stop_process("this test")
    process.leave_at_once()

    assert codes == [70, 0]


def test_a_note_that_a_terminal_does_not_take_ends_nobody() -> None:
    _note("the broker ended", Full())
