"""The state directory: private to its owner, held by one `up` at a time."""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

OWNER_ONLY: Final = 0o700
PRIVATE_UMASK: Final = 0o077
LOCK_FILE: Final = "up.pid"
OURS: Final = frozenset({"endpoints.json", "faust", "kafka", "logs", "secret.key", "simulators", LOCK_FILE})
"""The names that Pairstream creates in the directory."""


class StateDirUnusable(Exception):
    """PAIRSTREAM_STATE_DIR cannot be made, or is no directory that this user may write."""


class AlreadyRunning(Exception):
    """Another `up` works in this state directory."""


def make_private(directory: Path) -> None:
    """Create the directory for its owner only. Raises StateDirUnusable.

    Closes an older directory that is open to others, unless it holds others' files: then only Pairstream's files
    are private.
    """
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        directory.mkdir(OWNER_ONLY, exist_ok=True)
        mode = directory.stat().st_mode
        names = {path.name for path in directory.iterdir() if not path.name.startswith(".")}
        if stat.S_IMODE(mode) & PRIVATE_UMASK and names <= OURS:
            directory.chmod(OWNER_ONLY)
    except OSError as error:
        raise StateDirUnusable(
            f"PAIRSTREAM_STATE_DIR: {directory} is not usable: {error.strerror}. "
            "Fix: set it to a directory that you may write, for example ~/.local/state/pairstream."
        ) from None


@contextmanager
def private_files() -> Iterator[None]:
    """Make the files of this process and its children private to their owner meanwhile, whatever the umask was."""
    before = os.umask(PRIVATE_UMASK)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def taken(directory: Path) -> Iterator[None]:
    """Hold the directory for the block; the lock ends with the process. Raises AlreadyRunning with its pid."""
    make_private(directory)
    with (directory / LOCK_FILE).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(_already_running(lock, directory)) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
        lock.truncate(0)


def _already_running(lock: IO[str], directory: Path) -> str:
    lock.seek(0)
    pid = lock.read().strip() or "unknown"
    return (
        f"`pairstream up` already runs as pid {pid} in {directory}.\n"
        f"Fix: use that one, end it (`kill {pid}`), or set PAIRSTREAM_STATE_DIR to another directory."
    )
