"""Texts of strangers as a terminal may see them: what it would take for a command is spelled out."""

import io
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, Final, TextIO

_UNPRINTABLE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but tab and line feed
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # the direction of writing, which hides what stands there
    "\u2028\u2029]"  # line breaks that are not seen as such
)


def printable(text: str) -> str:
    """The same text with every such character as `\\x1b` or `\\u202e`. JSON stays JSON: it has none below a space."""
    return _UNPRINTABLE.sub(_spelled, text)


def _spelled(found: re.Match[str]) -> str:
    below_a_space = found[0] < " "
    return found[0].encode("unicode_escape").decode("ascii") if below_a_space else f"\\u{ord(found[0]):04x}"


class OutputFailed(OSError):
    """An output of this process takes no more: its disk is full, or its device fails."""

    def __init__(self, error: OSError, number: int) -> None:
        """`number`: its file descriptor."""
        super().__init__(error.errno, error.strerror)
        self.number = number


@contextmanager
def writing(stream: IO[Any]) -> Iterator[None]:
    """What fails within failed at this output. A reader that has seen enough is no failure.

    Raises OutputFailed.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputFailed(error, stream.fileno()) from error


class SharingStream(io.TextIOWrapper):
    """A text stream over the bytes of another. Raises OutputFailed where they cannot be written."""

    def write(self, text: str) -> int:
        with writing(self):
            return super().write(text)

    def flush(self) -> None:
        with writing(self):
            super().flush()

    def close(self) -> None:
        """Flush only: the bytes beneath are those of the stream that was there before, and threads may log yet."""
        if not self.buffer.closed:
            self.flush()


class PrintableStream(SharingStream):
    """A text stream that writes what is printable only."""

    def write(self, text: str) -> int:
        super().write(printable(text))
        return len(text)


def drawing(stream: TextIO) -> TextIO:
    """The same output for what moves the cursor: what is drawn there has to be printable already."""
    if not isinstance(stream, PrintableStream):
        return stream
    return SharingStream(stream.buffer, encoding=stream.encoding, errors="backslashreplace", write_through=True)


@contextmanager
def printable_output() -> Iterator[None]:
    """Standard output and error write what is printable only, for as long as the block lasts."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _wrapped(before[0]), _wrapped(before[1])
    try:
        yield
    finally:
        wrapped, (sys.stdout, sys.stderr) = (sys.stdout, sys.stderr), before
        for stream in wrapped:
            if isinstance(stream, PrintableStream):
                stream.flush()


def _wrapped(stream: TextIO) -> TextIO:
    """The stream itself where it has no bytes beneath, as a test's may have none."""
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    stream.flush()
    return PrintableStream(
        stream.buffer,
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=True,
        write_through=True,
    )
