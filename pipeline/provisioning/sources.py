"""How an integration hears of edits in each system: what that needs, and how late it is."""

from typing import Final

from pipeline.integration_file.model import IntegrationFile

_HUBSPOT: Final = {
    "webhooks": "HubSpot sends webhooks to PAIRSTREAM_PUBLIC_URL, within seconds",
    "journal": (
        "HubSpot's journal is read every PAIRSTREAM_JOURNAL_INTERVAL_S; no public URL is needed. "
        "Nobody reading it for three days ends in a full sync"
    ),
    "poll": (
        "HubSpot is searched every PAIRSTREAM_POLL_INTERVAL_S; no public URL is needed. A change is found once its "
        "search shows it, deletions and changed associations by slower reads, a privacy deletion by the daily full sync"
    ),
}
_USERFLOW: Final = {
    "webhooks": "Userflow sends webhooks to PAIRSTREAM_PUBLIC_URL, within seconds",
    "poll": (
        "Userflow's users are read again every PAIRSTREAM_POLL_SEEN_INTERVAL_S after they were active, all others at "
        "PAIRSTREAM_PATROL_OBJECTS_PER_S; no public URL is needed. Events do not reach timelines"
    ),
}


def heard(file: IntegrationFile) -> tuple[str, str]:
    """A sentence for HubSpot and one for Userflow."""
    return _HUBSPOT[file.hubspot.source], _USERFLOW[file.userflow.source]


def is_asked(file: IntegrationFile) -> bool:
    """Whether a system is asked for its news, instead of sending webhooks."""
    return file.hubspot.source != "webhooks" or file.userflow.source != "webhooks"
