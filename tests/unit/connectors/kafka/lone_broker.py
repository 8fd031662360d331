"""A broker that answers who is in the cluster, and nothing else: itself, or nobody, as one that is fenced does."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

PRODUCE, METADATA, FIND_COORDINATOR, API_VERSIONS, INIT_PRODUCER_ID = 0, 3, 10, 18, 22
ANSWERED = ((METADATA, 0, 4), (FIND_COORDINATOR, 0, 0), (API_VERSIONS, 0, 3), (INIT_PRODUCER_ID, 0, 0))
NAMED = (*ANSWERED, (PRODUCE, 3, 7), (1, 4, 11))  # to produce and to fetch: idempotent producers want them to be there
COORDINATOR_NOT_AVAILABLE = 15
LEADER_NOT_AVAILABLE = 5
TOPIC = "hubspot.changes"


class LoneBroker:
    """The only broker of its cluster, with one topic of one partition."""

    def __init__(self, server: socket.socket) -> None:
        self._server = server
        self.port = server.getsockname()[1]
        self.fenced = False
        self.told_of_nobody = threading.Event()
        self.joining = threading.Event()  # a member asked where its group is
        self.produced = b""  # the requests to produce, as they came
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):  # the test is over
            while True:
                connection, _ = self._server.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError, struct.error):  # the client went away
            requests = connection.makefile("rb")
            while True:
                answer = self._answer(requests)
                if answer:
                    connection.sendall(struct.pack(">i", len(answer)) + answer)

    def _answer(self, requests: BinaryIO) -> bytes:
        """Nothing for what is produced: it stays on its way."""
        request = requests.read(*struct.unpack(">i", requests.read(4)))
        key, _, correlation = struct.unpack(">hhi", request[:8])
        if key == PRODUCE:
            self.produced += request
        bodies = {
            API_VERSIONS: _versions,
            METADATA: self._metadata,
            FIND_COORDINATOR: self._no_coordinator,
            INIT_PRODUCER_ID: _producer_id,
        }
        return struct.pack(">i", correlation) + bodies[key]() if key in bodies else b""

    def _no_coordinator(self) -> bytes:
        self.joining.set()
        return struct.pack(">hi", COORDINATOR_NOT_AVAILABLE, -1) + _text("") + struct.pack(">i", -1)

    def _metadata(self) -> bytes:
        if self.fenced:
            self.told_of_nobody.set()
            brokers, leader, error = struct.pack(">i", 0), -1, LEADER_NOT_AVAILABLE
        else:
            brokers, leader, error = struct.pack(">ii", 1, 1) + _text("127.0.0.1"), 1, 0
            brokers += struct.pack(">ih", self.port, -1)
        topic = struct.pack(">ih", 1, error) + _text(TOPIC) + struct.pack(">?i", False, 1)
        partition = struct.pack(">hiiiiii", error, 0, leader, 1, 1, 1, 1)
        return struct.pack(">i", 0) + brokers + _text("cluster") + struct.pack(">i", leader) + topic + partition


def _versions() -> bytes:
    listed = b"".join(struct.pack(">hhhB", *each, 0) for each in NAMED)
    return struct.pack(">hB", 0, len(NAMED) + 1) + listed + struct.pack(">iB", 0, 0)


def _producer_id() -> bytes:
    return struct.pack(">ihqh", 0, 0, 1, 0)


def _text(text: str) -> bytes:
    return struct.pack(">h", len(text)) + text.encode()


@contextmanager
def lone_broker() -> Iterator[tuple[LoneBroker, dict[str, str]]]:
    """The broker, and the properties of clients that forget it for good once it names nobody: always, not by a race."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        broker = LoneBroker(server)
        servers = f"127.0.0.1:{broker.port}"
        yield broker, {"bootstrap.servers": servers, "metadata.recovery.strategy": "none", "log_level": "0"}
