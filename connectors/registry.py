"""The systems that Pairstream speaks to: one line each."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from connectors import hubspot, userflow
from connectors.base import Account, Opening
from schemas.values import System

OPENERS: Final[Mapping[System, Callable[[Opening], Awaitable[Account]]]] = {
    "hubspot": hubspot.open_account,
    "userflow": userflow.open_account,
}
