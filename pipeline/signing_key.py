"""The key in PAIRSTREAM_NOTIFY_SECRET, as Standard Webhooks write it."""

import base64
import binascii
from typing import Final

KEY_PREFIX: Final = "whsec_"


def key_of(secret: str) -> bytes:
    """The key in a secret: what stands behind `whsec_` is base64, any other text is the key itself.

    Raises ValueError where what stands behind `whsec_` is no base64.
    """
    if not secret.startswith(KEY_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(KEY_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError(f"what stands behind {KEY_PREFIX} is no base64") from None
