"""What reading alone refuses, with the whole message."""

import pytest

from tests.unit.pipeline.integration_file.files import GOOD, HEAD, refused

REFUSALS = [
    (
        GOOD.replace("hubspot: email", 'hubspot: "em\\u200bail"'),
        "acme.yaml:13: mappings[0].match.hubspot: character 3 is U+200B, which nobody sees. Fix: type the name anew.",
    ),
    (
        GOOD + '      - "job\\u2060title"\n',
        "acme.yaml:16: mappings[0].to_userflow[1]: character 4 is U+2060, which nobody sees. Fix: type the name anew.",
    ),
    (
        GOOD.replace("integration: acme\n", ""),
        "acme.yaml:1: integration: the key `integration` is needed. Fix: add `integration:`.",
    ),
    (
        GOOD.replace("integration: acme", "integration:"),
        "acme.yaml:1: integration: the key `integration` is needed. Fix: add `integration:`.",
    ),
    (
        GOOD.replace("integration: acme", 'integration: ""'),
        "acme.yaml:1: integration: the text is empty. Fix: write a value.",
    ),
    (
        GOOD.replace("acme\n", "[acme]\n", 1),
        "acme.yaml:1: integration: expected text, got a list. Fix: write one text, or remove it.",
    ),
    (
        GOOD.replace("  account: 123\n", ""),
        "acme.yaml:2: hubspot.account: the key `account` is needed. Fix: add `account:`.",
    ),
    (
        GOOD.replace("account: 123", "account: acme"),
        "acme.yaml:3: hubspot.account: expected a whole number, got `acme`. Fix: write the digits only.",
    ),
    (
        GOOD.replace("account: 123", "account: 12.0"),
        "acme.yaml:3: hubspot.account: expected a whole number, got `12.0`. Fix: write the digits only.",
    ),
    (
        GOOD.replace("account: 123", "acount: 123\n  account: 123"),
        "acme.yaml:3: hubspot.acount: unknown key `acount`. Fix: did you mean `account`.",
    ),
    (
        GOOD.replace("    to_userflow", "    zebra: 1\n    to_userflow"),
        "acme.yaml:14: mappings[0].zebra: unknown key `zebra`. Fix: remove it; known keys: name, hubspot, userflow, "
        "match, on_several, to_userflow, to_hubspot, stream_events.",
    ),
    (
        GOOD.replace("userflow:\n  environment", "userflow:\n  region: uk\n  environment"),
        "acme.yaml:7: userflow.region: expected us or eu, got `uk`. Fix: write us or eu.",
    ),
    (
        GOOD.replace("  account", "  source: webhook\n  account"),
        "acme.yaml:3: hubspot.source: expected webhooks or journal or poll, got `webhook`. "
        "Fix: did you mean `webhooks`.",
    ),
    (
        GOOD.replace("  account", "  source: jurnal\n  account").replace("  app_secret: ${HUBSPOT_APP_SECRET}\n", ""),
        "acme.yaml:3: hubspot.source: expected webhooks or journal or poll, got `jurnal`. Fix: did you mean `journal`.",
    ),
    (
        GOOD.replace("  account", "  timeline: off\n  account"),
        "acme.yaml:3: hubspot.timeline: expected app_events or custom_events, got `off`. "
        "Fix: write app_events or custom_events.",
    ),
    (
        GOOD.replace("match: {hubspot: email, userflow: email}", "match: email"),
        "acme.yaml:13: mappings[0].match: expected keys: hubspot, userflow, got text. "
        "Fix: `pairstream schema --example` prints a whole file.",
    ),
    (
        GOOD.replace("{hubspot: email, userflow: email}", "{hubspot: email}"),
        "acme.yaml:13: mappings[0].match.userflow: the key `userflow` is needed. Fix: add `userflow:`.",
    ),
    (
        f"{GOOD}    on_several: oldest\n",
        "acme.yaml:16: mappings[0].on_several: expected refuse or newest, got `oldest`. Fix: write refuse or newest.",
    ),
    (
        f"{GOOD}      - {{from: a, on_empty: forget}}\n",
        "acme.yaml:16: mappings[0].to_userflow[1].on_empty: expected clear or keep, got `forget`. "
        "Fix: write clear or keep.",
    ),
    (
        f"{GOOD}      - {{to: a}}\n",
        "acme.yaml:16: mappings[0].to_userflow[1].from: the key `from` is needed. Fix: add `from:`.",
    ),
    (
        f"{GOOD}      -\n",
        "acme.yaml:16: mappings[0].to_userflow[1]: expected text, got nothing. Fix: write one text, or remove it.",
    ),
    (
        f"{GOOD}      - [a]\n",
        "acme.yaml:16: mappings[0].to_userflow[1]: expected text, got a list. Fix: write one text, or remove it.",
    ),
    (
        f"{GOOD}    stream_events: all\n",
        "acme.yaml:16: mappings[0].stream_events: expected true, false or a list, got `all`. "
        "Fix: write true for every event, false for none.",
    ),
    (
        f"{GOOD}    stream_events: yes\n",
        "acme.yaml:16: mappings[0].stream_events: expected true, false or a list, got `yes`. "
        "Fix: write true for every event, false for none.",
    ),
    (
        f"{GOOD}    stream_events: [a, true]\n",
        "acme.yaml:16: mappings[0].stream_events[1]: expected text, got the boolean `true`. Fix: put it in quotes.",
    ),
    (
        f"{GOOD}      - 12\n",
        "acme.yaml:16: mappings[0].to_userflow[1]: expected text, got the number `12`. Fix: put it in quotes.",
    ),
    (
        f"{GOOD}      - {{from: a, to: 1.5}}\n",
        "acme.yaml:16: mappings[0].to_userflow[1].to: expected text, got the number `1.5`. Fix: put it in quotes.",
    ),
    (
        GOOD.replace("production", "true"),
        "acme.yaml:7: userflow.environment: expected text, got the boolean `true`. Fix: put it in quotes.",
    ),
    (
        GOOD.replace("${USERFLOW_API_KEY}", "12345"),
        "acme.yaml:8: userflow.api_key: expected text, got a number. Fix: put it in quotes.",
    ),
    (
        GOOD.replace("account: 123", "account: true"),
        "acme.yaml:3: hubspot.account: expected a whole number, got `True`. Fix: write the digits only.",
    ),
    (
        f"{GOOD}      - {'a' * 256}\n",
        "acme.yaml:16: mappings[0].to_userflow[1]: has 256 characters, 255 at most. Fix: write a shorter one.",
    ),
    (
        f"{GOOD}{'k' * 100}: 1\n",
        f"acme.yaml:16: {'k' * 64}…: unknown key `{'k' * 64}…`. "
        "Fix: remove it; known keys: integration, hubspot, userflow, mappings.",
    ),
    (
        f"{GOOD}    stream_events: []\n",
        "acme.yaml:16: mappings[0].stream_events: the list names no event. "
        "Fix: write false, true, or the names of events.",
    ),
    (
        f"{HEAD}mappings: contacts\n",
        "acme.yaml:9: mappings: expected a list, got text. "
        "Fix: put it in brackets, `[...]`, or begin each item with `- ` on a line of its own.",
    ),
    (
        GOOD.replace("to_userflow:\n      - jobtitle", "to_userflow: jobtitle"),
        "acme.yaml:14: mappings[0].to_userflow: expected a list, got text. "
        "Fix: put it in brackets, `[...]`, or begin each item with `- ` on a line of its own.",
    ),
    (
        f"{GOOD}mappings: []\n",
        "acme.yaml:16: mappings: given twice, first on line 9. Fix: keep one of them.",
    ),
    (
        "- a\n",
        "acme.yaml:1: expected keys: integration, hubspot, userflow, mappings, got a list. "
        "Fix: `pairstream schema --example` prints a whole file.",
    ),
]


@pytest.mark.parametrize(("text", "message"), REFUSALS)
def test_reading_refuses_with_the_line_and_says_so_once(text: str, message: str) -> None:
    assert refused(text) == [message]
