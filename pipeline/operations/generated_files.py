"""Writing a folder of generated files without ever touching a file that somebody else made or changed."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

LISTING: Final = ".pairstream.json"
"""Beside the files: the SHA-256 of each as it was written, by which it is known again."""


class ForeignFiles(RuntimeError):
    """Some files are not as this program wrote them; nothing was changed."""


def write_generated(folder: Path, files: Mapping[str, str]) -> list[str]:
    """Write all files or none; what was written before and is no more wanted stays, and is returned.

    Raises ForeignFiles.
    """
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
        target.write_text(text, "utf-8")
    now = {path: _digest(text.encode()) for path, text in files.items()}
    (folder / LISTING).write_text(json.dumps(written | now, indent=2, sort_keys=True) + "\n", "utf-8")
    return sorted(path for path in written if path not in files and (folder / path).exists())


def _is_foreign(target: Path, text: str, digest: str | None) -> bool:
    if not target.exists():
        return False
    if not target.is_file():
        return True
    there = target.read_bytes()
    return there != text.encode() and _digest(there) != digest


def _listing(folder: Path) -> dict[str, str]:
    try:
        found = json.loads((folder / LISTING).read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ForeignFiles(f"{folder / LISTING} is not readable ({error}): name another folder by --out") from error
    if not isinstance(found, dict):
        raise ForeignFiles(f"{folder / LISTING} is none of this program's: name another folder by --out")
    return {str(path): str(digest) for path, digest in found.items()}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
