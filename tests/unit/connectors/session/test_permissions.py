"""A permission that HubSpot's simulator withholds for one object type stops that type and verb, and nothing else."""

import pytest

from connectors.contract.errors import Denied
from connectors.contract.sink import Answered
from connectors.contract.source import Seen
from tests.unit.connectors.fake_clock import FakeClock
from tests.unit.connectors.hubspot.account import opened, write
from tests.unit.connectors.session.contexts import context_of

CONTACTS = ("crm.objects.contacts.read", "crm.objects.contacts.write")


async def test_contacts_go_on_while_companies_may_not_be_read() -> None:
    case = opened(scopes=CONTACTS)
    case.catalog.replace({"contacts": ("email", "company.name"), "companies": ("name",)}, {})
    context, _ = context_of("hubspot", FakeClock(), account=case.account)
    source = case.account.source
    company, contact = (case.portal.list_objects(kind)[0]["id"] for kind in ("companies", "contacts"))
    case.portal.associate("contacts", contact, "companies", company, primary=True)

    with pytest.raises(Denied):
        await context.asked(lambda: source.read("companies", [company], "live_read"), "companies", "read")
    sent = len(case.transport.sent)
    with pytest.raises(Denied):
        await context.asked(lambda: source.read("companies", [company], "live_read"), "companies", "read")

    assert len(case.transport.sent) == sent
    reading = context.asked(lambda: source.read("contacts", [contact], "live_read"), "contacts", "read")
    (seen,) = await reading
    assert isinstance(seen, Seen) and seen.fields["email"].value
    assert (seen.unknown, "company.name" in seen.fields) == (("company.name",), False)
    assert context.state.works
    assert dict(context.state.denied) == {("companies", "read"): "missing_scopes"}


async def test_contacts_are_written_while_companies_may_not_be() -> None:
    case = opened(scopes=(*CONTACTS, "crm.objects.companies.read"))
    context, _ = context_of("hubspot", FakeClock(), account=case.account)
    company, contact = (case.portal.list_objects(kind)[0]["id"] for kind in ("companies", "contacts"))
    writes = {
        "companies": write(company, "companies", numberofemployees=7.0),
        "contacts": write(contact, jobtitle="Pilot"),
    }

    with pytest.raises(Denied):
        await context.asked(lambda: case.write(writes["companies"]), "companies", "write")
    (done,) = await context.asked(lambda: case.write(writes["contacts"]), "contacts", "write")
    (seen,) = await context.asked(
        lambda: case.account.source.read("contacts", [contact], "live_read"), "contacts", "read"
    )

    assert isinstance(done, Answered) and isinstance(seen, Seen)
    assert case.holds(contact)["jobtitle"] == "Pilot"
    assert dict(context.state.denied) == {("companies", "write"): "missing_scopes"}
