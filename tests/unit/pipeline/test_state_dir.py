"""The state directory: for its owner only whatever the umask, unusable ones named, taken by one `up` at a time."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.state_dir import AlreadyRunning, StateDirUnusable, make_private, private_files, taken


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def lax_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def test_it_is_made_for_its_owner_only(tmp_path: Path) -> None:
    make_private(tmp_path / "deep" / "state")

    assert mode(tmp_path / "deep" / "state") == 0o700


def test_an_older_one_is_closed_to_others(tmp_path: Path) -> None:
    state = tmp_path / "state"
    (state / "kafka").mkdir(parents=True)
    (state / "endpoints.json").touch()
    state.chmod(0o755)

    make_private(state)

    assert mode(state) == 0o700


def test_a_directory_that_holds_what_is_not_ours_keeps_its_mode(tmp_path: Path) -> None:
    """Else PAIRSTREAM_STATE_DIR=/srv, given by mistake, would close it to everybody."""
    (tmp_path / "somebody.txt").touch()
    tmp_path.chmod(0o755)

    make_private(tmp_path)

    assert mode(tmp_path) == 0o755


def test_files_and_folders_made_meanwhile_are_private_and_the_umask_comes_back(tmp_path: Path) -> None:
    with private_files():
        (tmp_path / "file").touch()
        (tmp_path / "folder").mkdir()
    (tmp_path / "later").touch()

    assert (mode(tmp_path / "file"), mode(tmp_path / "folder"), mode(tmp_path / "later")) == (0o600, 0o700, 0o666)


def test_what_is_no_folder_and_what_cannot_be_made_is_said_with_the_setting(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()

    for path in (file, file / "below"):
        with pytest.raises(StateDirUnusable, match=rf"^PAIRSTREAM_STATE_DIR: {path} is not usable: .*Fix: "):
            make_private(path)


def test_the_second_is_told_the_pid_of_the_first_and_changes_nothing(tmp_path: Path) -> None:
    hold = (
        "import sys\nfrom pathlib import Path\nfrom pipeline.state_dir import taken\n"
        "with taken(Path(sys.argv[1])):\n    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    first = subprocess.Popen(
        [sys.executable, "-c", hold, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert first.stdout is not None and first.stdin is not None
    assert first.stdout.readline() == "held\n"
    try:
        with pytest.raises(AlreadyRunning, match=rf"as pid {first.pid} in .*\n.*`kill {first.pid}`"), taken(tmp_path):
            pytest.fail("it was taken twice")
        assert (tmp_path / "up.pid").read_text() == str(first.pid)
    finally:
        first.kill()
        first.communicate()
    with taken(tmp_path):  # a killed one holds nothing
        assert (tmp_path / "up.pid").read_text() == str(os.getpid())
