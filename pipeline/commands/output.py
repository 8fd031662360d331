"""What a command answers: lines that are safe for a terminal, or an object for a script."""

import json
from collections.abc import Mapping
from typing import Any

import click

from pipeline.observability.printable import writing
from pipeline.visible import visible_lines


def say(*lines: str) -> None:
    """Each line, its control characters written out."""
    for line in lines:
        click.echo(visible_lines(line))


def say_object(told: Mapping[str, Any]) -> None:  # Any: JSON
    """The object on one line, with letters of every script as they are."""
    click.echo(json.dumps(told, ensure_ascii=False))


def say_bytes(content: bytes) -> None:
    """Bytes of a record as they are, for a pipe or a file. Raises OutputFailed."""
    output = click.get_binary_stream("stdout")
    with writing(output):
        output.write(content)
        output.flush()
