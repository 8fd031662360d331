"""HubSpot's stand-in for tests and the demo: `HubSpotSimulator(HubSpotSettings(...)).app`."""

from connectors.hubspot.simulator.settings import HubSpotSettings
from connectors.hubspot.simulator.simulator import HubSpotSimulator

__all__ = ["HubSpotSettings", "HubSpotSimulator"]
