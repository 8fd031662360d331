"""Which records the scheduler seals again, once somebody asked for it."""

from collections.abc import Iterator, Mapping

from pipeline.provisioning.writes import ConfigurationWrite
from pipeline.secrets import NoKeyFits, SecretBox
from schemas.configuration import SEALS, IntegrationPart
from schemas.seals import resealed
from schemas.topics import INTEGRATIONS


def settings_sealed_again(parts: Mapping[str, IntegrationPart], box: SecretBox) -> list[ConfigurationWrite]:
    """Settings whose seals are not of the newest key; none where that is not the key that was asked for."""
    asked = parts[SEALS].seals if SEALS in parts else None
    if asked is None or asked.key_id != box.key_id:
        return []
    return list(_writes(parts, box))


def _writes(parts: Mapping[str, IntegrationPart], box: SecretBox) -> Iterator[ConfigurationWrite]:
    for key, part in sorted(parts.items()):
        if part.settings is None:
            continue
        try:
            renewed = resealed(key, part, box.renewed)
        except NoKeyFits:
            continue  # `doctor` tells of it, and the command that asks refuses first
        if renewed != part:
            yield ConfigurationWrite(INTEGRATIONS, key, renewed)
