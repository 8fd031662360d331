"""The judge of the end-to-end tests finds what is wrong: a judge that finds nothing would pass everything."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.e2e.oracle import Kinds, Letter, Oracle, Row, Shown, Side, Stores, Tracked

FILE = """\
integration: acme
mappings:
  - name: people
    hubspot: contacts
    userflow: users
    match: {hubspot: email, userflow: email}
    to_userflow: [jobtitle, {from: city, to: town, on_empty: keep}, {from: company.name, to: employer}]
    to_hubspot: [interests, {from: level, to: rank}]
    stream_events: true
  - name: deals
    hubspot: deals
    userflow: companies
    match: {hubspot: customer, userflow: id}
    on_several: newest
    to_userflow: [amount, closes]
"""
KINDS = Kinds(
    hubspot={"deals": {"customer": "number", "amount": "number", "closes": "date"}},
    userflow={"users": {"interests": "list"}},
    options={("contacts", "rank"): ("gold", "silver")},
)


def rows(**objects: Mapping[str, Any]) -> dict[str, Row]:
    return {name[1:]: Row(name[1:], fields) for name, fields in objects.items()}


def problems(
    contacts: Mapping[str, Row] | None = None,
    users: Mapping[str, Row] | None = None,
    deals: Mapping[str, Row] | None = None,
    firms: Mapping[str, Row] | None = None,
    companies: Mapping[str, Row] | None = None,
    letters: tuple[Letter, ...] = (),
) -> list[str]:
    hubspot = {"contacts": contacts or {}, "deals": deals or {}, "companies": companies or {}}
    stores = Stores(hubspot, {"users": users or {}, "companies": firms or {}})
    return Oracle(FILE, KINDS).out_of_step(stores, letters)


@pytest.mark.parametrize(
    ("contact", "user", "wrong"),
    [
        ({"jobtitle": "boss"}, {"hubspot_contact_jobtitle": "boss"}, None),
        ({"jobtitle": "boss"}, {}, "hubspot_contact_jobtitle"),
        ({}, {"hubspot_contact_jobtitle": "boss"}, "hubspot_contact_jobtitle"),
        ({"jobtitle": ""}, {}, None),
        ({"city": ""}, {"town": "Oslo"}, None),
        ({"city": "Oslo"}, {"town": "Bergen"}, "town"),
        ({"userflow_user_interests": "a; b"}, {"interests": ["a", "b"]}, None),
        ({"userflow_user_interests": "a"}, {"interests": ["a", "b"]}, "userflow_user_interests"),
        ({"rank": "gold"}, {"level": "gold"}, None),
        ({"rank": "gold"}, {"level": "tin"}, "refused without a dead letter"),
    ],
)
def test_a_target_that_differs_from_its_owner_is_found(
    contact: dict[str, Any], user: dict[str, Any], wrong: str | None
) -> None:
    found = problems(rows(_1={"email": " A@x.example", **contact}), rows(_7={"email": "a@X.example", **user}))
    assert [wrong in one for one in found if wrong] == ([True] if wrong else [])
    assert len(found) == (wrong is not None)


def test_a_refusal_that_was_reported_is_no_problem() -> None:
    letter = Letter("acme:1:people:a@x.example", "hubspot.rank", "not_an_option")
    people = rows(_1={"email": "a@x.example"}), rows(_7={"email": "a@x.example", "level": "tin"})
    assert problems(*people, letters=(letter,)) == []


def test_rivals_are_no_pair_and_nobody_else_is() -> None:
    contacts = rows(_1={"email": "a@x.example", "jobtitle": "boss"}, _2={"email": "b@x.example", "jobtitle": "boss"})
    users = rows(_7={"email": "a@x.example"}, _8={"email": "A@x.example"}, _9={})
    assert problems(contacts, users) == []


def test_an_archived_record_is_no_partner() -> None:
    contact = Row("1", {"email": "a@x.example", "jobtitle": "boss"}, live=False)
    assert problems({"1": contact}, rows(_7={"email": "a@x.example"})) == []


def test_the_newest_of_several_owns_the_fields() -> None:
    old = Row("1", {"customer": "42.0", "amount": "1"}, modified="2026-01-01T00:00:00.000Z")
    new = Row("2", {"customer": "42", "amount": "2.50", "closes": "2026-03-01"}, modified="2026-01-02T00:00:00.000Z")
    held = {"hubspot_deal_amount": 2.5, "hubspot_deal_closes": "2026-03-01T00:00:00.000+00:00"}
    assert problems(deals={"1": old, "2": new}, firms=rows(_42=held)) == []
    assert len(problems(deals={"1": old, "2": new}, firms=rows(_42={**held, "hubspot_deal_amount": 1}))) == 1


def test_a_record_shows_the_fields_of_its_company() -> None:
    contact = {"1": Row("1", {"email": "a@x.example"}, company="5")}
    users, companies = rows(_7={"email": "a@x.example", "employer": "Acme"}), rows(_5={"name": "Acme"})
    assert problems(contact, users, companies=companies) == []
    assert len(problems(contact, users, companies=rows(_5={"name": "Other"}))) == 1
    assert len(problems(contact, users)) == 1


@pytest.mark.parametrize(
    ("shown", "wrong"),
    [(["1"], 0), ([], 1), (["2"], 1), (["1", "1"], 2)],
    ids=["once", "never", "elsewhere", "twice"],
)
def test_an_event_is_once_on_the_timeline_of_its_pair(shown: list[str], wrong: int) -> None:
    stores = Stores(
        {"contacts": rows(_1={"email": "a@x.example"}), "deals": {}, "companies": {}},
        {"users": rows(_7={"email": "a@x.example"}), "companies": {}},
    )
    events = [Shown("contact", object_id, "marker-1") for object_id in shown]
    tracked = [Tracked("marker-1", "7", None), Tracked("marker-2", "8", None)]
    assert len(Oracle(FILE, KINDS).timelines(stores, tracked, events, set())) == wrong
    moved: set[tuple[Side, str, str]] = {("hubspot", "contacts", "1")}
    assert len(Oracle(FILE, KINDS).timelines(stores, tracked, events, moved)) == (len(shown) > 1)
