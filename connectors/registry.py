"""The systems that Pairstream speaks to: one line each."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from connectors.contract.account import Account, Opening
from connectors.hubspot.account import open_account as open_hubspot
from connectors.userflow.account import open_account as open_userflow
from schemas.values import System

OPENERS: Final[Mapping[System, Callable[[Opening], Awaitable[Account]]]] = {
    "hubspot": open_hubspot,
    "userflow": open_userflow,
}
