"""Whether anybody listens where the brokers should: known in seconds, where Kafka's client would ask on for fifteen.

A broker that is there and slow takes the connection, for its machine does: it is waited for as ever.
"""

import queue
import socket
import threading
import time
from typing import Final

from connectors.kafka.cluster import Cluster
from connectors.kafka.groups import BrokersUnreachable

REACHED_WITHIN_S: Final = 3.0
"""Long enough for a lost packet to be sent again, and for a broker that comes back."""
AGAIN_S: Final = 0.1


def check_reached(cluster: Cluster, within_s: float = REACHED_WITHIN_S) -> None:
    """Raises BrokersUnreachable where no bootstrap server takes a connection within that time. Blocks."""
    servers = cluster.client["bootstrap.servers"].split(",")
    deadline = time.monotonic() + within_s
    ends: queue.SimpleQueue[tuple[str, str | None]] = queue.SimpleQueue()
    for server in servers:  # a resolver may hang for longer than anybody waits: its thread is left behind
        threading.Thread(target=_try, args=(server, deadline, ends), name=f"reach {server}", daemon=True).start()
    why = dict.fromkeys(servers, f"no answer within {within_s:g} s")
    for _ in servers:
        try:
            server, refused = ends.get(timeout=max(deadline - time.monotonic(), 0) + AGAIN_S)
        except queue.Empty:
            break
        if refused is None:
            return
        why[server] = refused
    told = ", ".join(f"{server} ({reason})" for server, reason in why.items())
    raise BrokersUnreachable(
        f"no broker at {told}. Fix: set KAFKA_BOOTSTRAP_SERVERS to where they listen, or start one with "
        "`pairstream up` or `docker compose up`."
    )


def _try(server: str, deadline: float, ends: "queue.SimpleQueue[tuple[str, str | None]]") -> None:
    """Connect again and again until it succeeds or the time is over."""
    host, _, port = server.rpartition(":")
    while True:
        try:
            socket.create_connection((host.strip("[]"), int(port)), max(deadline - time.monotonic(), AGAIN_S)).close()
        except OSError as error:
            if time.monotonic() + AGAIN_S >= deadline:
                ends.put((server, (error.strerror or str(error)).lower()))
                return
        else:
            ends.put((server, None))
            return
        time.sleep(AGAIN_S)
