"""Three Kafka brokers on this machine, replicated as in production: for tests that kill one and move leaders."""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.local.broker import BrokerSettings, LocalBroker
from pipeline.local.ports import LOOPBACK, free_port

BROKERS = 3
REPLICATED = {
    "default.replication.factor": "3",
    "min.insync.replicas": "2",
    "unclean.leader.election.enable": "false",
    # leaders that moved away from a killed broker move back to it soon after it is there again
    "leader.imbalance.check.interval.seconds": "5",
    "leader.imbalance.per.broker.percentage": "0",
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
    "share.coordinator.state.topic.replication.factor": "3",
    "share.coordinator.state.topic.min.isr": "2",
}


@dataclass(frozen=True)
class Brokers:
    """A running cluster; each broker may be killed and started again."""

    members: Sequence[LocalBroker]

    @property
    def bootstrap_servers(self) -> str:
        return ",".join(broker.bootstrap_servers for broker in self.members)


@contextmanager
def three_brokers(folder: Path) -> Iterator[Brokers]:
    """Replication 3, two replicas in sync needed, no unclean elections. They wait for each other, so start together."""
    ports = [(free_port(), free_port()) for _ in range(BROKERS)]
    voters = ",".join(f"{number}@{LOOPBACK}:{controller}" for number, (_, controller) in enumerate(ports, 1))
    members = []
    for number, (broker, controller) in enumerate(ports, 1):
        directory = folder / f"broker-{number}"
        directory.mkdir(parents=True)
        (directory / "ports.json").write_text(json.dumps({"broker": broker, "controller": controller}))
        own = {"node.id": str(number), "controller.quorum.voters": voters}
        members.append(LocalBroker(BrokerSettings(directory, properties=REPLICATED | own)))
    with ExitStack() as stack, ThreadPoolExecutor(BROKERS) as threads:
        for broker_ in members:
            stack.callback(broker_.stop)
        list(threads.map(LocalBroker.start, members))
        yield Brokers(members)
