"""Objects whose partners were erased: patches derived before hold the partner's values, and are not written."""

from typing import Final

from schemas.records import FieldPatch

REMEMBERED: Final = 10_000

Target = tuple[str, str, str]
"""Mapping, object type and id."""


class ErasedTargets:
    """The newest of them, each with the time of the erasure by our clock; patches before older ones were handled."""

    def __init__(self) -> None:
        self._at_ms: dict[Target, int] = {}

    def note(self, target: Target, at_ms: int) -> None:
        self._at_ms.pop(target, None)
        self._at_ms[target] = at_ms
        if len(self._at_ms) > REMEMBERED:
            del self._at_ms[next(iter(self._at_ms))]

    def covers(self, patch: FieldPatch) -> bool:
        """Whether what the patch follows from came before the erasure."""
        at_ms = self._at_ms.get((patch.mapping, patch.object_type, patch.object_id))
        if at_ms is None:
            return False
        return patch.caused_by is None or patch.caused_by.at_ms <= at_ms
