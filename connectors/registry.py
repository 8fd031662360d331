"""The systems that Pairstream speaks to: one line each."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

import connectors.hubspot.account as hubspot
import connectors.userflow.account as userflow
from connectors.contract.account import Account, Opening
from connectors.contract.traits import SystemTraits
from schemas.values import System


@dataclass(frozen=True, slots=True)
class RegisteredSystem:
    """A system's traits, and how an account of it is opened."""

    traits: SystemTraits
    open_account: Callable[[Opening], Awaitable[Account]]


SYSTEMS: Final[Mapping[System, RegisteredSystem]] = {
    "hubspot": RegisteredSystem(hubspot.TRAITS, hubspot.open_account),
    "userflow": RegisteredSystem(userflow.TRAITS, userflow.open_account),
}
