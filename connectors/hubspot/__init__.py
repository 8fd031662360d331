"""The HubSpot connector: the only folder that knows HubSpot."""

from connectors.hubspot.account import open_account

__all__ = ["open_account"]
