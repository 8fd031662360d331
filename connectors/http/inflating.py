"""Unpacks an answer's body in small pieces, so that its reader can stop: 2.5 KB may hold 4 GB."""

import zlib
from collections.abc import Iterator
from typing import Final, Protocol

PIECE_BYTES: Final = 262_144
_GZIP: Final = 16 + zlib.MAX_WBITS


class Inflater(Protocol):
    """The way back from one coding."""

    @property
    def ended(self) -> bool:
        """Whether nothing is missing of what was packed."""
        ...

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """What a chunk unpacks to, at most PIECE_BYTES at a time. Raises BrokenPacking."""
        ...


class BrokenPacking(Exception):
    """The bytes are not of the coding that the answer names."""


def inflater_for(coding: str) -> Inflater | None:
    """None for a coding, or several, that nobody asked for."""
    match coding.strip().lower():
        case "" | "identity":
            return Plain()
        case "gzip" | "x-gzip":
            return Gzip()
        case _:
            return None


class Plain:
    """Nothing was packed."""

    ended = True

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        yield chunk


class Gzip:
    """One gzip stream; what follows it counts as nothing."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(_GZIP)
        self._begun = False

    @property
    def ended(self) -> bool:
        return self._stream.eof or not self._begun

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        self._begun = self._begun or bool(chunk)
        full = True
        while (chunk or full) and not self._stream.eof:
            try:
                piece = self._stream.decompress(chunk, PIECE_BYTES)
            except zlib.error as error:
                raise BrokenPacking(str(error)) from error
            chunk, full = self._stream.unconsumed_tail, len(piece) == PIECE_BYTES
            yield piece
