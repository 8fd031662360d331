"""The size limits of one request, and the rate headers of an answer."""

from connectors.http.lenient_json import as_whole
from connectors.http.messages import Headers, RateNotice

BATCH_LIMIT = 100  # records of one batch read or batch update
LIST_LIMIT = 100  # records of one page of a list
SEARCH_LIMIT = 200  # records of one page of a search
SEARCH_BODY_LIMIT = 3_000  # characters of a search's body
ASSOCIATIONS_READ_LIMIT = 1_000  # records of one batch read of associations
ASSOCIATIONS_PAGE_LIMIT = 500  # associations of one page
QUERY_LIMIT = 4_000  # characters of properties in an address: some proxies take 8 KB for a whole one, some count twice
EVENT_BATCH_LIMIT = 500  # events of one batch

DEFAULT_INTERVAL_MS = 10_000


def rate_notice(headers: Headers) -> RateNotice | None:
    """The app's burst limit in this account, None without usable headers; answers to searches have none."""
    limit = as_whole(headers.get("x-hubspot-ratelimit-max"))
    remaining = as_whole(headers.get("x-hubspot-ratelimit-remaining"))
    interval_ms = as_whole(headers.get("x-hubspot-ratelimit-interval-milliseconds")) or DEFAULT_INTERVAL_MS
    if limit is None or limit <= 0 or remaining is None or interval_ms <= 0:
        return None
    day_limit = as_whole(headers.get("x-hubspot-ratelimit-daily"))
    day_remaining = as_whole(headers.get("x-hubspot-ratelimit-daily-remaining"))
    if day_limit is None or day_remaining is None:  # answers to an OAuth app have none
        return RateNotice(limit, max(0, remaining), interval_ms / 1000)
    return RateNotice(limit, max(0, remaining), interval_ms / 1000, day_limit, max(0, day_remaining))
