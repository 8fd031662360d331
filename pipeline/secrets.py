"""Seals the secrets that Kafka stores; creates and stores the key that opens them."""

import base64
import contextlib
import hmac
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from pipeline.state_dir import make_private

KEY_FILE: Final = "secret.key"
OWNER_ONLY: Final = 0o600
_BOUND: Final = b"pairstream-1:"
"""The prefix of a seal bound to its place; an older, unbound seal begins with `gAAAA`."""

_TO_PUBLIC: Final = b"pairstream-2:"
"""The prefix of a seal made with a public key alone (RFC 9180, base mode), bound to its place too."""
_HPKE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)

_NONCE_BYTES: Final = 12
_KEY_BYTES: Final = 32
_ID_BYTES: Final = 8
_IDENTITY: Final = b"pairstream-key-id"
_PRIVATE: Final = b"pairstream-2-private"


class NoKeyFits(Exception):
    """None of the keys in PAIRSTREAM_SECRET_KEY opens this secret: add the key it was sealed with, or apply again."""

    def __str__(self) -> str:
        return self.__class__.__doc__ or ""


class KeyFileUnsafe(Exception):
    """The key file may be read by others: `chmod 600` it, and make a new key if they did."""


class PublicBox:
    """Seals so that only whoever has the secret key opens it: what `apply` does, in CI without that key."""

    def __init__(self, public_key: str) -> None:
        """Raises ValueError for what is no key of `SecretBox.public_key`."""
        raw = base64.urlsafe_b64decode(public_key)
        self._key = X25519PublicKey.from_public_bytes(raw)

    def seal(self, text: str, place: str) -> bytes:
        """Ciphertext that is safe to store; two seals of one text differ."""
        return _TO_PUBLIC + _HPKE.encrypt(text.encode(), self._key, place.encode())


class _Key:
    """One key in each of its forms. Here alone is told which kind a seal is of, and so what opens it."""

    def __init__(self, key: str) -> None:
        """Raises ValueError for what is not 32 bytes in url-safe base64."""
        self._fernet = Fernet(key)
        self._secret = base64.urlsafe_b64decode(key)
        self._cipher = AESGCM(self.derived(_BOUND, _KEY_BYTES))
        self._private = X25519PrivateKey.from_private_bytes(self.derived(_PRIVATE, _KEY_BYTES))
        """The private half of what `PublicBox` seals with; it follows from the key: there is no second secret."""

    @property
    def public(self) -> str:
        return base64.urlsafe_b64encode(self._private.public_key().public_bytes_raw()).decode()

    def derived(self, purpose: bytes, length: int) -> bytes:
        return HKDF(SHA256(), length, salt=None, info=purpose).derive(self._secret)

    def seal(self, text: str, place: str) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return _BOUND + nonce + self._cipher.encrypt(nonce, text.encode(), place.encode())

    def open(self, sealed: bytes, place: str) -> str:
        """Raises NoKeyFits, also for bytes that are no seal or hold no text."""
        try:
            if sealed.startswith(_TO_PUBLIC):
                opened = _HPKE.decrypt(sealed.removeprefix(_TO_PUBLIC), self._private, place.encode())
            elif sealed.startswith(_BOUND):
                rest = sealed.removeprefix(_BOUND)
                opened = self._cipher.decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], place.encode())
            else:
                opened = self._fernet.decrypt(sealed)
            return opened.decode()
        # ValueError: too few bytes for any seal, or no text, which whoever has the public key can seal
        except (InvalidTag, InvalidToken, ValueError):
            raise NoKeyFits from None

    def opens(self, sealed: bytes, place: str) -> bool:
        try:
            self.open(sealed, place)
        except NoKeyFits:
            return False
        return True


def has_place(sealed: bytes) -> bool:
    """Whether a seal is bound to its place; older ones are not."""
    return sealed.startswith((_BOUND, _TO_PUBLIC))


class SecretBox:
    """Seals with the first key and opens with any: put a new key in front, and old secrets still open.

    A seal is bound to its place (`schemas.configuration.secret_place`): a writer to the brokers who copies a seal to
    another integration or field cannot have it opened. Older seals have no place; they open until the next apply
    seals anew.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        """Raises ValueError for no key, or one that is not 32 bytes in url-safe base64."""
        if not keys:
            raise ValueError("at least one key is needed")
        self._keys = tuple(map(_Key, keys))
        self.key_id = self._keys[0].derived(_IDENTITY, _ID_BYTES).hex()
        """Tells the newest key from others, and nothing about it: a number that serves no cipher."""
        self.public_keys = tuple(key.public for key in self._keys)
        """What `PublicBox` seals with, so that a key opens it; may be told to anybody. The newest key's first."""

    def seal(self, text: str, place: str) -> bytes:
        """Ciphertext that is safe to store; two seals of one text differ."""
        return self._keys[0].seal(text, place)

    def open(self, sealed: bytes, place: str) -> str:
        """The text. Raises NoKeyFits, also for bytes that were changed or moved, or that are no text."""
        for key in self._keys:
            with contextlib.suppress(NoKeyFits):
                return key.open(sealed, place)
        raise NoKeyFits

    def can_open(self, sealed: bytes, place: str) -> bool:
        """Whether one of the keys opens the seal in that place."""
        return self.key_of(sealed, place) is not None

    def same(self, one: bytes, other: bytes, place: str) -> bool:
        """Whether both hold the same text for that place; one that no key opens is known to be the same as none."""
        try:
            return hmac.compare_digest(self.open(one, place).encode(), self.open(other, place).encode())
        except NoKeyFits:
            return False

    def is_newest(self, sealed: bytes, place: str) -> bool:
        """Whether it is a seal of that place by the newest key."""
        return has_place(sealed) and self._keys[0].opens(sealed, place)

    @property
    def count(self) -> int:
        """How many keys there are."""
        return len(self._keys)

    def key_of(self, sealed: bytes, place: str) -> int | None:
        """The number of the key that opens the seal in that place, the newest key's is 1; None: none opens it."""
        return next((number for number, key in enumerate(self._keys, 1) if key.opens(sealed, place)), None)

    def renewed(self, sealed: bytes, place: str) -> bytes:
        """The same secret sealed with the newest key; the very seal where it is so already. Raises NoKeyFits."""
        return sealed if self.is_newest(sealed, place) else self.seal(self.open(sealed, place), place)

    def derived(self, purpose: bytes, length: int) -> tuple[bytes, ...]:
        """A key of its own for another purpose, from each of ours, the newest first: no key serves two ciphers."""
        return tuple(key.derived(purpose, length) for key in self._keys)

    def __repr__(self) -> str:
        return "SecretBox(***)"


def make_key() -> str:
    """A new random key, in the form of PAIRSTREAM_SECRET_KEY."""
    return Fernet.generate_key().decode()


def is_key(text: str) -> bool:
    """Whether a text can be a key: 32 bytes in url-safe base64."""
    try:
        Fernet(text)
    except ValueError:
        return False
    return True


def is_public_key(text: str) -> bool:
    """Whether a text can be a public key: 32 bytes in url-safe base64."""
    try:
        PublicBox(text)
    except ValueError:
        return False
    return True


def load_key(state_dir: Path) -> str | None:
    """The key of this state directory, None if there is none yet. Raises KeyFileUnsafe as `load_or_make_key`."""
    return load_or_make_key(state_dir) if (state_dir / KEY_FILE).exists() else None


def load_or_make_key(state_dir: Path) -> str:
    """The key of this state directory, created on first use, readable by its owner only.

    Two processes that start at once get the same key. Raises KeyFileUnsafe if others may read the file.
    """
    path = state_dir / KEY_FILE
    if not path.exists():
        make_private(state_dir)
        _publish(make_key(), path)
    if path.stat().st_mode & 0o077:
        raise KeyFileUnsafe(f"{path} may be read by others; run: chmod 600 {path}")
    return path.read_text().strip()


def _publish(key: str, path: Path) -> None:
    """Publish the whole file or nothing: a link fails if another process was first, and that key stands."""
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w") as file:
            os.fchmod(file.fileno(), OWNER_ONLY)
            file.write(key + "\n")
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        Path(draft).unlink()
