"""Every stable reason code that dead letters, receipts and connectors carry, each with a sentence.

A vendor's own code that is not listed goes on in lower case, an answer without a code as `http_<status>`.
Codes of conversion stand with their table in `pipeline/core/conversion.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

ReasonKind = Literal["value", "request", "connection", "link", "passing", "record", "incident"]

KINDS: Final[Mapping[ReasonKind, str]] = {
    "value": "The system refuses a value or an event: dead letter; the other fields go on.",
    "request": "The system, or its connector, refuses a whole request: dead letter, or the request is let go.",
    "connection": "Somebody has to act before the system can be worked with: patches are parked, `doctor` says so.",
    "link": "A link of `pairstream connect` ended without a grant; nothing was changed.",
    "passing": "Nothing was done this time: tried again, then `unavailable` until the system answers.",
    "record": "A record of a topic could not be handled: dead letter; the rest goes on.",
    "incident": "Something that must never happen was seen: dead letter and an error in the log.",
}


@dataclass(frozen=True, slots=True)
class Reason:
    """What a code says, and what follows from its kind."""

    kind: ReasonKind
    sentence: str


def _of(kind: ReasonKind, sentences: Mapping[str, str]) -> dict[str, Reason]:
    return {code: Reason(kind, sentence) for code, sentence in sentences.items()}


REASONS: Final[Mapping[str, Reason]] = {
    **_of(
        "value",
        {
            "unknown_field": "the target has no field of this name",
            "read_only_field": "HubSpot lets nobody write this property",
            "read_only": "Userflow sets this attribute itself",
            "invalid_option": "the value is none of the property's options",
            "invalid_value": "HubSpot does not accept this value for this property",
            "missing_required_field": "the record would lack a property that HubSpot requires",
            "not_unique": "another record holds this value, and the property is unique",
            "contested": "somebody else rewrote the field three times in ten minutes; the next full sync tries again",
            "not_taken": "the target answered with the value that was there before; the next full sync tries again",
            "not_finite": "infinity or not-a-number, which neither system stores",
            "unknown_event_type": "HubSpot has no such event type: `apply` the file, or upload the project again",
            "unknown_result": "the answer to a custom event was lost; sending again could show it twice",
        },
    ),
    **_of(
        "request",
        {
            "missing": "the object is not there",
            "already_exists": "an object with this identity exists",
            "invalid_id": "an empty id, `.` or `..`, which a server would read as another path",
            "invalid_request": "HubSpot refuses the request and blames no property",
            "search_too_long": "the search is longer than HubSpot takes",
            "no_such_filter": "Userflow finds objects by id, and users by email; nothing else",
            "unknown_object_type": "Userflow has users and companies only",
            "cursor_gone": "the object that a Userflow list goes on after is gone: the list starts again, three times",
            "cursor_lapsed": "the place where an interrupted crawl stood is not known any more: the type is read anew",
            "failed_alone": "a write failed sixty times in a row while others of its batch succeeded",
            "other_object": "a read answers with another object than was asked for, and no merge explains it",
            "paging_page_empty": "a page of a list holds nothing, and others are said to follow: its crawl ends",
            "paging_page_repeated": "a list shows a page that it showed before: its crawl ends",
            "paging_cursor_repeated": "a list names a cursor that it named before: its crawl ends",
            "paging_without_end": "a list of definitions goes on behind 500 pages: it is read again later",
            "paging_no_progress": "a search leads back to where it was asked: polling tries it again later",
            "malformed_journal": "a file of HubSpot's journal is not what the vendor documents",
            "unknown_coding": "the answer is compressed twice, or in a way that the connector does not unpack",
            "answer_too_large": "the answer is larger than the connector reads",
            "malformed_notification": "the body of a webhook is not what the vendor documents",
        },
    ),
    **_of(
        "connection",
        {
            "unauthorized": "the system does not accept the token or key",
            "no_token": "the token was refused, and there is no other",
            "grant_rejected": "HubSpot does not accept the refresh token",
            "not_granted": "nobody has granted access yet, and the file has no refresh token",
            "oauth_app_rejected": "HubSpot does not accept the app's id and secret",
            "no_credentials": "neither a token nor an OAuth app was given",
            "api_key_missing": "no Userflow key was given",
            "unknown_region": "the region is neither `us` nor `eu`",
            "wrong_account": "the credentials are of another HubSpot account",
            "missing_scopes": "the credentials lack scopes that a mapping needs",
            "forbidden": "the credentials may not do this",
            "journal_refused": "HubSpot gives the app no token for its journal",
            "journal_needs_oauth": "the journal is to be read, and no OAuth app was given",
            "journal_file_not_public": "a file of the journal lies at an address that is not of the public internet",
            "too_many_properties": "HubSpot has no room for more properties on the object type",
            "environment_already_claimed": "another receiver's webhook subscription is in this Userflow environment",
            "webhook_secret_not_told": "Userflow did not tell the secret of a new webhook subscription",
            "not_this_api": "the address answers, but it is not this system's API",
            "bad_address": "the API's address is none",
            "not_ascii": "a token or key holds a character outside ASCII, which no header can carry",
            "redirected": "the API's address leads elsewhere; redirects are not followed",
            "pairstream_secret_key_does_not_open_it": "no key of PAIRSTREAM_SECRET_KEY opens the sealed credentials",
        },
    ),
    **_of(
        "link",
        {
            "declined": "access was declined on HubSpot's page",
            "consent_failed": "HubSpot's page ended with an error instead of a code",
            "other_browser": "what came back came from another browser than the one that opened the link",
            "code_rejected": "HubSpot does not accept the code: it is too old, or was used already",
            "unavailable": "HubSpot did not answer when the code was to be exchanged",
            "disconnected": "the integration was disconnected before the grant was kept",
        },
    ),
    **_of(
        "passing",
        {
            "rate_limited": "the system takes no more requests for now",
            "wait_capped": "the system asks for a longer wait than PAIRSTREAM_LONGEST_WAIT_S, which is kept",
            "timed_out": "no answer came in time",
            "not_open": "no connector worked with the system when its integration was disconnected",
            "connection_lost": "the connection broke before the answer was there",
            "not_connected": "no connection could be made",
            "unreadable_answer": "a successful answer that is not what the API documents, as a broken proxy sends",
            "not_owned": "this process may not own the integration any more, and renews no token of it",
            "configuration_unread": "the brokers did not let the newest configuration be read",
            "undated_answer": "the answer has no usable `Date` and the record no modified time",
        },
    ),
    **_of(
        "record",
        {
            "undecodable": "the bytes are no record of this topic",
            "untranslatable": "the body of a webhook is not the vendor's",
            "unencodable": "what the record led to fits no schema",
            "too_large": "what the record led to is larger than a message (1 MB)",
            "step_failed": "our own code raised on it; the detail names the function and line",
            "records_lost": "records were gone before they were read; the full sync that heals it is asked for",
            "too_many_parked": "too many events of one pair wait for the system to come back",
        },
    ),
    **_of(
        "incident",
        {
            "userflow_object_recreated": "a user deleted during our write was made again by it; it was deleted again",
            "userflow_object_recreated_kept": "as before, but left, since it may hold more than we wrote: look at it",
        },
    ),
}
