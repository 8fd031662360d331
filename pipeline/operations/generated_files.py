"""Writing a folder of generated files without ever touching a file that somebody else made or changed."""

import errno
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from pipeline.operations import OperationRefused

LISTING: Final = ".pairstream.json"
"""Beside the files: the SHA-256 of each as it was written, by which it is known again."""


class ForeignFiles(OperationRefused):
    """Some files are not as this program wrote them; nothing was changed."""


def write_generated(folder: Path, files: Mapping[str, str]) -> list[str]:
    """Write all files or none. Files of an earlier run that are no longer generated stay, and are returned.

    Raises ForeignFiles.
    """
    _refuse_links(folder, (*files, LISTING))
    written = _listing(folder)
    foreign = [path for path in files if _is_foreign(folder / path, files[path], written.get(path))]
    if foreign:
        raise ForeignFiles(
            f"not written by this command, or changed since: {', '.join(foreign)}. "
            f"Fix: move them out of {folder}, or name another folder by --out"
        )
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        _write(target, text)
    now = {path: _digest(text.encode()) for path, text in files.items()}
    _write(folder / LISTING, json.dumps(written | now, indent=2, sort_keys=True) + "\n")
    return sorted(path for path in written if path not in files and (folder / path).exists())


def _refuse_links(folder: Path, paths: Iterable[str]) -> None:
    """A link leads to files that nobody meant: neither the folder, nor a folder in it, nor a file may be one."""
    places = {place for path in paths for place in (folder / path, *(folder / path).parents)}
    below = {place for place in places if place == folder or folder in place.parents}
    links = sorted(str(place) for place in below if place.is_symlink())
    if links:
        raise ForeignFiles(f"a link: {', '.join(links)}. Fix: remove it, or name another folder by --out")


def _write(target: Path, text: str) -> None:
    """As Path.write_text does, and never through a link, whoever made it a moment ago. Raises ForeignFiles."""
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o666)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise ForeignFiles(f"a link: {target}. Fix: remove it, or name another folder by --out") from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def _is_foreign(target: Path, text: str, digest: str | None) -> bool:
    if not target.exists():
        return False
    if not target.is_file():
        return True
    there = target.read_bytes()
    return there != text.encode() and _digest(there) != digest


def _listing(folder: Path) -> dict[str, str]:
    try:
        listed = json.loads((folder / LISTING).read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ForeignFiles(f"{folder / LISTING} is not readable ({error}): name another folder by --out") from error
    if not isinstance(listed, dict):
        raise ForeignFiles(f"{folder / LISTING} is none of this program's: name another folder by --out")
    return {str(path): str(digest) for path, digest in listed.items()}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
