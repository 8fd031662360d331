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
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
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
        self._fernets = [Fernet(key) for key in keys]
        self._placeless = MultiFernet(self._fernets)
        self._ciphers = [AESGCM(_derived(key)) for key in keys]
        self._keys = tuple(keys)
        self._privates = [_private(key) for key in keys]
        self.key_id = _identity(keys[0])
        """Tells the newest key from others, and nothing about it."""
        self.public_keys = tuple(_text_of(private.public_key()) for private in self._privates)
        """What `PublicBox` seals with, so that a key opens it; may be told to anybody. The newest key's first."""

    def seal(self, text: str, place: str) -> bytes:
        """Ciphertext that is safe to store; two seals of one text differ."""
        nonce = os.urandom(_NONCE_BYTES)
        return _BOUND + nonce + self._ciphers[0].encrypt(nonce, text.encode(), place.encode())

    def open(self, sealed: bytes, place: str) -> str:
        """The text. Raises NoKeyFits, also for bytes that were changed or moved, or that are no text."""
        if sealed.startswith(_TO_PUBLIC):
            opened = self._opened_by_private(self._privates, sealed, place)
        elif sealed.startswith(_BOUND):
            opened = self._opened(self._ciphers, sealed, place)
        else:
            opened = self._of_before(sealed)
        try:
            return opened.decode()
        except UnicodeDecodeError:  # whoever has the public key can seal bytes that are no text
            raise NoKeyFits from None

    def can_open(self, sealed: bytes, place: str) -> bool:
        """Whether one of the keys opens the seal in that place."""
        try:
            self.open(sealed, place)
        except NoKeyFits:
            return False
        return True

    def same(self, one: bytes, other: bytes, place: str) -> bool:
        """Whether both hold the same text for that place; one that no key opens is known to be the same as none."""
        try:
            return hmac.compare_digest(self.open(one, place).encode(), self.open(other, place).encode())
        except NoKeyFits:
            return False

    def is_newest(self, sealed: bytes, place: str) -> bool:
        """Whether it is a seal of that place by the newest key."""
        return sealed.startswith((_BOUND, _TO_PUBLIC)) and self._opens(1, sealed, place)

    @property
    def count(self) -> int:
        """How many keys there are."""
        return len(self._keys)

    def key_of(self, sealed: bytes, place: str) -> int | None:
        """The number of the key that opens the seal in that place, the newest key's is 1; None: none opens it."""
        return next((number for number in range(1, self.count + 1) if self._opens(number, sealed, place)), None)

    def _opens(self, number: int, sealed: bytes, place: str) -> bool:
        """Whether the key of that number does."""
        one = slice(number - 1, number)
        try:
            if sealed.startswith(_TO_PUBLIC):
                self._opened_by_private(self._privates[one], sealed, place)
            elif sealed.startswith(_BOUND):
                self._opened(self._ciphers[one], sealed, place)
            else:
                self._fernets[number - 1].decrypt(sealed)
        except (NoKeyFits, InvalidToken):
            return False
        return True

    def renewed(self, sealed: bytes, place: str) -> bytes:
        """The same secret sealed with the newest key; the very seal where it is so already. Raises NoKeyFits."""
        return sealed if self.is_newest(sealed, place) else self.seal(self.open(sealed, place), place)

    def derived(self, purpose: bytes, length: int) -> tuple[bytes, ...]:
        """A key of its own for another purpose, from each of ours, the newest first: no key serves two ciphers."""
        decoded = (base64.urlsafe_b64decode(key) for key in self._keys)
        return tuple(HKDF(SHA256(), length, salt=None, info=purpose).derive(key) for key in decoded)

    @staticmethod
    def _opened(ciphers: Sequence[AESGCM], sealed: bytes, place: str) -> bytes:
        nonce, ciphertext = sealed[len(_BOUND) :][:_NONCE_BYTES], sealed[len(_BOUND) + _NONCE_BYTES :]
        for cipher in ciphers:
            # ValueError: too few bytes for any seal
            with contextlib.suppress(InvalidTag, ValueError):
                return cipher.decrypt(nonce, ciphertext, place.encode())
        raise NoKeyFits

    @staticmethod
    def _opened_by_private(privates: Sequence[X25519PrivateKey], sealed: bytes, place: str) -> bytes:
        for private in privates:
            with contextlib.suppress(InvalidTag, ValueError):
                return _HPKE.decrypt(sealed[len(_TO_PUBLIC) :], private, place.encode())
        raise NoKeyFits

    def _of_before(self, sealed: bytes) -> bytes:
        try:
            return self._placeless.decrypt(sealed)
        except InvalidToken:
            raise NoKeyFits from None

    def __repr__(self) -> str:
        return "SecretBox(***)"


def _derived(key: str) -> bytes:
    """A separate key for bound seals: no key serves two ciphers."""
    return HKDF(SHA256(), _KEY_BYTES, salt=None, info=_BOUND).derive(base64.urlsafe_b64decode(key))


def _private(key: str) -> X25519PrivateKey:
    """The private half of what `PublicBox` seals with; it follows from the key, so that there is no second secret."""
    raw = HKDF(SHA256(), _KEY_BYTES, salt=None, info=_PRIVATE).derive(base64.urlsafe_b64decode(key))
    return X25519PrivateKey.from_private_bytes(raw)


def _text_of(public: X25519PublicKey) -> str:
    return base64.urlsafe_b64encode(public.public_bytes_raw()).decode()


def _identity(key: str) -> str:
    """A number of the key that serves no cipher."""
    return HKDF(SHA256(), _ID_BYTES, salt=None, info=_IDENTITY).derive(base64.urlsafe_b64decode(key)).hex()


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
