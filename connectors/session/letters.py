"""Publishes dead letters: a letter that no message holds is sent without the value it repeats."""

from collections.abc import Awaitable, Callable
from typing import Any

from schemas.codec import Unencodable
from schemas.letters import without_value
from schemas.records import DeadLetter
from schemas.topics import DEAD_LETTERS

Publish = Callable[[str, str, Any], Awaitable[tuple[int, int]]]
"""(topic, key, record) -> partition and offset, once the brokers have the record."""


async def publish_letter(publish: Publish, letter: DeadLetter) -> None:
    """Publish the letter; returns once the brokers have it."""
    try:
        await publish(DEAD_LETTERS, letter.key, letter)
    except Unencodable:
        short = without_value(letter)
        await publish(DEAD_LETTERS, short.key, short)
