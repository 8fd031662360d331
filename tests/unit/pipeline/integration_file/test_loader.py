"""Reading an integration file: what it means, and how its mistakes are told together."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.integration_file.loader import load
from pipeline.integration_file.model import (
    HubSpotSection,
    IntegrationFile,
    MappingSpec,
    OAuth,
    Rule,
    Secret,
    UserflowSection,
)
from tests.unit.pipeline.integration_file.files import ENVIRONMENT, EXAMPLES, GOOD, loaded, refused, shown


def test_the_full_example_means_what_it_says() -> None:
    oauth = OAuth("client-id-0", Secret("client-secret-0"), Secret("refresh-token-0"))

    assert loaded((EXAMPLES / "full.yaml").read_text()) == IntegrationFile(
        "acme-production",
        HubSpotSection(12345678, None, Secret("app-secret-0"), oauth, None, "webhooks", "app_events"),
        UserflowSection("production", "us", Secret("api-key-0")),
        (
            MappingSpec(
                "contacts-users",
                "contacts",
                "users",
                "email",
                "email",
                "refuse",
                (Rule("jobtitle", "hubspot_contact_jobtitle"), Rule("company.name", "employer", "keep", True)),
                (Rule("signed_up_at", "userflow_user_signed_up_at"), Rule("plan", "existing_property", "clear", True)),
                True,
            ),
            MappingSpec(
                "companies",
                "companies",
                "companies",
                "userflow_company_id",
                "id",
                to_userflow=(Rule("industry", "hubspot_company_industry"),),
            ),
        ),
    )


def test_the_minimal_example_takes_the_defaults() -> None:
    file = loaded((EXAMPLES / "minimal.yaml").read_text())

    assert file.hubspot == HubSpotSection(
        12345678, None, Secret("app-secret-0"), None, Secret("token-0"), "webhooks", "custom_events"
    )
    assert file.userflow.region == "us"
    assert file.mappings[0].on_several == "refuse"
    assert file.mappings[0].stream_events is False


def test_the_timeline_follows_the_kind_of_connection() -> None:
    oauth = GOOD.replace("token: ${HUBSPOT_TOKEN}", "oauth: {client_id: a, client_secret: b, refresh_token: c}")

    assert loaded(GOOD).hubspot.timeline == "custom_events"
    assert loaded(oauth).hubspot.timeline == "app_events"
    assert loaded(oauth).hubspot.oauth == OAuth("a", Secret("b"), Secret("c"))


@pytest.mark.parametrize("written", ["123", "'123'", '"123"', "${ACCOUNT}"])
def test_an_account_may_be_a_number_or_its_text(written: str) -> None:
    file = load(GOOD.replace("account: 123", f"account: {written}"), "f", ENVIRONMENT | {"ACCOUNT": "123"})

    assert isinstance(file, IntegrationFile)
    assert file.hubspot.account == 123


def test_accounts_are_companies() -> None:
    text = GOOD.replace("hubspot: contacts", "hubspot: accounts").replace("users", "companies")
    file = loaded(text.replace("userflow: email", "userflow: id"))

    assert file.mappings[0].hubspot_type == "companies"
    assert file.mappings[0].to_userflow == (Rule("jobtitle", "hubspot_company_jobtitle"),)


def test_a_name_that_older_yaml_takes_for_something_else_stays_a_name() -> None:
    rules = loaded(f"{GOOD}      - no\n      - 2024-01-02\n      - '12'\n").mappings[0].to_userflow

    assert [rule.source for rule in rules] == ["jobtitle", "no", "2024-01-02", "12"]


@pytest.mark.parametrize(
    ("written", "events"),
    [
        ("true", True),
        ("false", False),
        ("[flow_started, flow_started, NPS]", ("flow_started", "NPS")),
    ],
)
def test_events_are_all_none_or_named(written: str, events: bool | tuple[str, ...]) -> None:
    assert loaded(f"{GOOD}    stream_events: {written}\n").mappings[0].stream_events == events


def test_a_target_written_out_as_its_default_name_is_the_default() -> None:
    file = loaded(f"{GOOD}    to_hubspot: [{{from: plan, to: userflow_user_plan}}]\n")

    assert file.mappings[0].to_hubspot == (Rule("plan", "userflow_user_plan", "clear", explicit_target=False),)


def test_a_file_remembers_its_lines_but_does_not_compare_them() -> None:
    moved = loaded(f"# a remark\n{GOOD}")

    assert moved == loaded(GOOD)
    assert moved.positions.at("mappings[0].to_userflow[0]") == (16, 9)


def test_secrets_show_themselves_nowhere() -> None:
    file = loaded((EXAMPLES / "full.yaml").read_text())
    shown = f"{file!r} {file} {dataclasses.asdict(file)}"

    assert file.hubspot.app_secret is not None
    assert (file.hubspot.app_secret.reveal(), f"{file.hubspot.app_secret}") == ("app-secret-0", "***")
    for name in ("app-secret-0", "client-secret-0", "refresh-token-0", "api-key-0"):
        assert name not in shown


def test_a_missing_variable_is_named_and_hides_nothing_else() -> None:
    text = f"{GOOD}      - jobtitle\n".replace("account: 123", "account: ${ACCOUNT}")

    assert refused(text, {}) == [
        "acme.yaml:3: hubspot.account: the environment variable ACCOUNT is not set. "
        "Fix: set ACCOUNT before running this command.",
        "acme.yaml:4: hubspot.app_secret: the environment variable HUBSPOT_APP_SECRET is not set. "
        "Fix: set HUBSPOT_APP_SECRET before running this command.",
        "acme.yaml:5: hubspot.token: the environment variable HUBSPOT_TOKEN is not set. "
        "Fix: set HUBSPOT_TOKEN before running this command.",
        "acme.yaml:8: userflow.api_key: the environment variable USERFLOW_API_KEY is not set. "
        "Fix: set USERFLOW_API_KEY before running this command.",
        "acme.yaml:16: mappings[0].to_userflow[1]: two rules write Userflow users `hubspot_contact_jobtitle`, "
        "the other is on line 15. Fix: remove one of them, or give it another name by `to:`.",
    ]


def test_the_value_of_a_variable_is_never_shown() -> None:
    environment = ENVIRONMENT | {"ANY": "s3cret-value"}
    text = GOOD.replace("account: 123", "account: ${ANY}\n  source: ${ANY}\n  app_id: ${ANY}")

    messages = refused(text.replace("production", "production\n  region: ${ANY}"), environment)

    assert len(messages) == 4
    assert "s3cret-value" not in "".join(messages)
    assert all("got `${ANY}`" in message for message in messages)


def test_a_file_of_nothing_but_mistakes_reports_them_all() -> None:
    text = "integration: Acme!\nhubspot:\n  account: x\nuserflow: 1\nmappings:\n  - a\n  - {name: b}\nother: 1\n"

    assert [message.split(": ")[0] + " " + message.split(": ")[1] for message in refused(text)] == [
        "acme.yaml:1 integration",
        "acme.yaml:2 hubspot",
        "acme.yaml:2 hubspot",
        "acme.yaml:3 hubspot.account",
        "acme.yaml:4 userflow",
        "acme.yaml:6 mappings[0]",
        "acme.yaml:7 mappings[1].hubspot",
        "acme.yaml:7 mappings[1].userflow",
        "acme.yaml:7 mappings[1].match",
        "acme.yaml:7 mappings[1]",
        "acme.yaml:8 other",
    ]


def test_more_problems_than_anybody_reads_are_counted() -> None:
    messages = refused(GOOD + "".join(f"key{number}: 1\n" for number in range(150)))

    assert len(messages) == 101
    assert messages[0].startswith("acme.yaml:16: key0: unknown key")
    assert messages[-1] == "and 50 more"


def test_a_file_that_nobody_wrote_by_hand_is_refused_at_once() -> None:
    assert refused("#" * 1_000_001) == [
        "acme.yaml: larger than 1,000,000 bytes. Fix: write one file for each integration."
    ]


def test_unset_variables_may_be_left_open_while_the_rest_is_judged() -> None:
    text = GOOD.replace("account: 123", "account: ${ACCOUNT}\n  source: ${SOURCE}").replace(
        "environment", "region: ${REGION}\n  environment"
    )

    assert isinstance(load(text, "acme.yaml", {}, all_set=False), IntegrationFile)
    spoiled = load(f"{text}      - jobtitle\n", "acme.yaml", {}, all_set=False)
    assert isinstance(spoiled, tuple)
    assert ["two rules write" in problem.message for problem in spoiled] == [True]


def test_a_key_that_nothing_reads_is_refused_although_its_variable_is_not_set() -> None:
    problems = load(GOOD.replace("  api_key:", "  colour: ${COLOUR}\n  api_key:"), "acme.yaml", {}, all_set=False)

    assert isinstance(problems, tuple)
    assert shown(problems) == [
        "acme.yaml:8: userflow.colour: unknown key `colour`. "
        "Fix: remove it; known keys: environment, region, api_key, source."
    ]


@pytest.mark.parametrize("key", ["hubspot.token", "userflow.colour", "mappings[0].name", 'hubspot."token"'])
def test_a_key_that_reads_like_a_path_is_not_taken_for_the_place_it_names(key: str) -> None:
    problems = load(f"{GOOD}'{key}': 1\n", "acme.yaml", {}, all_set=False)

    assert isinstance(problems, tuple)
    (line,) = shown(problems)
    assert line.startswith(f'acme.yaml:16: "{key}": unknown key `{key}`. Fix: ')


def test_a_key_with_a_dot_in_a_section_is_refused_like_any_other() -> None:
    assert refused(GOOD.replace("  account: 123\n", "  account: 123\n  a.b: 1\n")) == [
        'acme.yaml:4: hubspot."a.b": unknown key `a.b`. Fix: remove it; known keys: '
        "account, app_id, app_secret, oauth, token, source, timeline."
    ]


def test_what_is_set_is_judged_where_nothing_needs_to_be_set() -> None:
    problems = load(GOOD, "acme.yaml", {"HUBSPOT_TOKEN": "“pat-1”"}, all_set=False)

    assert isinstance(problems, tuple)
    assert [problem.path for problem in problems] == ["hubspot.token"]


def test_access_may_be_granted_in_a_browser() -> None:
    text = GOOD.replace("token: ${HUBSPOT_TOKEN}", "oauth: {client_id: a, client_secret: '${HUBSPOT_CLIENT_SECRET}'}")

    assert isinstance(load(text, "acme.yaml", ENVIRONMENT), IntegrationFile)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    assert isinstance(load(text, "f.yaml", ENVIRONMENT), tuple)


@given(st.integers(0, len(GOOD)), st.integers(0, 40), st.text(alphabet="{}[]:-$ \n\t'\"a1&*", max_size=6))
def test_a_spoiled_file_never_raises(start: int, length: int, inserted: str) -> None:
    result = load(GOOD[:start] + inserted + GOOD[start + length :], "f.yaml", ENVIRONMENT)

    assert isinstance(result, IntegrationFile) or all(problem.line > 0 for problem in result)
