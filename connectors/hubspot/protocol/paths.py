"""The path of each resource, in the dated and the legacy spelling."""

import re

DEFAULT_VERSION = "2026-03"

OBJECTS = f"/crm/objects/{DEFAULT_VERSION}"
PROPERTIES = f"/crm/properties/{DEFAULT_VERSION}"
SCHEMAS = f"/crm-object-schemas/{DEFAULT_VERSION}/schemas"
ASSOCIATIONS = f"/crm/associations/{DEFAULT_VERSION}"
ACCOUNT = f"/account-info/{DEFAULT_VERSION}/details"
API_URL = "https://api.hubapi.com"
OAUTH = f"/oauth/{DEFAULT_VERSION}/token"
APP_EVENTS = f"/integrators/timeline/{DEFAULT_VERSION}/events"
CUSTOM_EVENTS = f"/events/{DEFAULT_VERSION}/send"
OWNERS = f"/crm/owners/{DEFAULT_VERSION}"
JOURNAL = f"/webhooks-journal/journal-local/{DEFAULT_VERSION}"
JOURNAL_SUBSCRIPTIONS = f"/webhooks-journal/subscriptions/{DEFAULT_VERSION}"
PIPELINES = f"/crm/pipelines/{DEFAULT_VERSION}"
EVENT_DEFINITIONS = f"/events/{DEFAULT_VERSION}/event-definitions"

LEGACY = "v3"
"""The api version that selects the legacy spellings."""

_OF_ONE_RECORD = re.compile(rf"^{OBJECTS}(/[^/]+/[^/]+/associations/)")
_LEGACY_PREFIXES = (
    (OBJECTS, "/crm/v3/objects"),
    (PROPERTIES, "/crm/v3/properties"),
    (SCHEMAS, "/crm-object-schemas/v3/schemas"),
    (ASSOCIATIONS, "/crm/v4/associations"),
    (ACCOUNT, "/account-info/v3/details"),
    (OAUTH, "/oauth/v3/token"),
    (APP_EVENTS, "/integrators/timeline/v4/events"),
    (CUSTOM_EVENTS, "/events/v3/send"),
    (EVENT_DEFINITIONS, "/events/v3/event-definitions"),
    (JOURNAL, "/webhooks-journal/journal-local/v4"),
    (JOURNAL_SUBSCRIPTIONS, "/webhooks-journal/subscriptions/v4"),
    (OWNERS, "/crm/v3/owners"),
    (PIPELINES, "/crm/v3/pipelines"),
)


def spelled(path: str, api_version: str) -> str:
    """The same resource in another version: a date such as `2026-09`, or `v3` for the legacy paths."""
    if api_version == LEGACY:
        return _legacy(path)
    return path.replace(f"/{DEFAULT_VERSION}", f"/{api_version}", 1)


def _legacy(path: str) -> str:
    if _OF_ONE_RECORD.match(path):
        return _OF_ONE_RECORD.sub(r"/crm/v4/objects\1", path)
    for dated, legacy in _LEGACY_PREFIXES:
        if path.startswith(dated):
            return legacy + path.removeprefix(dated)
    return path
