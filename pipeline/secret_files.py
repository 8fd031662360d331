"""Secrets in files: `NAME_FILE` names a file that holds what `NAME` would, as Docker and Kubernetes mount secrets."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

SUFFIX: Final = "_FILE"
MOST_BYTES: Final = 65_536


class SecretFileUnusable(Exception):
    """A variable names a file that gives no secret; the sentence says why and what to do, nothing of the content."""

    def __init__(self, variable: str, why: str, fix: str) -> None:
        super().__init__(f"{variable}: {why}. Fix: {fix}")
        self.what = f"{variable}: {why}"
        self.fix = fix


def secret(name: str, environment: Mapping[str, str]) -> str | None:
    """The text of a variable, or of the file that `NAME_FILE` names without the line's end; None: neither is set.

    Raises SecretFileUnusable where both are set, or the file gives no text.
    """
    own, path = environment.get(name), environment.get(name + SUFFIX, "").strip()
    if not path:
        return own or None
    if own:
        raise SecretFileUnusable(name + SUFFIX, f"set beside {name}", "unset one of the two")
    return _read(name + SUFFIX, Path(path))


def with_files(environment: Mapping[str, str], names: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """The environment with each of these variables filled in from its file; and a sentence for each that is not."""
    filled, problems = dict(environment), list[str]()
    for name in names:
        try:
            text = secret(name, environment)
        except SecretFileUnusable as error:
            problems.append(f"{error}.")
            text = None
        filled[name] = text or ""
    return filled, problems


def _read(variable: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        why = f"`{path.name}` cannot be read ({error.strerror})"
        raise SecretFileUnusable(variable, why, "name a file that this process may read") from None
    if len(content) > MOST_BYTES:
        raise SecretFileUnusable(variable, f"`{path.name}` has more than {MOST_BYTES} bytes", "name another file")
    try:
        text = content.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise SecretFileUnusable(variable, f"`{path.name}` holds no UTF-8 text", "name another file") from None
    if not text.strip():
        raise SecretFileUnusable(variable, f"`{path.name}` is empty", "write the secret into it")
    return text
