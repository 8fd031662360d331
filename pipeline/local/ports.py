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
    """A port nobody listens on, and that no other call gives away for a minute; raises OSError if none was found.

    Two installations that start at the same time would otherwise choose the same one now and then.
    """
    for _ in range(_TRIES):
        port = random.randint(_FIRST, _LAST)
        if _reserve(port):
            return port
    raise OSError(f"no free port found between {_FIRST} and {_LAST}")


def _reserve(port: int) -> bool:
    """Leave the port to a server, and to nobody who only looks for one; False if it is taken or reserved.

    A connection closed first at the server's end leaves its port in TIME_WAIT for a minute. Servers may listen there,
    for they set SO_REUSEADDR, and so did this connection's listener; `bind` without it, as here, is refused.
    """
    with socket.socket() as listener:
        try:
            listener.bind((LOOPBACK, port))
        except OSError:
            return False
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.listen()
        with socket.create_connection((LOOPBACK, port)):
            accepted, _ = listener.accept()
            accepted.close()
    return True
