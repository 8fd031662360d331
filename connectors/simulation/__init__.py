"""The parts that both simulators share: the gate with faults and log, webhook delivery, the control API, a server."""

from connectors.simulation.calls import Answer, Call
from connectors.simulation.clock import VendorClock
from connectors.simulation.faults import FaultRule
from connectors.simulation.server import serve
from connectors.simulation.settings import SimulatorSettings
from connectors.simulation.vendor import Edit, Simulator

__all__ = ["Answer", "Call", "Edit", "FaultRule", "Simulator", "SimulatorSettings", "VendorClock", "serve"]
