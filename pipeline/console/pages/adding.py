"""Adding an integration: the operation of `pairstream apply`, of a file without a mapping yet."""

from collections.abc import Mapping
from typing import Final

from pipeline.console.adding import Asked, asked_in, by_input, file_of
from pipeline.console.pages.granting import link_for
from pipeline.console.visit import Gone, Shown, Visit
from pipeline.integration_file.model import IntegrationFile
from pipeline.operations import apply
from pipeline.provisioning.claims import check_claims
from schemas.configuration import IntegrationSettings
from schemas.integrations import awaits_grant, settings_of

IN_FORCE_S: Final = 30.0


async def add(visit: Visit) -> Shown:
    """`GET /connect`; `?again=<integration>`: one that is disconnected, as it was."""
    before = settings_of(visit.desk.parts, visit.query("again"))
    example = {} if before is not None else visit.desk.about.example
    shown = {"region": "us", "environment": "production", "how": "oauth", "source": "webhooks", **example}
    if before is not None and before.state == "disconnected":
        shown |= {"integration": visit.query("again")} | _as_it_was(before)
    return _form(shown, {}, filled=bool(example))


def _as_it_was(before: IntegrationSettings) -> dict[str, str]:
    """What the form held, but for the secrets, which are forgotten."""
    hubspot, userflow = before.hubspot, before.userflow
    accounts = {"account": hubspot.account, "environment": userflow.account}
    options = {name: hubspot.options[name] for name in ("client_id", "source") if name in hubspot.options}
    how = "oauth" if "client_id" in hubspot.options else "token"
    return {**accounts, **options, "how": how, "region": userflow.options.get("region", "us")}


async def do_add(visit: Visit) -> Shown | Gone:
    """`POST /connect`: in force, or at HubSpot's door; or the form again with what is wrong where it stands."""
    asked, desk = asked_in(visit.form), visit.desk
    file = file_of(asked)
    if not isinstance(file, IntegrationFile):
        return _again(asked, file)
    there = settings_of(desk.parts, file.integration)
    if there is not None and there.state != "disconnected":
        return _again(asked, {"integration": "There is an integration of this name already. Choose another name."})
    request = apply.desired(file, desk.planner.seal, desk.now_ms())
    claimed = check_claims(file, request, desk.parts)
    if claimed:
        return _again(asked, by_input(claimed))
    try:
        await apply.put_in_force(desk.publisher, desk.tables, file, request, IN_FORCE_S)
    except apply.NotApplied as refusal:
        there = settings_of(desk.parts, file.integration)
        ours = there is not None and there.apply_id == request.apply_id
        if there is not None and ours and awaits_grant(desk.parts, file.integration, there):
            return await link_for(visit, file.integration)
        return _again(asked, {"": str(refusal)})
    return Gone(f"/i/{file.integration}")


def _again(asked: Asked, problems: dict[str, str]) -> Shown:
    return _form(asked.shown, problems, 422)


def _form(shown: Mapping[str, str], problems: Mapping[str, str], status: int = 200, *, filled: bool = False) -> Shown:
    return Shown("connect.html", {"shown": shown, "problems": problems, "filled": filled}, status)
