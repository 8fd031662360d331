"""The newest fields known of associated objects, which bring a read up to date that was under way meanwhile.

A read of a contact may see its company before a rename and be published after the rename reached all its contacts.
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
    """The newest values of associated objects, by the vendor's time, and which of the objects are gone."""

    def __init__(self) -> None:
        self._objects: dict[Key, _CachedObject] = {}

    def update(self, key: Key, fields: Mapping[str, StampedValue]) -> None:
        """The object is there and has these fields."""
        known = self._objects.get(key, _CachedObject())
        self._keep(key, _CachedObject(_newest(known.fields, fields)))

    def end(self, key: Key, at_ms: int) -> None:
        """The object is gone since then."""
        self._keep(key, replace(self._objects.get(key, _CachedObject()), gone_at_ms=at_ms))

    def up_to_date(self, fields: dict[str, StampedValue]) -> tuple[dict[str, StampedValue], bool]:
        """The fields of a read without outdated values; true: the read shows an object that is gone, so read again."""
        outdated = False
        for name, value in list(fields.items()) if self._objects else ():
            cached = self._objects.get((name, str(value.value))) if "." in name else None
            if cached is None:
                continue
            group = name.partition(".")[0] + "."
            if cached.gone_at_ms is not None and value.at_ms <= cached.gone_at_ms + LAGGING_MS:
                fields = {name: value for name, value in fields.items() if not name.startswith(group)}
                outdated = True
            else:
                fields |= _newest(fields, {name: value for name, value in cached.fields.items() if name in fields})
        return fields, outdated

    def _keep(self, key: Key, cached: _CachedObject) -> None:
        self._objects.pop(key, None)
        self._objects[key] = cached
        if len(self._objects) > REMEMBERED:
            del self._objects[next(iter(self._objects))]


def _newest(known: Mapping[str, StampedValue], more: Mapping[str, StampedValue]) -> dict[str, StampedValue]:
    newer = {name: value for name, value in more.items() if name not in known or value.at_ms > known[name].at_ms}
    return {**known, **newer}
