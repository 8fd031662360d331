"""Facts that every process of an installation shares: recorded once in Kafka, checked at each start."""

from typing import Final

from schemas.codec import Codec
from schemas.configuration import INSTALLATION, Installation, IntegrationPart, SchemaIds
from schemas.registry import LocalRegistry
from schemas.topics import INTEGRATIONS

_FIXES: Final[dict[SchemaIds, str]] = {
    "registry": "set SCHEMA_REGISTRY_URL here, as for every other process",
    "packaged": "unset SCHEMA_REGISTRY_URL here, as for every other process",
}


class SettingsDiffer(RuntimeError):
    """A setting of this process is not that of the installation."""


def check(recorded: IntegrationPart | None, here: SchemaIds) -> None:
    """Raises SettingsDiffer where records of this process would be unreadable to all others."""
    facts = recorded.installation if recorded is not None else None
    if facts is not None and facts.schema_ids != here:
        raise SettingsDiffer(
            f"schema ids are `{facts.schema_ids}` in this installation, and `{here}` by the settings of this process: "
            f"nothing was written. Fix: {_FIXES.get(facts.schema_ids, 'upgrade this process')}."
        )


def recording(here: SchemaIds, written_up_to: int | None = None) -> tuple[Codec, tuple[str, str, IntegrationPart]]:
    """The record of the facts, for the first process that writes, and the codec it is written with: everybody's."""
    codec = Codec(LocalRegistry(written_up_to=written_up_to))
    return codec, (INTEGRATIONS, INSTALLATION, IntegrationPart("", installation=Installation(here)))
