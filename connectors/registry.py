"""The systems that Pairstream speaks to: one line each."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

import connectors.hubspot.account as hubspot
import connectors.hubspot.consent as hubspot_consent
import connectors.userflow.account as userflow
from connectors.contract.account import Account, Exchange, Opening
from connectors.contract.traits import SystemTraits
from schemas.values import System


@dataclass(frozen=True, slots=True)
class RegisteredSystem:
    """A system's traits, how an account of it is opened, and how access is granted in a browser, where it can be."""

    traits: SystemTraits
    open_account: Callable[[Opening], Awaitable[Account]]
    exchange_code: Exchange | None = None


SYSTEMS: Final[Mapping[System, RegisteredSystem]] = {
    "hubspot": RegisteredSystem(hubspot.TRAITS, hubspot.open_account, hubspot_consent.exchange_code),
    "userflow": RegisteredSystem(userflow.TRAITS, userflow.open_account),
}
