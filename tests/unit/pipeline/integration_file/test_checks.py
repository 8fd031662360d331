"""What a file is refused for without asking either system: every refusal with its whole message and its line."""

from dataclasses import replace

import pytest

from pipeline.integration_file.checks import check
from pipeline.integration_file.model import MappingSpec, Rule
from tests.unit.pipeline.integration_file.files import GOOD, HEAD, loaded, refused, shown

OAUTH = "oauth: {client_id: a, client_secret: b, refresh_token: c}"
WITH_OAUTH = GOOD.replace("token: ${HUBSPOT_TOKEN}", OAUTH)


def second(hubspot: str, userflow: str, match: str, rest: str) -> str:
    """Another mapping: lines 16 to 19, `rest` from line 20."""
    return f"  - name: second\n    hubspot: {hubspot}\n    userflow: {userflow}\n    match: {{{match}}}\n" + "".join(
        f"    {line}\n" for line in rest.splitlines()
    )


REFUSALS = [
    (
        GOOD.replace("integration: acme", "integration: Acme_1"),
        "acme.yaml:1: integration: `Acme_1` is no name for an integration. "
        "Fix: use lower-case letters, digits and -, starting with a letter or digit.",
    ),
    (
        GOOD.replace("name: contacts-users", "name: 'contacts:users'"),
        "acme.yaml:10: mappings[0].name: `contacts:users` is no name for a mapping. "
        "Fix: use letters, digits, '.', '_' and '-'.",
    ),
    (
        GOOD
        + second("deals", "users", "hubspot: mail, userflow: email", "to_userflow: [amount]").replace(
            "second", "contacts-users"
        ),
        "acme.yaml:16: mappings[1].name: a second mapping named `contacts-users`, the other is on line 10. "
        "Fix: give it another name.",
    ),
    (
        f"{HEAD}mappings:\n",
        "acme.yaml:9: mappings: the key `mappings` is needed. Fix: add `mappings:`.",
    ),
    (
        GOOD.replace("    to_userflow:\n      - jobtitle\n", ""),
        "acme.yaml:10: mappings[0]: `contacts-users` moves nothing. "
        "Fix: add `to_userflow:`, `to_hubspot:` or `stream_events: true`.",
    ),
    (
        GOOD.replace("  token", f"  {OAUTH}\n  token"),
        "acme.yaml:6: hubspot.token: both oauth and a token are given. Fix: keep one of them.",
    ),
    (
        GOOD.replace("  token: ${HUBSPOT_TOKEN}\n", ""),
        "acme.yaml:2: hubspot: neither oauth nor a token is given. Fix: add `oauth:` or `token:`.",
    ),
    (
        GOOD.replace("  app_secret: ${HUBSPOT_APP_SECRET}\n", ""),
        "acme.yaml:2: hubspot: webhooks cannot be verified without `app_secret`. "
        "Fix: add `app_secret:`, or write `source: poll`.",
    ),
    (
        GOOD.replace("  token", "  source: journal\n  token"),
        "acme.yaml:5: hubspot.source: only an OAuth app can read the journal. "
        "Fix: connect by oauth, or write `source: poll`.",
    ),
    (
        GOOD.replace("  environment: production\n", "  environment: production\n  source: poll\n")
        + "    stream_events: true\n",
        "acme.yaml:17: mappings[0].stream_events: only webhooks tell of events, and `userflow.source` is `poll`. "
        "Fix: write `stream_events: false`, or `source: webhooks` for Userflow.",
    ),
    (
        GOOD.replace("  token", "  timeline: app_events\n  token"),
        "acme.yaml:5: hubspot.timeline: app events need an OAuth app, a plain token cannot send them. "
        "Fix: write `timeline: custom_events`, or connect by oauth.",
    ),
    (
        GOOD.replace("hubspot: contacts", "hubspot: contact"),
        "acme.yaml:11: mappings[0].hubspot: `contact` is no HubSpot object type. Fix: did you mean `contacts`.",
    ),
    (
        GOOD.replace("hubspot: contacts", "hubspot: 0-5"),
        "acme.yaml:11: mappings[0].hubspot: `0-5` is no HubSpot object type. "
        "Fix: write contacts, companies, deals or a custom type's id such as 2-123456.",
    ),
    (
        GOOD.replace("hubspot: contacts", "hubspot: p124_pet"),
        "acme.yaml:11: mappings[0].hubspot: `p124_pet` belongs to account 124. Fix: use a type of account 123.",
    ),
    (
        GOOD.replace("userflow: users", "userflow: groups"),
        "acme.yaml:12: mappings[0].userflow: `groups` is no Userflow object type. Fix: write users or companies.",
    ),
    (
        GOOD.replace("userflow: users", "userflow: companies"),
        "acme.yaml:13: mappings[0].match.userflow: Userflow companies are not matched by `email`. Fix: write id.",
    ),
    (
        GOOD.replace("userflow: email", "userflow: phone"),
        "acme.yaml:13: mappings[0].match.userflow: Userflow users are not matched by `phone`. Fix: write email or id.",
    ),
    (
        GOOD.replace("hubspot: email", "hubspot: company.domain"),
        "acme.yaml:13: mappings[0].match.hubspot: `company.domain` is a field of another object. "
        "Fix: match by a field of the contacts themselves.",
    ),
    (
        WITH_OAUTH + second("deals", "users", "hubspot: mail, userflow: email", "stream_events: true"),
        "acme.yaml:20: mappings[1].stream_events: app events appear on contacts and companies, not on deals. "
        "Fix: write `stream_events: false`, or `timeline: custom_events` for the integration.",
    ),
    (
        WITH_OAUTH + second("2-77", "users", "hubspot: mail, userflow: email", "stream_events: [flow_started]"),
        "acme.yaml:20: mappings[1].stream_events: app events appear on contacts and companies, not on 2-77. "
        "Fix: write `stream_events: false`, or `timeline: custom_events` for the integration.",
    ),
    (
        f"{GOOD}      - contact.phone\n",
        "acme.yaml:16: mappings[0].to_userflow[1]: contacts have no associated field of their own type. "
        "Fix: write `phone`.",
    ),
    (
        f"{GOOD}    to_hubspot:\n      - {{from: company.name, to: a}}\n",
        "acme.yaml:17: mappings[0].to_hubspot[0].from: `company.name` is an associated field, "
        "and those only flow to Userflow. Fix: read a field of the users.",
    ),
    (
        f"{GOOD}    to_hubspot:\n      - {{from: plan, to: company.plan}}\n",
        "acme.yaml:17: mappings[0].to_hubspot[0].to: `company.plan` is a field of another object, "
        "and a rule writes the paired one only. Fix: map the other object by a mapping of its own.",
    ),
    (
        f"{GOOD}    to_hubspot:\n      - {{from: plan, to: createdate}}\n",
        "acme.yaml:17: mappings[0].to_hubspot[0].to: HubSpot contacts `createdate` is read-only. "
        "Fix: write to another field.",
    ),
    (
        f"{GOOD}      - {{from: phone, to: id}}\n",
        "acme.yaml:16: mappings[0].to_userflow[1].to: Userflow users `id` is read-only. Fix: write to another field.",
    ),
    (
        f"{GOOD}      - {{from: work_email, to: email}}\n",
        "acme.yaml:16: mappings[0].to_userflow[1].to: Userflow users `email` is what mapping `contacts-users` "
        "matches by. Fix: write to another field.",
    ),
    (
        GOOD
        + second("companies", "companies", "hubspot: uid, userflow: id", "to_hubspot:\n  - {from: a, to: b}")
        + "  - name: third\n    hubspot: companies\n    userflow: users\n"
        "    match: {hubspot: owner_mail, userflow: email}\n    to_hubspot:\n      - {from: a, to: uid}\n",
        "acme.yaml:27: mappings[2].to_hubspot[0].to: HubSpot companies `uid` is what mapping `second` matches by. "
        "Fix: write to another field.",
    ),
    (
        f"{GOOD}      - {{from: phone, to: hubspot_contact_jobtitle}}\n",
        "acme.yaml:16: mappings[0].to_userflow[1].to: two rules write Userflow users `hubspot_contact_jobtitle`, "
        "the other is on line 15. Fix: remove one of them, or give it another name by `to:`.",
    ),
    (
        f"{GOOD}      - Jobtitle\n",
        "acme.yaml:16: mappings[0].to_userflow[1]: two rules write Userflow users `hubspot_contact_jobtitle`, "
        "the other is on line 15. Fix: remove one of them, or give it another name by `to:`.",
    ),
    (
        GOOD
        + second(
            "deals",
            "users",
            "hubspot: mail, userflow: email",
            "to_userflow:\n  - {from: title, to: hubspot_contact_jobtitle}",
        ),
        "acme.yaml:21: mappings[1].to_userflow[0].to: Userflow users `hubspot_contact_jobtitle` is already owned by "
        "mapping `contacts-users`, the other is on line 15. "
        "Fix: remove one of them, or give it another name by `to:`.",
    ),
    (
        f"{GOOD}    to_hubspot:\n      - {{from: hubspot_contact_jobtitle, to: jobtitle}}\n",
        "acme.yaml:17: mappings[0].to_hubspot[0]: HubSpot contacts `jobtitle` would feed itself: HubSpot contacts "
        "`jobtitle` -> Userflow users `hubspot_contact_jobtitle` -> HubSpot contacts `jobtitle`. "
        "Fix: remove one of these rules, or write to another field.",
    ),
    (
        f"{GOOD}      - {{from: company.plan, to: plan}}\n"
        + second(
            "companies",
            "users",
            "hubspot: owner_mail, userflow: email",
            "to_hubspot:\n  - {from: plan, to: tier}\nto_userflow:\n  - {from: tier, to: tier}",
        )
        + "  - name: third\n    hubspot: companies\n    userflow: users\n"
        "    match: {hubspot: other_mail, userflow: email}\n    to_hubspot:\n      - {from: tier, to: plan}\n",
        "acme.yaml:30: mappings[2].to_hubspot[0]: HubSpot companies `plan` would feed itself: "
        "HubSpot companies `plan` -> Userflow users `plan` -> HubSpot companies `tier` -> Userflow users `tier` "
        "-> HubSpot companies `plan`. Fix: remove one of these rules, or write to another field.",
    ),
]


REFUSALS += [
    (
        GOOD.replace("integration: acme", f"integration: {'a' * 65}"),
        "acme.yaml:1: integration: the name has 65 characters, 64 at most. Fix: write a shorter one.",
    ),
    (
        GOOD.replace("name: contacts-users", f"name: {'a' * 65}"),
        "acme.yaml:10: mappings[0].name: the name has 65 characters, 64 at most. Fix: write a shorter one.",
    ),
    (
        f"{GOOD}      - foo.name\n",
        "acme.yaml:16: mappings[0].to_userflow[1]: contacts have no association `foo`. "
        "Fix: write one of `company.name`, `deal.name`.",
    ),
    (
        f"{GOOD}      - {{from: companies.name, to: a}}\n",
        "acme.yaml:16: mappings[0].to_userflow[1].from: contacts have no association `companies`. "
        "Fix: did you mean `company`.",
    ),
    (
        f"{GOOD}      - company.owner.name\n",
        "acme.yaml:16: mappings[0].to_userflow[1]: `company.owner.name` leads further than one association. "
        "Fix: write `company.name`.",
    ),
    (
        f"{GOOD}      - company.\n",
        "acme.yaml:16: mappings[0].to_userflow[1]: `company.` names no field of an associated object. "
        "Fix: write `company.name`, say.",
    ),
    (
        GOOD.replace("hubspot: email", "hubspot: foo.domain"),
        "acme.yaml:13: mappings[0].match.hubspot: `foo.domain` is a field of another object. "
        "Fix: match by a field of the contacts themselves.",
    ),
    (
        f"{GOOD}    to_hubspot:\n      - {{from: plan, to: foo.plan}}\n",
        "acme.yaml:17: mappings[0].to_hubspot[0].to: `foo.plan` is a field of another object, "
        "and a rule writes the paired one only. Fix: map the other object by a mapping of its own.",
    ),
]


@pytest.mark.parametrize(("text", "message"), REFUSALS)
def test_a_file_is_refused_with_the_line_and_says_so_once(text: str, message: str) -> None:
    assert refused(text) == [message]


ACCEPTED = [
    GOOD.replace("  app_secret: ${HUBSPOT_APP_SECRET}\n", "  source: journal\n").replace(
        "  token: ${HUBSPOT_TOKEN}\n", "  oauth: {client_id: a, client_secret: b, refresh_token: c}\n"
    ),
    GOOD.replace("  environment: production\n", "  environment: production\n  source: poll\n"),
    GOOD.replace("  app_secret: ${HUBSPOT_APP_SECRET}\n", "  source: poll\n"),
    GOOD.replace("hubspot: contacts", "hubspot: p123_pet"),
    GOOD + second("deals", "users", "hubspot: mail, userflow: email", "stream_events: true"),
    GOOD + second("deals", "users", "hubspot: mail, userflow: email", "on_several: newest\nto_userflow: [amount]"),
    GOOD + second("deals", "companies", "hubspot: uid, userflow: id", "to_userflow: [contact.jobtitle, company.name]"),
    # a chain is no circle, and the same name on another type is another field
    f"{GOOD}    to_hubspot:\n      - {{from: hubspot_contact_jobtitle, to: title_seen}}\n",
    GOOD + second("deals", "companies", "hubspot: uid, userflow: id", "to_userflow:\n  - {from: a, to: email}"),
    f"{GOOD}    to_hubspot: [id]\n",
    # Userflow's names have dots where people want them
    f"{GOOD}    to_hubspot: [{{from: app.plan, to: plan}}]\n      ".rstrip() + "\n",
    GOOD.replace("integration: acme", f"integration: {'a' * 64}"),
]


@pytest.mark.parametrize("text", ACCEPTED)
def test_a_file_that_only_looks_suspicious_is_taken(text: str) -> None:
    assert check(loaded(text)) == ()


def test_a_model_that_no_file_said_is_checked_as_well() -> None:
    file = loaded(GOOD)
    mapping = MappingSpec("m", "contacts", "users", "email", "email", to_userflow=(Rule("a", "x"), Rule("b", "x")))

    without_lines = replace(file, mappings=(mapping,), positions=type(file.positions)())

    assert shown(check(without_lines)) == [
        "mappings[0].to_userflow[1]: two rules write Userflow users `x`. "
        "Fix: remove one of them, or give it another name by `to:`."
    ]


def test_two_circles_are_two_problems() -> None:
    back = "    to_hubspot:\n      - {from: hubspot_contact_jobtitle, to: jobtitle}\n      - {from: x, to: phone}\n"

    assert len(refused(f"{GOOD}      - {{from: phone, to: x}}\n{back}")) == 2


def test_a_long_circle_is_shown_cut() -> None:
    chain = "".join(f"      - {{from: f{number}, to: a{number}}}\n" for number in range(20))
    back = "".join(f"      - {{from: a{number}, to: f{(number + 1) % 20}}}\n" for number in range(20))

    (message,) = refused(f"{GOOD}{chain}    to_hubspot:\n{back}")

    assert message.startswith("acme.yaml:56: mappings[0].to_hubspot[19]: HubSpot contacts `f0` would feed itself: ")
    assert "`a3` -> ... -> HubSpot contacts `f0`. Fix: remove one" in message


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("app_id: 4242", "acme.yaml:5: hubspot.app_id: `app_id` has no effect yet. Fix: remove it."),
        ("source: poll", None),
        ("source: webhooks", None),
    ],
)
def test_a_key_without_effect_is_warned_of(key: str, message: str | None) -> None:
    warnings = loaded(GOOD.replace("  token", f"  {key}\n  token")).warnings

    assert shown(warnings) == ([message] if message else [])
