"""Free TCP ports on the loopback address."""

import errno
import random
import socket

LOOPBACK = "127.0.0.1"

# Below the range from which Linux (32768+) and macOS (49152+) take the source ports of outgoing connections: a client
# that reconnects in a loop could otherwise be given the stopped server's own port and keep it.
_FIRST, _LAST = 20_000, 32_000
_TRIES = 200


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """True if a server could listen on `port` now. Raises OSError for a host that is none of this machine's."""
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
            probe.listen()
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise
            return False
    return True


def free_port() -> int:
    """A port nobody listens on; raises OSError if none was found."""
    for _ in range(_TRIES):
        port = random.randint(_FIRST, _LAST)
        if is_free(port):
            return port
    raise OSError(f"no free port found between {_FIRST} and {_LAST}")
