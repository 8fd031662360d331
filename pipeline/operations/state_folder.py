"""What doctor says of the state directory of this machine."""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pipeline.operations.findings import Finding

FREE_SHARE: Final = 0.05
FREE_BYTES: Final = 1_000_000_000
"""A local broker keeps that much free: below it, and below a twentieth of the disk, there is little time left."""


def state_folder(folder: Path) -> Iterator[Finding]:
    """Whether it can be made or written, who may look into it, and whether its disk has room."""
    there = next((one for one in (folder, *folder.parents) if one.exists()), Path("/"))
    what = "state directory"
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        done = "written" if there == folder else "made"
        told = f"{folder} cannot be {done}. Fix: set PAIRSTREAM_STATE_DIR to one that can"
        yield Finding(what, "wrong", told, "state_dir_unusable")
        return
    room = shutil.disk_usage(there)
    if room.free < min(room.total * FREE_SHARE, FREE_BYTES):
        told = f"{room.free / 1e6:,.0f} MB of {room.total / 1e9:,.0f} GB are free where {folder} lies"
        yield Finding(what, "wrong", told, "disk_nearly_full")
        return
    private = there != folder or not stat.S_IMODE(folder.stat().st_mode) & 0o077
    yield Finding(what, "ok", f"{room.free / 1e9:,.0f} GB are free{'' if private else '; others may look into it'}")
