"""What objects show of associated ones, as last told: a read that was under way meanwhile is brought up to date.

A read of a contact may see its company before a rename and be published after the rename was told to all its contacts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from schemas.records import StampedValue

REMEMBERED: Final = 10_000  # associated objects
LAGGING_MS: Final = 60_000  # a read that shows an object so long after its end shows one that came back

Key = tuple[str, str]
"""The field that names the associated object, and its id: `company.hs_object_id`, `512`."""


@dataclass(frozen=True, slots=True)
class _CachedObject:
    fields: Mapping[str, StampedValue] = field(default_factory=dict)
    gone_at_ms: int | None = None


class AssociatedValueCache:
    """The newest values told of associated objects, by the vendor's time, and which of them are gone."""

    def __init__(self) -> None:
        self._told: dict[Key, _CachedObject] = {}

    def tell(self, key: Key, fields: Mapping[str, StampedValue]) -> None:
        """It is there, and this is what is told of it from now on."""
        known = self._told.get(key, _CachedObject())
        self._keep(key, _CachedObject(_newest(known.fields, fields)))

    def end(self, key: Key, at_ms: int) -> None:
        """It is gone since then."""
        self._keep(key, replace(self._told.get(key, _CachedObject()), gone_at_ms=at_ms))

    def up_to_date(self, fields: dict[str, StampedValue]) -> tuple[dict[str, StampedValue], bool]:
        """The fields of a read with nothing older than what was told; true: it shows what is gone, so read it again."""
        outdated = False
        for name, found in list(fields.items()) if self._told else ():
            told = self._told.get((name, str(found.value))) if "." in name else None
            if told is None:
                continue
            group = name.partition(".")[0] + "."
            if told.gone_at_ms is not None and found.at_ms <= told.gone_at_ms + LAGGING_MS:
                fields = {name: value for name, value in fields.items() if not name.startswith(group)}
                outdated = True
            else:
                fields |= _newest(fields, {name: value for name, value in told.fields.items() if name in fields})
        return fields, outdated

    def _keep(self, key: Key, told: _CachedObject) -> None:
        self._told.pop(key, None)
        self._told[key] = told
        if len(self._told) > REMEMBERED:
            del self._told[next(iter(self._told))]


def _newest(known: Mapping[str, StampedValue], told: Mapping[str, StampedValue]) -> dict[str, StampedValue]:
    newer = {name: value for name, value in told.items() if name not in known or value.at_ms > known[name].at_ms}
    return {**known, **newer}
