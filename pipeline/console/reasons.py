"""What a refusal is called on pages: a few words for each code; what it means stands with the codes. Pure."""

from collections.abc import Mapping
from typing import Final

from schemas.reasons import REASONS

NOT_OF_ITS_TYPE: Final = "The value is not of the type its field says"
NO_OPTION: Final = "Not an option of the target"
TITLES: Final[Mapping[str, str]] = {
    "invalid_option": NO_OPTION,
    "not_an_option": NO_OPTION,
    "unknown_field": "The field does not exist there",
    "read_only_field": "The field is read-only there",
    "read_only": "The field is read-only there",
    "not_unique": "Another record has this value already",
    "missing_required_field": "HubSpot wants another field with it",
    "invalid_value": "HubSpot does not take this value",
    "invalid_params": "Userflow does not take this value",
    "contested": "Somebody else keeps rewriting it",
    "not_taken": "The target kept the value it had",
    "unknown_event_type": "HubSpot does not know this kind of event",
    "unknown_result": "Not known whether HubSpot took it",
    "too_large": "Too large for the target",
    "too_long": "Too long for the target",
    "several_items": "Several values for a field that takes one",
    **dict.fromkeys(
        (
            *("no_converter", "not_text", "not_a_number", "not_finite", "not_a_boolean", "not_a_date"),
            *("not_an_instant", "no_time_zone", "out_of_range", "not_a_list"),
        ),
        NOT_OF_ITS_TYPE,
    ),
    "missing": "The record is gone",
    "already_exists": "It is there already",
    "undecodable": "A record that is none",
    "untranslatable": "A webhook that cannot be read",
    "malformed_notification": "A webhook that cannot be read",
    "unencodable": "Fits no record",
    "step_failed": "A fault of Pairstream: report it",
    "records_lost": "Records were gone before they were read",
    "too_many_parked": "Too many events wait for a system that is away",
    "userflow_object_recreated": "A deleted user was made again, and deleted again",
    "userflow_object_recreated_kept": "A deleted user was made again, and is left",
}


def title_of(code: str) -> str:
    """A vendor's own code, which has no sentence, is shown as it is."""
    if code.startswith("http_"):
        return "Refused without a reason"
    sentence = REASONS[code].sentence if code in REASONS else ""
    return TITLES.get(code) or f"{sentence[:1].upper()}{sentence[1:]}" or code
