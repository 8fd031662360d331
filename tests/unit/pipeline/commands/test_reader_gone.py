"""A command whose reader goes away, as `head` does, ends as every Unix tool does: at once, without a word, with 141."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from pipeline.exit_codes import DONE, MISTYPED, READER_GONE
from tests.unit.pipeline.integration_file.files import GOOD

COMMANDS: Final = (
    ("-h",),
    ("--version",),
    ("topics", "read", "-h"),
    ("schema",),
    ("schema", "--example"),
    ("topics", "acls"),
    ("topics", "acls", "--format", "json"),
    ("validate", "acme.yaml"),
    ("validate", "acme.yaml", "--format", "json"),
)


def run(words: tuple[str, ...], folder: Path, stdout: int, stderr: int = subprocess.PIPE) -> "subprocess.Popen[bytes]":
    (folder / "acme.yaml").write_text(GOOD)
    return subprocess.Popen([sys.executable, "-m", "pipeline", *words], cwd=folder, stdout=stdout, stderr=stderr)


def without_reader() -> int:
    """The writing end of a pipe that nobody reads: each write fails, whatever fits into a pipe."""
    reading, writing = os.pipe()
    os.close(reading)
    return writing


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_it_ends_at_once_and_says_nothing(words: tuple[str, ...], tmp_path: Path) -> None:
    writing = without_reader()
    try:
        process = run(words, tmp_path, writing)
        _, said = process.communicate(timeout=60)
    finally:
        os.close(writing)

    assert process.returncode == READER_GONE
    assert said == b""


def test_a_reader_that_has_seen_enough_gets_what_it_wanted(tmp_path: Path) -> None:
    process = run(("schema",), tmp_path, subprocess.PIPE)
    head = subprocess.run(["head", "-n", "1"], stdin=process.stdout, capture_output=True, timeout=60, check=True)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()

    assert head.stdout == b"{\n"
    assert process.wait(60) in (DONE, READER_GONE)  # all of it may have fitted into the pipe
    assert said == b""


def test_what_is_wrong_keeps_its_code_where_nobody_reads_the_output(tmp_path: Path) -> None:
    writing = without_reader()
    try:
        process = run(("aply",), tmp_path, writing)
        _, said = process.communicate(timeout=60)
    finally:
        os.close(writing)

    assert process.returncode == MISTYPED and b"pairstream apply" in said


def test_an_error_that_nobody_reads_leaves_no_trace(tmp_path: Path) -> None:
    writing = without_reader()
    try:
        process = run(("aply",), tmp_path, subprocess.PIPE, writing)
        told, _ = process.communicate(timeout=60)
    finally:
        os.close(writing)

    assert (process.returncode, told) == (READER_GONE, b"")
