"""What the active scheduler writes, one record at a time."""

from dataclasses import dataclass

from schemas.configuration import IntegrationPart
from schemas.records import ObjectMapping, StateCommand


@dataclass(frozen=True, slots=True)
class ConfigurationWrite:
    """One record of a configuration topic, or a command on state; None deletes the key."""

    topic: str
    key: str
    record: IntegrationPart | ObjectMapping | StateCommand | None
    partition: int | None = None  # where it does not follow from the key
