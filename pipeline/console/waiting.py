"""Answers that are asked for, and that whoever asked may not wait for."""

import asyncio
from typing import Any


def heard(answer: "asyncio.Future[Any]") -> None:  # Any: nobody looks at it
    """Who asked may have given up: how it ended is no error of this process. For `add_done_callback`."""
    if not answer.cancelled():
        answer.exception()
