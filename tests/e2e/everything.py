"""One integration that uses everything: every object type, several mappings of one type, every kind of value.

Both vendors' definitions, the integration file, and a first population. Emails are matched trimmed and in lower case,
numbers by their digits; two mappings share users, three share companies.
"""

import datetime as dt
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.e2e.oracle import Kinds

WORKSPACES, SITES = "p12345678_workspace", "2-78"
FILE: Final = f"""\
integration: acme
hubspot:
  account: 12345678
  app_id: 4242
  app_secret: ${{HUBSPOT_APP_SECRET}}
  token: ${{HUBSPOT_TOKEN}}
  timeline: custom_events
userflow:
  environment: production
  api_key: ${{USERFLOW_API_KEY}}
mappings:
  - name: people
    hubspot: contacts
    userflow: users
    match: {{hubspot: email, userflow: email}}
    to_userflow:
      - jobtitle
      - lifecyclestage
      - {{from: city, to: town, on_empty: keep}}
      - {{from: company.name, to: employer}}
    to_hubspot: [plan, score, renewed_at, interests]
    stream_events: true
  - name: members
    hubspot: contacts
    userflow: users
    match: {{hubspot: member_number, userflow: id}}
    to_userflow: [phone]
    to_hubspot:
      - {{from: level, to: member_level}}
      - {{from: joined_at, to: member_since}}
  - name: firms
    hubspot: accounts
    userflow: companies
    match: {{hubspot: firm_key, userflow: id}}
    to_userflow: [industry, numberofemployees, is_public]
    to_hubspot: [tier, trial]
    stream_events: true
  - name: contracts
    hubspot: deals
    userflow: companies
    match: {{hubspot: customer, userflow: id}}
    on_several: newest
    to_userflow: [amount, closedate, dealname, company.name]
    to_hubspot: [health]
    stream_events: [flow_started, checklist_task_completed]
  - name: workspaces
    hubspot: {WORKSPACES}
    userflow: companies
    match: {{hubspot: workspace_key, userflow: id}}
    to_userflow:
      - size
      - opened_on
      - modules
      - {{from: company.numberofemployees, to: owner_size}}
    to_hubspot: [region]
  - name: sites
    hubspot: {SITES}
    userflow: users
    match: {{hubspot: owner, userflow: id}}
    to_userflow:
      - {{from: street, to: site_street}}
    to_hubspot:
      - {{from: badge, to: owner_badge}}
"""

LEVELS: Final = ("bronze", "silver", "gold")
MODULES: Final = ("billing", "reports", "chat")
CUSTOM: Final = {
    "schemas": [
        {
            "name": "workspace",
            "objectTypeId": "2-77",
            "properties": [
                {"name": "workspace_key", "type": "string"},
                {"name": "size", "type": "number", "fieldType": "number"},
                {"name": "opened_on", "type": "date", "fieldType": "date"},
                {"name": "note", "type": "string"},
                {
                    "name": "modules",
                    "type": "enumeration",
                    "fieldType": "checkbox",
                    "options": [{"value": value} for value in MODULES],
                },
            ],
        },
        {
            "name": "site",
            "objectTypeId": SITES,
            "properties": [
                {"name": "owner", "type": "number", "fieldType": "number"},
                {"name": "street", "type": "string"},
                {"name": "owner_badge", "type": "string"},
            ],
        },
    ],
    "properties": {
        "contacts": [
            {"name": "member_number", "type": "number", "fieldType": "number"},
            {
                "name": "member_level",
                "type": "enumeration",
                "fieldType": "select",
                "options": [{"value": value} for value in LEVELS],
            },
            {"name": "member_since", "type": "date", "fieldType": "date"},
        ],
        "companies": [{"name": "firm_key", "type": "string", "hasUniqueValue": True}],
        "deals": [{"name": "customer", "type": "string"}],
    },
}
ATTRIBUTES: Final[Mapping[str, Mapping[str, str]]] = {
    "user": {
        "plan": "string",
        "score": "number",
        "renewed_at": "datetime",
        "interests": "list",
        "level": "string",
        "joined_at": "datetime",
        "badge": "string",
        "nickname": "string",
    },
    "group": {"tier": "string", "trial": "boolean", "health": "number", "region": "string", "slogan": "string"},
}
KINDS: Final = Kinds(
    hubspot={
        "contacts": {"member_number": "number", "member_since": "date"},
        "companies": {"numberofemployees": "number", "is_public": "boolean"},
        "deals": {"amount": "number", "closedate": "datetime"},
        WORKSPACES: {"size": "number", "opened_on": "date", "modules": "options"},
        SITES: {"owner": "number"},
    },
    userflow={
        "users": {"score": "number", "renewed_at": "datetime", "interests": "list", "joined_at": "datetime"},
        "companies": {"trial": "boolean", "health": "number"},
    },
    options={("contacts", "member_level"): LEVELS},
)

Make = Callable[[random.Random], Any]


def _word(rng: random.Random) -> str:
    return f"{rng.choice(('red', 'grün', 'blå', '黄'))} {rng.randrange(100_000)}"


def _day(rng: random.Random) -> str:
    return (dt.date(2024, 1, 1) + dt.timedelta(days=rng.randrange(700))).isoformat()


def _moment(rng: random.Random) -> str:
    """As HubSpot stores it."""
    seconds = rng.randrange(24 * 60 * 60 * 1000) / 1000
    moment = dt.datetime.fromisoformat(_day(rng)) + dt.timedelta(seconds=seconds)
    return moment.isoformat(timespec="milliseconds") + "Z"


def _instant(rng: random.Random) -> str:
    """As Userflow stores it."""
    return _moment(rng).replace("Z", "+00:00")


def _one_of(*values: Any) -> Make:
    return lambda rng: rng.choice(values)


def _text_number(rng: random.Random) -> str:
    return rng.choice((str(rng.randrange(10_000)), f"{rng.randrange(10_000) / 8}"))


def _number(rng: random.Random) -> float:
    return rng.choice((rng.randrange(10_000), rng.randrange(10_000) / 8))


def _some(rng: random.Random, values: tuple[str, ...]) -> list[str]:
    return [value for value in values if rng.random() < 0.5]


@dataclass(frozen=True)
class Editable:
    """What people fill in: `own` they alone write, `targets` are ours and a person writes over them now and then."""

    own: Mapping[str, Make]
    targets: Mapping[str, Make]
    match: tuple[str, ...] = ()


HUBSPOT: Final[Mapping[str, Editable]] = {
    "contacts": Editable(
        {
            "jobtitle": _word,
            "lifecyclestage": _one_of("lead", "customer", "evangelist"),
            "city": _word,
            "phone": _word,
            "website": _word,
        },
        {"userflow_user_plan": _word, "userflow_user_score": _text_number, "member_since": _day},
        ("email", "member_number"),
    ),
    "companies": Editable(
        {
            "name": _word,
            "industry": _one_of("BANKING", "RETAIL", "INTERNET"),
            "numberofemployees": _text_number,
            "is_public": _one_of("true", "false"),
            "description": _word,
        },
        {"userflow_company_tier": _word},
        ("firm_key",),
    ),
    "deals": Editable(
        {"amount": _text_number, "closedate": _moment, "dealname": _word},
        {"userflow_company_health": _text_number},
        ("customer",),
    ),
    WORKSPACES: Editable(
        {
            "size": _text_number,
            "opened_on": _day,
            "modules": lambda rng: ";".join(_some(rng, MODULES)),
            "note": _word,
        },
        {"userflow_company_region": _word},
        ("workspace_key",),
    ),
    SITES: Editable({"street": _word}, {"owner_badge": _word}, ("owner",)),
}
USERFLOW: Final[Mapping[str, Editable]] = {
    "users": Editable(
        {
            "plan": _word,
            "score": _number,
            "renewed_at": _instant,
            "interests": lambda rng: _some(rng, ("chess", "tea", "ski")),
            "level": _one_of(*LEVELS, "platinum"),
            "joined_at": _instant,
            "badge": _word,
            "nickname": _word,
        },
        {"hubspot_contact_jobtitle": _word, "hubspot_contact_phone": _word, "site_street": _word},
        ("email",),
    ),
    "companies": Editable(
        {
            "tier": _word,
            "trial": _one_of(True, False),
            "health": _number,
            "region": _word,
            "slogan": _word,
        },
        {"hubspot_company_industry": _word, "hubspot_deal_amount": _number, "hubspot_workspace_opened_on": _instant},
    ),
}
