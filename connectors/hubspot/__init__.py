"""HubSpot: everything Pairstream knows of it."""

from connectors.hubspot.account import open_account

__all__ = ["open_account"]
