"""Brokers, and the names one installation has there: code speaks of logical names, the brokers know physical ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from schemas.codec import RecordTooLarge, Unencodable
from schemas.redrives import Sent
from schemas.topics import MAX_MESSAGE_BYTES

SEPARATOR = "."
HEADER_FRAME_BYTES = 10
FRAME_BYTES = 256
"""Kafka's own share of a batch of one message: 61 bytes of batch, at most 40 of lengths, and room for two headers."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """`client` is librdkafka's connection properties; `prefix` starts every name, so that installations share brokers.

    Topics, consumer groups, transactional ids and registry subjects are named alike: `staging.hubspot.changes`.
    """

    client: Mapping[str, str] = field(repr=False)  # may hold a password
    prefix: str = ""
    max_message_bytes: int = MAX_MESSAGE_BYTES  # the least that any of our topics takes at once, as the brokers say
    traces: bool = False  # whether records carry their trace in a header

    def physical(self, name: str) -> str:
        """The name on the brokers: `hubspot.changes` -> `staging.hubspot.changes`."""
        return f"{self.prefix}{SEPARATOR}{name}" if self.prefix else name

    def logical(self, physical: str) -> str:
        """The name in code and records: `staging.hubspot.changes` -> `hubspot.changes`."""
        return physical.removeprefix(f"{self.prefix}{SEPARATOR}") if self.prefix else physical

    def owns(self, physical: str) -> bool:
        """Whether a name on the brokers begins as this installation's names do."""
        return not self.prefix or physical.startswith(f"{self.prefix}{SEPARATOR}")

    def message_key(self, topic: str, key: str, value: bytes | None, headers: Sequence[Sent] = ()) -> bytes:
        """The key's bytes, once the whole message is known to fit the brokers' limit. Raises Unencodable."""
        try:
            encoded = key.encode()
        except UnicodeEncodeError:
            raise Unencodable(f"{topic}: a key that is no text (a lone surrogate)") from None
        told = sum(len(name.encode()) + len(text) + HEADER_FRAME_BYTES for name, text in headers)
        size = len(encoded) + len(value or b"") + told + FRAME_BYTES
        if size > self.max_message_bytes:
            raise RecordTooLarge(f"{topic}: a message of {size:,} bytes, of which {self.max_message_bytes:,} fit")
        return encoded
