"""Every page: its path, the least role, and what it shows or does. What is not listed here is refused."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from pipeline.console.pages import (
    activity,
    acts,
    adding,
    api,
    connection,
    doctor,
    editing,
    ending,
    explain,
    full_sync,
    granting,
    integration,
    looking,
    mappings,
    overview,
    refused,
    replacing,
    replay,
    reviewing,
    road,
    settings,
    unlinked,
)
from pipeline.console.visit import Answered, Gone, Sheet, Shown, Visit
from schemas.operating import ConsoleRole

Page = Callable[[Visit], Awaitable[Shown | Gone | Sheet]]


@dataclass(frozen=True, slots=True)
class At:
    """One route."""

    path: str
    role: ConsoleRole
    page: Page
    method: Literal["GET", "POST"] = "GET"
    live: bool = False  # parts of it are told anew as they change
    own: bool = False  # what it shows is for one session, and made for it alone


@dataclass(frozen=True, slots=True)
class ForScripts:
    """One address that scripts read."""

    path: str
    role: ConsoleRole
    answer: Callable[[Visit], Awaitable[Answered]]


_OF: Final = "/i/{integration}"
_OBJECT: Final = f"{_OF}/objects/{{system}}/{{type}}/{{handle}}"
_MAPPING: Final = f"{_OF}/mappings/{{mapping}}"
_REVIEW: Final = f"{_MAPPING}/review/{{review}}"
PAGES: Final[Sequence[At]] = (
    At("/", "viewer", overview.overview, live=True),
    At("/road", "viewer", road.road, live=True),
    At("/doctor", "viewer", doctor.doctor),
    At("/doctor", "viewer", doctor.look_again, "POST"),
    At("/activity", "viewer", activity.activity, live=True),
    At("/settings", "admin", settings.settings),
    At("/connect", "admin", adding.add),
    At("/connect", "admin", adding.do_add, "POST"),
    At("/settings/tokens", "admin", settings.new_token, "POST"),
    At("/settings/access/{kind}/{digest}/end", "admin", settings.end_access, "POST"),
    At(_OF, "viewer", integration.health, live=True),
    At(f"{_OF}/mappings", "viewer", mappings.mappings),
    At(f"{_OF}/mappings/new", "operator", editing.new),
    At(f"{_OF}/mappings/new/begin", "operator", editing.begin),
    At(_MAPPING, "viewer", mappings.mapping),
    At(f"{_MAPPING}/edit", "operator", editing.edit),
    At(f"{_MAPPING}/edit", "operator", editing.draft, "POST"),
    At(f"{_MAPPING}/review", "operator", reviewing.review, "POST"),
    At(_REVIEW, "operator", reviewing.reviewed, live=True, own=True),
    At(_REVIEW, "operator", reviewing.save, "POST"),
    At(f"{_REVIEW}/values", "operator", reviewing.values, "POST"),
    At(f"{_MAPPING}/remove", "operator", reviewing.remove),
    At(f"{_MAPPING}/remove", "operator", reviewing.do_remove, "POST"),
    At(f"{_OF}/connection", "viewer", connection.connection),
    At(f"{_OF}/connection/keys", "admin", replacing.replace),
    At(f"{_OF}/connection/keys", "admin", replacing.do_replace, "POST"),
    At(f"{_OF}/connection/grant", "admin", granting.grant),
    At(f"{_OF}/connection/grant", "admin", granting.do_grant, "POST"),
    At(f"{_OF}/connection/grant/{{link}}", "admin", granting.waiting, live=True, own=True),
    At(f"{_OF}/full-sync", "viewer", full_sync.full_sync, live=True),
    At(f"{_OF}/full-sync/start", "operator", acts.start),
    At(f"{_OF}/full-sync/start", "operator", acts.do_start, "POST"),
    At(f"{_OF}/full-sync/stop", "operator", acts.stop),
    At(f"{_OF}/full-sync/stop", "operator", acts.do_stop, "POST"),
    At(f"{_OF}/full-sync/confirm", "operator", acts.confirm),
    At(f"{_OF}/full-sync/confirm", "operator", acts.do_confirm, "POST"),
    At(f"{_OF}/refused", "viewer", refused.refused),
    At(f"{_OF}/refused/{{reason}}", "viewer", refused.reason),
    At(f"{_OF}/refused/{{reason}}/values", "operator", refused.values, "POST"),
    At(f"{_OF}/refused/{{reason}}/ids.csv", "viewer", refused.ids),
    At(f"{_OF}/discarded", "viewer", ending.away),
    At(f"{_OF}/discarded", "admin", ending.give_back, "POST"),
    At(f"{_OF}/refused/{{reason}}/again", "operator", ending.again),
    At(f"{_OF}/refused/{{reason}}/again", "operator", ending.do_again, "POST"),
    At(f"{_OF}/refused/{{reason}}/discard", "admin", ending.discard),
    At(f"{_OF}/refused/{{reason}}/discard", "admin", ending.do_discard, "POST"),
    At(f"{_OF}/unlinked", "viewer", unlinked.unlinked),
    At(f"{_OF}/unlinked", "viewer", unlinked.look, "POST"),
    At(f"{_OF}/unlinked/ids.csv", "viewer", unlinked.ids),
    At(f"{_OF}/explain", "viewer", explain.explain),
    At(f"{_OF}/explain", "viewer", explain.find, "POST"),
    At(f"{_OF}/explain/look", "operator", looking.look, "POST"),
    At(_OBJECT, "viewer", explain.show, live=True),
    At(f"{_OBJECT}/look", "operator", looking.look_at, "POST"),
    At(f"{_OBJECT}/values", "operator", explain.values, "POST"),
    At(f"{_OBJECT}/reread", "operator", explain.reread, "POST"),
    At(f"{_OBJECT}/rederive", "operator", explain.rederive, "POST"),
    At(f"{_OBJECT}/lookup", "operator", explain.lookup, "POST"),
    At(f"{_OF}/replay", "viewer", replay.replay, live=True),
    At(f"{_OF}/replay/plan", "operator", replay.plan, "POST"),
    At(f"{_OF}/replay/plan/{{plan}}", "operator", replay.planned, live=True, own=True),
    At(f"{_OF}/replay/plan/{{plan}}", "operator", replay.run, "POST"),
    At(f"{_OF}/replay/{{replay}}", "viewer", replay.progress, live=True),
    At(f"{_OF}/replay/{{replay}}/hold", "operator", replay.hold, "POST"),
    At(f"{_OF}/replay/{{replay}}/resume", "operator", replay.resume, "POST"),
    At(f"{_OF}/replay/{{replay}}/stop", "operator", replay.stop),
    At(f"{_OF}/replay/{{replay}}/stop", "operator", replay.do_stop, "POST"),
    At(f"{_OF}/pause", "operator", acts.pause),
    At(f"{_OF}/pause", "operator", acts.do_pause, "POST"),
    At(f"{_OF}/resume", "operator", acts.resume),
    At(f"{_OF}/resume", "operator", acts.do_resume, "POST"),
    At(f"{_OF}/disconnect", "admin", acts.disconnect),
    At(f"{_OF}/disconnect", "admin", acts.do_disconnect, "POST"),
)

_API: Final = "/api/v1"
_ONE: Final = f"{_API}/integrations/{{integration}}"
SCRIPTS: Final[Sequence[ForScripts]] = (
    ForScripts(f"{_API}/integrations", "viewer", api.integrations),
    ForScripts(_ONE, "viewer", api.integration),
    ForScripts(f"{_ONE}/mappings", "viewer", api.mappings),
    ForScripts(f"{_ONE}/runs", "viewer", api.runs),
    ForScripts(f"{_ONE}/refused", "viewer", api.refused),
    ForScripts(f"{_ONE}/objects/{{system}}/{{type}}/{{handle}}", "viewer", api.an_object),
    ForScripts(f"{_API}/lag", "viewer", api.lag),
    ForScripts(f"{_API}/doctor", "viewer", api.doctor),
    ForScripts(f"{_API}/activity", "viewer", api.activity),
)
"""What scripts read."""
