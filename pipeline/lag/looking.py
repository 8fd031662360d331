"""One look at the whole road."""

from pipeline.lag.judging import Lag, judged
from pipeline.lag.reading import Brokers, taken_by


def look(brokers: Brokers) -> Lag:
    """The road as it is now. Blocks. Raises BrokersUnreachable."""
    rows = brokers.vitals()
    places = brokers.places(taken_by(rows, brokers.now_ms()))
    return judged(places, rows, brokers.now_ms())
