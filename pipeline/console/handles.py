"""Names of objects in addresses: ids that may be addresses of people are sealed, always to the same text."""

import base64
import binascii
from collections.abc import Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from pipeline.explain.answer import Named
from schemas.values import System

SEALED: Final = "~"
KEY_PURPOSE: Final = b"pairstream console names of objects"
KEY_BYTES: Final = 64


class Handles:
    """Made with the first key, opened with any: links outlive a change of keys as long as the old one is there."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._ciphers = [AESSIV(key) for key in keys]

    def path(self, integration: str, named: Named) -> str:
        """`<system>/<type>/<id>`, below the integration's objects; HubSpot's ids are numbers, and stand as they are."""
        system, kind, object_id = named.system, named.object_type, named.object_id
        if not _stands(system, object_id):
            sealed = self._ciphers[0].encrypt(object_id.encode(), _about(integration, system, kind))
            object_id = SEALED + base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()
        return f"{system}/{kind}/{object_id}"

    def named(self, integration: str, system: str, object_type: str, handle: str) -> Named | None:
        """The object of an address; None where it was made for another place, by another installation, or by hand."""
        if system not in ("hubspot", "userflow"):
            return None
        of: System = "hubspot" if system == "hubspot" else "userflow"
        if not handle.startswith(SEALED):
            return Named(of, object_type, handle) if _stands(system, handle) else None
        try:
            sealed = base64.urlsafe_b64decode(handle[1:] + "=" * (-len(handle[1:]) % 4))
        except (binascii.Error, ValueError):
            return None
        for cipher in self._ciphers:
            try:
                opened = cipher.decrypt(sealed, _about(integration, system, object_type))
            except (InvalidTag, ValueError):
                continue
            return Named(of, object_type, opened.decode())
        return None


def _stands(system: str, object_id: str) -> bool:
    return system == "hubspot" and object_id.isascii() and object_id.isdigit()


def _about(integration: str, system: str, object_type: str) -> list[bytes]:
    return [integration.encode(), system.encode(), object_type.encode()]
