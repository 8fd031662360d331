"""What a file is refused for once the fields of both systems are known."""

import pytest

from pipeline.provisioning.field_checks import Fields, check_fields, created_type
from schemas.values import FieldDefinition, FieldType, System
from tests.unit.pipeline.integration_file.files import GOOD, loaded, shown


def definitions(**types: FieldType) -> dict[str, FieldDefinition]:
    return {name: FieldDefinition(name, field_type) for name, field_type in types.items()}


HUBSPOT: Fields = {
    "contacts": definitions(
        email="string",
        jobtitle="string",
        birthday="date",
        tier="number",
        userflow_user_plan="number",
        userflow_user_score="string",
        opted_in="boolean",
    )
    | {
        "hs_score": FieldDefinition("hs_score", "number", read_only=True),
        "colours": FieldDefinition("colours", "multi_select", options=("red", "green")),
        "owner": FieldDefinition("owner", "enumeration"),
        "assigned": FieldDefinition("assigned", "enumeration", external=True),
        "salary": FieldDefinition("salary", "number", unreadable=True),
        "gone": FieldDefinition("gone", "string", archived=True),
        "userflow_user_height": FieldDefinition("userflow_user_height", "string", archived=True),
        "userflow_user_active": FieldDefinition("userflow_user_active", "boolean", archived=True),
    },
    "companies": definitions(name="string"),
}
LONG = "a" * 90
USERFLOW: Fields = {
    "users": definitions(
        plan="string",
        score="number",
        tags="list",
        active="boolean",
        born="datetime",
        height="number",
        name="string",
    )
    | {LONG: FieldDefinition(LONG, "string")}
    | {"last_seen_at": FieldDefinition("last_seen_at", "datetime", read_only=True)}
}


def refused(text: str) -> list[str]:
    return shown(check_fields(loaded(text), HUBSPOT, USERFLOW))


def to_userflow(rule: str) -> str:
    return f"{GOOD}      - {rule}\n"


def to_hubspot(rule: str) -> str:
    return f"{GOOD}    to_hubspot:\n      - {rule}\n"


REFUSALS = [
    (
        to_userflow("jobtitel"),
        "acme.yaml:16: mappings[0].to_userflow[1]: HubSpot contacts `jobtitel` does not exist. "
        "Fix: did you mean `jobtitle`.",
    ),
    (
        to_userflow("{from: zzz, to: a}"),
        "acme.yaml:16: mappings[0].to_userflow[1].from: HubSpot contacts `zzz` does not exist. "
        "Fix: use one of the fields that HubSpot lists for contacts.",
    ),
    (
        to_userflow("salary"),
        "acme.yaml:16: mappings[0].to_userflow[1]: HubSpot contacts `salary` exists, but records are shown without it: "
        "what reads it stands still. Fix: grant the app the permission to read this property.",
    ),
    (
        to_userflow("gone"),
        "acme.yaml:16: mappings[0].to_userflow[1]: HubSpot contacts `gone` is archived: what reads it stands still, "
        "what it wrote stays. Fix: restore it in HubSpot, or drop the rule.",
    ),
    (
        GOOD.replace("hubspot: email", "hubspot: salary"),
        "acme.yaml:13: mappings[0].match.hubspot: HubSpot contacts `salary` exists, but records are shown without it: "
        "what reads it stands still. Fix: grant the app the permission to read this property.",
    ),
    (
        to_userflow("company.nam"),
        "acme.yaml:16: mappings[0].to_userflow[1]: HubSpot companies `nam` does not exist. Fix: did you mean `name`.",
    ),
    (
        to_userflow("deal.amount"),
        "acme.yaml:16: mappings[0].to_userflow[1]: HubSpot deals `amount` does not exist. "
        "Fix: use one of the fields that HubSpot lists for deals.",
    ),
    (
        to_userflow("{from: birthday, to: last_seen_at}"),
        "acme.yaml:16: mappings[0].to_userflow[1].to: Userflow users `last_seen_at` is read-only or calculated. "
        "Fix: write to another field.",
    ),
    (
        to_userflow("{from: tier, to: active}"),
        "acme.yaml:16: mappings[0].to_userflow[1].to: HubSpot contacts `tier` is of type number and "
        "Userflow users `active` of type boolean: no converter. Fix: write to a text field, or one of the same type.",
    ),
    (
        to_hubspot("plam"),
        "acme.yaml:17: mappings[0].to_hubspot[0]: Userflow users `plam` does not exist. Fix: did you mean `plan`.",
    ),
    (
        to_hubspot("{from: plan, to: plam}"),
        "acme.yaml:17: mappings[0].to_hubspot[0].to: HubSpot contacts `plam` does not exist in HubSpot. "
        "Fix: create it there, or leave `to:` out and a `userflow_...` field is created.",
    ),
    (
        to_hubspot("{from: score, to: hs_score}"),
        "acme.yaml:17: mappings[0].to_hubspot[0].to: HubSpot contacts `hs_score` is read-only or calculated. "
        "Fix: write to another field.",
    ),
    (
        to_hubspot("{from: plan, to: tier}"),
        "acme.yaml:17: mappings[0].to_hubspot[0].to: Userflow users `plan` is of type string and "
        "HubSpot contacts `tier` of type number: no converter. Fix: write to a text field, or one of the same type.",
    ),
    (
        to_hubspot("{from: plan, to: owner}"),
        "acme.yaml:17: mappings[0].to_hubspot[0].to: HubSpot contacts `owner` has no options of its own, "
        "so no value can be one of them. Fix: write to another field.",
    ),
    (
        to_hubspot("height"),
        "acme.yaml:17: mappings[0].to_hubspot[0]: HubSpot contacts `userflow_user_height` was archived as string, "
        "and would come back so, not as number. Fix: create another field in HubSpot, and name it by `to:`.",
    ),
    (
        to_hubspot(LONG),
        f"acme.yaml:17: mappings[0].to_hubspot[0]: the name userflow_user_{LONG} has 104 characters, HubSpot takes 100."
        " Fix: create a field with a shorter name in HubSpot, and name it by `to:`.",
    ),
    (
        to_hubspot("plan"),
        "acme.yaml:17: mappings[0].to_hubspot[0]: HubSpot contacts `userflow_user_plan` exists in HubSpot as number, "
        "not as the string that Userflow users `plan` needs. "
        "Fix: create another field in HubSpot, and name it by `to:`.",
    ),
    (
        GOOD.replace("hubspot: email", "hubspot: e_mail"),
        "acme.yaml:13: mappings[0].match.hubspot: HubSpot contacts `e_mail` does not exist. Fix: did you mean `email`.",
    ),
    (
        GOOD.replace("hubspot: email", "hubspot: birthday"),
        "acme.yaml:13: mappings[0].match.hubspot: HubSpot contacts `birthday` is of type date, "
        "which nothing can be matched by. Fix: match by a text, a number or an enumeration.",
    ),
    (
        GOOD.replace("hubspot: contacts", "hubspot: 2-77"),
        "acme.yaml:11: mappings[0].hubspot: account 123 has no object type `2-77`. "
        "Fix: look its id up in HubSpot, or let the app read it.",
    ),
]


@pytest.mark.parametrize(("text", "message"), REFUSALS)
def test_a_file_is_refused_with_the_line_and_says_so_once(text: str, message: str) -> None:
    assert refused(text) == [message]


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        to_userflow("company.name"),
        to_userflow("{from: birthday, to: born}"),
        to_userflow("{from: colours, to: tags}"),
        to_userflow("{from: colours, to: name}"),
        to_userflow("{from: colours, to: never_seen}"),
        to_hubspot("{from: tags, to: jobtitle}"),
        to_hubspot("{from: tags, to: colours}"),
        to_hubspot("{from: id, to: jobtitle}"),
        # its options are kept elsewhere: HubSpot judges what is written
        to_hubspot("{from: plan, to: assigned}"),
        to_hubspot("{from: tags, to: assigned}"),
        to_hubspot("email"),
        to_hubspot("tags"),
        # archived with the very type it needs
        to_hubspot("active"),
        # made by hand, or by an earlier integration, as text: it takes the number all the same
        to_hubspot("score"),
    ],
)
def test_a_file_whose_fields_fit_is_taken(text: str) -> None:
    assert refused(text) == []


def test_both_ends_of_a_rule_are_reported() -> None:
    assert len(refused(to_hubspot("{from: nothing, to: nowhere}"))) == 2


@pytest.mark.parametrize(
    ("system", "source", "created"),
    [
        ("hubspot", "list", "string"),
        ("hubspot", "number", "number"),
        ("hubspot", "datetime", "datetime"),
        ("userflow", "date", "datetime"),
        ("userflow", "multi_select", "list"),
        ("userflow", "enumeration", "string"),
        ("userflow", "boolean", "boolean"),
    ],
)
def test_the_type_of_a_field_that_a_rule_makes(system: System, source: FieldType, created: FieldType) -> None:
    assert created_type(system, source) == created


def test_a_type_of_which_nothing_was_described_has_no_fields() -> None:
    """It passed for described, and what is made of the file raised."""
    file = loaded(GOOD.replace("    to_userflow:", "    to_hubspot: [plan]\n    to_userflow:"))
    assert "`plan` does not exist" in str(check_fields(file, HUBSPOT, {})[0])
