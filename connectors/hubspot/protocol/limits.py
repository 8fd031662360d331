"""What HubSpot's rate headers say; search answers carry none."""

from connectors.http.lenient_json import as_whole
from connectors.http.messages import Headers, RateNotice

DEFAULT_INTERVAL_MS = 10_000


def rate_notice(headers: Headers) -> RateNotice | None:
    """The burst limit of the app in this account, None without usable headers."""
    limit = as_whole(headers.get("x-hubspot-ratelimit-max"))
    remaining = as_whole(headers.get("x-hubspot-ratelimit-remaining"))
    interval_ms = as_whole(headers.get("x-hubspot-ratelimit-interval-milliseconds")) or DEFAULT_INTERVAL_MS
    if limit is None or limit <= 0 or remaining is None or interval_ms <= 0:
        return None
    return RateNotice(limit, max(0, remaining), interval_ms / 1000)
