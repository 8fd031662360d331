"""The settings of the simulated HubSpot: one for each uncertain fact, and those that tests need."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from connectors.simulation.settings import SimulatorSettings


@dataclass(frozen=True, kw_only=True)
class HubSpotSettings(SimulatorSettings):
    """Defaults are the facts that the fact sheet assumes. A per-property rule is keyed `<object type>.<property>`.

    `scopes` None grants everything. `rate_limit` and `search_limit` None lift the limit. `webhook_properties` None
    subscribes every property that can be subscribed. `normalise` rules: `trim`, `number`, `lower`, `option_case`.
    `workflows` rewrites a property to the given value whenever the API writes the property.
    `timeline_event_types` declares app events, name to object type (CONTACT, COMPANY); None takes any name, for any
    record with the id; `timeline_event_properties` likewise, name to its properties.
    `batch_value_errors`: whether a wrong value refuses its row (207) or the whole batch (400).
    Properties named `<object type>.<property>`: `external_options` are shown without their options,
    `ignored_writes` answer the API's writes with 200 and the former value, `unreadable` ones are listed but missing in
    every record (a lost scope). `lifecycle_backwards`: the fate of a stage that the API sets back.
    `authorize`: a page with buttons at /oauth/authorize, or what the person does at once; `other_accounts` are those
    that the person could choose besides; `pkce_required` refuses to show the page without a challenge.
    `journal_lag_ms`: how late an event comes into the journal, `journal_expired_status` its answer for an offset that
    is too old, `journal_duplicate_probability` that an event comes twice; `app_scopes` are what an app may ask for.
    `checkbox_type`: the type of a single checkbox. `cursors`: the caller must percent-encode `opaque` ones.
    """

    portal_id: int = 12345678
    app_id: int = 4242
    account_type: str = "DEVELOPER_TEST"
    static_tokens: tuple[str, ...] = ("pat-simulated",)
    oauth_client_id: str = "hubspot-client"
    oauth_client_secret: str = "hubspot-client-secret"  # noqa: S105 - of the simulator, opens nothing
    oauth_refresh_token: str = "hubspot-refresh-token"  # noqa: S105
    oauth_authorization_code: str = "hubspot-code"
    authorize: Literal["page", "allow", "deny"] = "page"
    other_accounts: tuple[int, ...] = (44120018,)
    pkce_required: bool = False
    refresh_token_rotates: bool = False
    access_token_life_s: float = 1800
    scopes: tuple[str, ...] | None = None
    app_scopes: tuple[str, ...] | None = None

    rate_limit: int | None = 110
    rate_limit_window_ms: int = 10_000
    search_limit: int | None = 5
    daily_limit_shown: bool = False

    owners: tuple[str, ...] = ("501", "502")
    external_options: tuple[str, ...] = ()
    ignored_writes: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    lifecycle_backwards: Literal["ignored", "refused", "taken"] = "ignored"
    checkbox_type: Literal["bool", "enumeration"] = "bool"
    cursors: Literal["plain", "opaque"] = "plain"

    read_lag_ms: float = 0
    search_lag_ms: float = 3_000
    noop_write_counts: bool = False
    normalise: Mapping[str, str] = field(default_factory=dict)
    workflows: Mapping[str, str] = field(default_factory=dict)
    batch_value_errors: Literal["row", "batch"] = "row"
    row_error_names_id: bool = True
    not_found_aggregated: bool = True
    batch_results_shuffled: bool = True
    error_details: bool = True
    batch_read_resolves_merged: bool = True
    merge_makes_new_record: bool = True
    associations_as_numbers: bool = False
    associations_missing_as_errors: bool = False

    app_secret: str = "hubspot-app-secret"  # noqa: S105
    webhook_target_url: str | None = None
    webhook_form: Literal["object", "classic"] = "object"
    webhook_properties: tuple[str, ...] | None = None
    webhook_created_flag: str = "CREATED"
    webhook_dates_as_epoch: bool = True
    creation_fires_property_changes: bool = True
    calculated_fire_webhooks: bool = False
    own_writes_echo: bool = True
    webhook_batch_size: int = 100
    webhook_window_ms: float = 5
    webhook_timeout_ms: float = 5_000
    webhook_attempts: int = 11
    webhook_backoff_ms: float = 60_000
    webhook_backoff_cap_ms: float = 4 * 3_600_000

    journal_lag_ms: float = 500
    journal_file_events: int = 10_000
    journal_file_life_ms: float = 600_000
    journal_kept_ms: float = 3 * 86_400_000
    journal_expired_status: int = 404
    journal_duplicate_probability: float = 0

    timeline_needs_oauth: bool = True
    timeline_event_types: Mapping[str, str] | None = None
    timeline_event_properties: Mapping[str, tuple[str, ...]] | None = None
    timeline_batch_size: int = 500
    timeline_object_types: tuple[str, ...] = ("CONTACT", "COMPANY", "DEAL", "TICKET")
