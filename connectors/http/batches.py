"""Finding the bad part of a refused batch by sending ever smaller ones."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")


def halves(batch: Sequence[T]) -> list[tuple[T, ...]]:
    """Both halves of a batch; nothing of one that cannot be halved."""
    middle = len(batch) // 2
    return [tuple(batch[:middle]), tuple(batch[middle:])] if middle else []


def filled(*batches: Iterable[T]) -> list[tuple[T, ...]]:
    """Those batches that hold something."""
    return [batch for batch in map(tuple, batches) if batch]
