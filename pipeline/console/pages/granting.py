"""Granting access to HubSpot in this browser: the operation of `pairstream connect`."""

from connectors.receiver.consent_pages import why
from pipeline.console.condition import Kind
from pipeline.console.head import settings_in
from pipeline.console.pages.acts import Confirm
from pipeline.console.pages.integration import mappings_of
from pipeline.console.visit import Gone, NotHere, Shown, Visit
from pipeline.operations import connect
from schemas.integrations import to_connect


async def grant(visit: Visit) -> Shown:
    """`GET connection/grant`: what is about to be asked for."""
    settings, name = settings_in(visit), visit.integration
    wanted = connect.new_link(name, visit.desk.parts, visit.desk.now_ms()).record  # says why where no link would help
    account = to_connect(visit.desk.parts, name, settings).hubspot.account
    rows = [("Choose account", account), ("HubSpot is asked for", ", ".join(wanted.scopes))]
    lead = "HubSpot asks you to choose an account and to grant what is listed. Another account is refused."
    command = f"pairstream connect {name}"
    told = Confirm(f"Connect {name} with HubSpot?", lead, "Make a link", f"/i/{name}/connection", rows, command=command)
    return Shown("confirm.html", {"confirm": told, "name": name})


async def do_grant(visit: Visit) -> Gone:
    """`POST connection/grant`: a link that is good once, for 10 minutes."""
    settings_in(visit)
    return await link_for(visit, visit.integration)


async def link_for(visit: Visit, name: str) -> Gone:
    """A link for whoever asks, and the page that waits for what becomes of it."""
    desk = visit.desk
    link = connect.new_link(name, desk.parts, desk.now_ms())
    await connect.ask(desk.publisher, name, link.record)
    desk.links[link.record.link] = (visit.who.key, link.url(desk.about.receiver_url), link.record.expires_at_ms)
    return Gone(f"/i/{name}/connection/grant/{link.record.link}")


async def waiting(visit: Visit) -> Shown:
    """`GET connection/grant/<link>`: the link, for whoever asked for it; and what became of it."""
    settings, desk, name = settings_in(visit), visit.desk, visit.integration
    link = str(visit.request.path_params["link"])
    owner, url, expires_ms = desk.links.get(link, ("", "", 0))
    if owner != visit.who.key:
        raise NotHere("This link was made in another session, or long ago", "the connection", f"/i/{name}/connection")
    part = desk.parts.get(f"{name}/hubspot/consent")
    answer = part.consent if part is not None and part.consent is not None and part.consent.link == link else None
    kind: Kind = "work"
    if answer is not None:
        kind = "ok" if answer.reason is None else "bad"
        title = (
            f"Connected to HubSpot account {answer.account}."
            if answer.reason is None
            else f"{why(name, to_connect(desk.parts, name, settings).hubspot.account, answer)} Nothing was changed."
        )
    elif expires_ms <= desk.now_ms():
        kind, title = "warn", "That took longer than 10 minutes. Nothing was changed."
    else:
        title = "Waiting for you in HubSpot's window."
    mapped = bool(mappings_of(visit))
    facts = {"name": name, "mapped": mapped, "url": url if kind == "work" else "", "kind": kind, "title": title}
    return Shown("granting.html", {**facts, "code": answer.reason or "" if answer is not None else ""})
