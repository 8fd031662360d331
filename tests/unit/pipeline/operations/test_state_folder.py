"""What doctor says of the state directory."""

import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from pipeline.operations.state_folder import state_folder

Room = namedtuple("Room", "total used free")


def test_one_that_can_be_written(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "not" / "there" / "yet"):
        (told,) = state_folder(folder)
        assert told.verdict == "ok" and "GB are free" in told.detail


def test_one_that_is_a_file_or_lies_below_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        (told,) = state_folder(folder)
        assert told.code == "state_dir_unusable"


def test_one_that_others_may_look_into(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (told,) = state_folder(tmp_path)
    assert told.detail.endswith("others may look into it")


def test_a_disk_that_is_nearly_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Room(10**12, 0, 3 * 10**8))
    (told,) = state_folder(tmp_path)
    assert told.code == "disk_nearly_full" and told.detail.startswith("300 MB of 1,000 GB are free")
