"""A dataclass whose objects are made by compiled code, for those that are made several times a change.

The `__init__` of a frozen dataclass sets each field through `object.__setattr__`: a quarter of both agents' time was
spent there.
"""

from typing import TypeVar

T = TypeVar("T")

try:
    from schemas.compiled import init_of

    def made_quickly(cls: type[T]) -> type[T]:
        """The class itself, above `@dataclass(frozen=True, slots=True)`."""
        setattr(cls, "__init__", init_of(cls))  # noqa: B010 - no type checker lets it be assigned
        return cls
except ImportError:  # nothing was compiled

    def made_quickly(cls: type[T]) -> type[T]:
        return cls


__all__ = ["made_quickly"]
