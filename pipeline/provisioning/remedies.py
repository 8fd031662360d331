"""What the owner of an integration file can do about a refusal, by its reason (`connectors/contract/errors.py`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pipeline.integration_file.problems import Positions, Problem
from schemas.values import System


@dataclass(frozen=True, slots=True)
class Remedy:
    """Where in the file it is, what is wrong, and what to do."""

    path: str
    message: str
    fix: str


_URL_FIX: Final = "check HUBSPOT_API_URL and USERFLOW_API_URL where the connectors run"
_GRANT_FIX: Final = "run `pairstream connect`, or give a new refresh token and apply"
_TOKEN: Final = Remedy("hubspot.token", "HubSpot does not accept the credentials", "give a token that is in force")
_GRANT: Final = Remedy("hubspot.oauth", "HubSpot does not accept the refresh token", _GRANT_FIX)
_KEY: Final = Remedy("userflow.api_key", "Userflow does not accept the key", "give a key of this environment")

REMEDIES: Final[Mapping[System, Mapping[str, Remedy]]] = {
    "hubspot": {
        "unauthorized": _TOKEN,
        "no_token": _TOKEN,
        "grant_rejected": _GRANT,
        "not_granted": Remedy("hubspot.oauth", "nobody has granted access yet", "run `pairstream connect`"),
        "oauth_app_rejected": Remedy(
            "hubspot.oauth", "HubSpot does not accept the app's id and secret", "check client_id and client_secret"
        ),
        "wrong_account": Remedy(
            "hubspot.account", "the credentials are of another account", "give its number, or credentials of this one"
        ),
        "missing_scopes": Remedy(
            "hubspot",
            "the credentials lack scopes",
            "give the app those that `pairstream hubspot-project` writes for this file; with oauth, run "
            "`pairstream connect`, whose link asks for them, then apply again",
        ),
        "journal_refused": Remedy(
            "hubspot.oauth",
            "HubSpot gives this app no token for its journal",
            "let the app have developer.webhooks_journal.read, .subscriptions.read and .write, or write `source: poll`",
        ),
        "journal_needs_oauth": Remedy(
            "hubspot.oauth", "only an OAuth app can read the journal", "connect by oauth, or write `source: poll`"
        ),
        "journal_file_not_public": Remedy(
            "hubspot.source",
            "the journal's files lie at an address that is not of the public internet",
            "look at what stands between the connectors and HubSpot, or write `source: poll`",
        ),
        "forbidden": Remedy("hubspot", "the credentials may not do this", "grant what the mappings need"),
        "too_many_properties": Remedy(
            "mappings", "HubSpot has no room for more properties", "archive some there, or map fewer attributes"
        ),
    },
    "userflow": {
        "unauthorized": _KEY,
        "forbidden": _KEY,
        "environment_already_claimed": Remedy(
            "userflow.api_key",
            "the webhook subscription of another integration is in this environment",
            "disconnect that one where it runs, or delete its subscription in Userflow",
        ),
        "webhook_secret_not_told": Remedy(
            "userflow.api_key", "Userflow did not tell the secret of a new subscription", "apply again"
        ),
    },
}
EITHER: Final[Mapping[str, tuple[str, str]]] = {
    "not_this_api": ("what answers is not this system's API", _URL_FIX),
    "bad_address": ("the API's address is none", _URL_FIX),
    "not_ascii": (
        "a secret holds a character that no request can carry, such as a curved quotation mark",
        "copy it again without what stands around it",
    ),
    "wait_capped": (
        "it works, and asks for a longer wait than PAIRSTREAM_LONGEST_WAIT_S; calls wait so long",
        "ask the system's owner about the account's limits, or look whether a proxy answers in its place",
    ),
    "redirected": ("the API's address leads elsewhere", _URL_FIX),
    "pairstream_secret_key_does_not_open_it": (
        "PAIRSTREAM_SECRET_KEY does not open its secrets",
        "set the key they were sealed with, or apply again",
    ),
}


_LEFT: Final[Mapping[System, str]] = {
    "hubspot": "uninstall the app in HubSpot (Settings, Integrations, Connected apps) if it is to have access no more",
    "userflow": "delete its webhook subscription in Userflow's settings; connecting again deletes it too",
}


def withdrawal(system: System, outcome: str | None) -> str:
    """A sentence on what withdrawing from a system came to (`ConnectorState.withdrawn`); None: nothing is told yet."""
    if outcome == "done":
        return f"{system}: withdrawn"
    why = "its connector has not answered" if outcome is None else outcome
    return f"{system}: something may be left there ({why}). Fix: {_LEFT[system]}"


def remedy(system: System, reason: str) -> Remedy | None:
    """The remedy for a reason; None for one without an entry."""
    if reason in EITHER:
        return Remedy(system, *EITHER[reason])
    return REMEDIES[system].get(reason)


def problem(positions: Positions, system: System, reason: str) -> Problem:
    """A vendor's refusal at its line of the file. A refused token stands at `hubspot.oauth` where OAuth is used."""
    advice = remedy(system, reason) or Remedy(system, f"{system} refuses: {reason}", "see the connector's log")
    path = advice.path
    if path == "hubspot.token" and path not in positions.places:
        path = "hubspot.oauth"
    return positions.problem(path, f"{advice.message} ({reason})", advice.fix)
