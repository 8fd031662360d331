"""Secrets kept in Kafka are sealed here, and the key that opens them is made and kept here."""

import contextlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from pipeline.state_dir import make_private

KEY_FILE: Final = "secret.key"
OWNER_ONLY: Final = 0o600


class NoKeyFits(Exception):
    """None of the keys in PAIRSTREAM_SECRET_KEY opens this secret: add the key it was sealed with, or apply again."""

    def __str__(self) -> str:
        return self.__class__.__doc__ or ""


class KeyFileUnsafe(Exception):
    """The key file may be read by others: `chmod 600` it, and make a new key if they did."""


class SecretBox:
    """Seals with the first key and opens with any: put a new key in front, and old secrets still open."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Raises ValueError for no key, or one that is not 32 bytes in url-safe base64."""
        if not keys:
            raise ValueError("at least one key is needed")
        self._keys = MultiFernet([Fernet(key) for key in keys])

    def seal(self, text: str) -> bytes:
        """Ciphertext that is safe to store; two seals of one text differ."""
        return self._keys.encrypt(text.encode())

    def open(self, sealed: bytes) -> str:
        """The text. Raises NoKeyFits, also where the bytes were changed."""
        try:
            return self._keys.decrypt(sealed).decode()
        except InvalidToken:
            raise NoKeyFits from None

    def can_open(self, sealed: bytes) -> bool:
        """Whether one of the keys opens it."""
        try:
            self.open(sealed)
        except NoKeyFits:
            return False
        return True

    def __repr__(self) -> str:
        return "SecretBox(***)"


def make_key() -> str:
    """A new random key, as PAIRSTREAM_SECRET_KEY takes it."""
    return Fernet.generate_key().decode()


def is_key(text: str) -> bool:
    """Whether a text can be a key: 32 bytes in url-safe base64."""
    try:
        Fernet(text)
    except ValueError:
        return False
    return True


def load_or_make_key(state_dir: Path) -> str:
    """The key of this state directory, made on first use, readable by its owner only.

    Two processes that start at once get the same key. Raises KeyFileUnsafe when others may read the file.
    """
    path = state_dir / KEY_FILE
    if not path.exists():
        make_private(state_dir)
        _publish(make_key(), path)
    if path.stat().st_mode & 0o077:
        raise KeyFileUnsafe(f"{path} may be read by others; run: chmod 600 {path}")
    return path.read_text().strip()


def _publish(key: str, path: Path) -> None:
    """Whole or not at all: a link fails where another process was first, and its key stands."""
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w") as file:
            os.fchmod(file.fileno(), OWNER_ONLY)
            file.write(key + "\n")
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        Path(draft).unlink()
