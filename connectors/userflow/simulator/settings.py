"""The settings of the simulated Userflow: one for each uncertain fact, and those that tests need."""

from dataclasses import dataclass
from typing import Literal

from connectors.simulation.settings import SimulatorSettings


@dataclass(frozen=True, kw_only=True)
class UserflowSettings(SimulatorSettings):
    """Defaults are those of section 10 of the fact sheet.

    `rate_per_s` (a bucket of `burst` tokens) and `max_in_flight` None lift the limit; `limit_retry_after_s` adds the
    header. `next_page_encoding`: the encoding of a cursor in the next page's address; `none` leaves it unchanged.
    `webhook_target_url` makes a subscription from the start, with `webhook_secret` and `webhook_topics`;
    the API makes others.
    """

    api_keys: tuple[str, ...] = ("ak_simulated",)
    api_version: str = "2020-01-03"
    public_url: str = "https://api.userflow.com"
    create_status: int = 200
    delete_status: int = 200
    unknown_id_status: int = 404
    bad_key_status: int = 401
    rate_per_s: float | None = 10
    burst: int = 10
    max_in_flight: int | None = 5
    limit_status: int = 429
    limit_retry_after_s: float | None = None

    email_filter: Literal["exact", "ignored"] = "exact"
    list_default_limit: int = 20
    list_over_limit: Literal["refuse", "clamp"] = "refuse"
    next_page_url: Literal["path", "absolute", "null"] = "path"
    next_page_encoding: Literal["form", "percent", "none"] = "form"
    sessions_need_content_id: bool = False

    null_write: Literal["remove", "keep"] = "remove"
    type_clash: Literal["refuse", "store"] = "refuse"
    normalise_datetimes: bool = True
    guess_datetimes: bool = True
    recreation_keeps_created_at: bool = False

    webhook_target_url: str | None = None
    webhook_secret: str = "userflow-webhook-secret"  # noqa: S105 - of the simulator, opens nothing
    webhook_topics: tuple[str, ...] = ("*",)
    secret_on_read: bool = True
    changed_attributes_place: Literal["data", "top", "missing"] = "data"
    removed_attributes: Literal["null", "absent"] = "null"
    family_topic: Literal["full", "short"] = "full"
    noop_write_notifies: bool = False
    delete_notifies: bool = False
