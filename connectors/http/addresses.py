"""What an address says of where a request goes, before any is sent."""

import ipaddress
from urllib.parse import urlsplit


def is_address(url: str) -> bool:
    """Whether a request can be sent there: to a host, by HTTP, to a port that there is."""
    if any(letter <= " " or letter == "\x7f" for letter in url):  # which urlsplit leaves out, or takes for a host's
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def is_loopback(url: str) -> bool:
    """Whether an address is of this machine."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
