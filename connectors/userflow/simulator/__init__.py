"""Userflow's stand-in for tests and the demo: `UserflowSimulator(UserflowSettings(...)).app`."""

from connectors.userflow.simulator.settings import UserflowSettings
from connectors.userflow.simulator.simulator import UserflowSimulator

__all__ = ["UserflowSettings", "UserflowSimulator"]
