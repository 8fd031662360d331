"""A broker that dies by itself is started again, however often; one that was ended on purpose is not."""

import threading
from dataclasses import dataclass, field

from pipeline.local.broker_restart import BrokerRestart
from pipeline.local.errors import StartFailed
from pipeline.local.restarts import RestartPolicy

AT_ONCE = RestartPolicy(first_wait_s=0.0, longest_wait_s=0.0)
DEADLINE_S = 10.0


@dataclass
class Broker:
    """Dies once, and fails to start as often as it is told."""

    died: bool = True
    failures: int = 0
    starts: int = 0
    alive: threading.Event = field(default_factory=threading.Event)

    def kill(self) -> None:
        """What is left of it is cleared away."""

    def start(self) -> None:
        self.starts += 1
        self.died = False  # what failed to start is no process that ended
        if self.failures > 0:
            self.failures -= 1
            raise StartFailed("no space left")
        self.alive.set()


def test_a_broker_that_died_is_started_again_until_it_works() -> None:
    broker, notes = Broker(failures=1), list[str]()
    with BrokerRestart(broker, notes.append, policy=AT_ONCE):
        assert broker.alive.wait(DEADLINE_S)
    assert broker.starts == 2
    assert notes == [
        "the local broker ended; restart 1 in 0 s",
        "the local broker: no space left",
        "the local broker ended; restart 2 in 0 s",
    ]


def test_one_that_lives_is_left_alone_and_the_end_is_not_waited_for() -> None:
    broker = Broker(died=False)
    with BrokerRestart(broker, lambda _: None):
        pass
    assert broker.starts == 0
