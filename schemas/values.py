"""The values a field can hold and the neutral words for a field's type."""

import datetime as dt
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

FieldValue: TypeAlias = bool | int | float | str | dt.datetime | dt.date | tuple[str, ...] | None
"""None: the system says "no value". A datetime is an instant in UTC with millisecond precision."""

FieldType = Literal["string", "number", "boolean", "date", "datetime", "enumeration", "multi_select", "list"]
"""`enumeration` takes one of its options, `multi_select` several. `list` takes any strings."""

System = Literal["hubspot", "userflow"]
SYSTEMS: Final[tuple[System, ...]] = get_args(System)


@dataclass(frozen=True, slots=True)
class FieldDefinition:
    """What a system says of one field: `options` are the stored values an enumeration or multi-select accepts."""

    name: str
    type: FieldType
    label: str = ""
    options: tuple[str, ...] = ()
    read_only: bool = False
    unique: bool = False
    archived: bool = False
    unreadable: bool = False
    external: bool = False


def millis(moment: dt.datetime) -> int:
    """Milliseconds since 1970 in UTC."""
    return int((moment - _EPOCH) / _MILLISECOND)


def instant(epoch_ms: int) -> dt.datetime:
    """The UTC datetime of a number of milliseconds since 1970."""
    return _EPOCH + dt.timedelta(milliseconds=epoch_ms)


_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MILLISECOND = dt.timedelta(milliseconds=1)
