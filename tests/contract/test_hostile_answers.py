"""Whatever an answer holds, a protocol raises nothing but its own errors: anything else would end the process."""

import json
from collections.abc import Callable
from typing import Final

import hypothesis
import hypothesis.strategies as st
import pytest

from connectors.contract.errors import LONGEST_NAME, MOST_NAMES, ConnectorError, Misconfigured, Refused
from connectors.http.answers import retry_after_s
from connectors.http.messages import Headers, Response
from connectors.hubspot import protocol as hubspot
from connectors.hubspot.protocol import answers as hubspot_answers
from connectors.hubspot.protocol import limits
from connectors.userflow import protocol as userflow
from connectors.userflow.protocol import answers as userflow_answers

NUMBERS: Final = st.sampled_from(
    ["", "0", "-1", "1e400", "inf", "nan", "²", "1_0", "9" * 18, "9" * 19, "9" * 400, "9" * 5_000, " 7 ", "7, 8"]
)
DATES: Final = st.sampled_from(["Thu, 26 Nov 10000 00:00:00 GMT", "Thu, 26 Nov 0000 00:00:00 GMT", "x" * 9_000, "0"])
URLS: Final = st.sampled_from(["http://[x", "http://[x?starting_after=a", "?starting_after=%ff", "//", "?" * 50])
HEADERS: Final = st.fixed_dictionaries(
    {},
    optional={
        "Date": DATES | st.text(max_size=30),
        "Retry-After": NUMBERS,
        "X-HubSpot-RateLimit-Max": NUMBERS,
        "X-HubSpot-RateLimit-Remaining": NUMBERS,
        "X-HubSpot-RateLimit-Interval-Milliseconds": NUMBERS,
        "X-HubSpot-RateLimit-Daily-Remaining": NUMBERS,
    },
)
LEAVES: Final = st.none() | st.booleans() | st.floats() | st.integers() | st.just(10**400) | NUMBERS | URLS | DATES
WORDS: Final = (
    "results paging next after errors error context message code category id data object next_page_url has_more "
    "expires_in access_token portalId updatedAt created_at properties attributes name total correlationId url topics "
    "secret status to from label type options archived memberships data_type propertyName subscriptionType"
)
NAMES: Final = st.sampled_from(WORDS.split())
CONTENT: Final = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=6), max_leaves=25
)
BODIES: Final = CONTENT.map(lambda content: json.dumps(content).encode()) | st.binary(max_size=60)

APP: Final = hubspot.OAuthApp("id", "secret")
READS: Final[dict[str, Callable[[Response], object]]] = {
    "hubspot: account": hubspot.account_details().parse,
    "hubspot: grant": hubspot.refresh_token(APP, "token").parse,
    "hubspot: page": hubspot.list_objects("contacts", ["email"]).parse,
    "hubspot: batch": hubspot.read_objects("contacts", ["1"], ["email"]).parse,
    "hubspot: object": hubspot.get_object("contacts", "1", ["email"]).parse,
    "hubspot: written": hubspot.update_objects("contacts", [hubspot.ObjectUpdate("1", {"city": "Paris"})]).parse,
    "hubspot: associations": hubspot.list_associations("contacts", "1", "companies").parse,
    "hubspot: properties": hubspot.list_properties("contacts").parse,
    "hubspot: schemas": hubspot.list_schemas().parse,
    "hubspot: events": hubspot.list_event_definitions().parse,
    "hubspot: notification": lambda response: hubspot.parse_notifications(response.body),
    "hubspot: status": lambda response: hubspot_answers.accept(response, "write", "1"),
    "hubspot: rate": lambda response: limits.rate_notice(response.headers),
    "userflow: page": userflow.list_objects("users").parse,
    "userflow: object": userflow.get_object("users", "1", memberships=True).parse,
    "userflow: written": userflow.upsert_object("users", "1", {"plan": "plus"}).parse,
    "userflow: attributes": userflow.list_attribute_definitions("user").parse,
    "userflow: events": userflow.list_event_definitions().parse,
    "userflow: notification": lambda response: userflow.parse_notifications(response.body),
    "userflow: status": lambda response: userflow_answers.accept(response, "write", "1"),
    "userflow: subscriptions": userflow.list_subscriptions().parse,
    "userflow: subscription": userflow.create_subscription("https://sync.acme.com", ["user.updated"]).parse,
    "the second it was true": lambda response: response.observed,
    "the wait": retry_after_s,
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
@hypothesis.given(st.sampled_from([200, 302, 400, 401, 403, 404, 408, 423, 429, 477, 500, 503]), HEADERS, BODIES)
def test_no_answer_raises_anything_but_the_connectors_errors(
    read: Callable[[Response], object], status: int, headers: dict[str, str], body: bytes
) -> None:
    try:
        read(Response(status, Headers(headers.items()), body, 5))
    except ConnectorError as error:
        str(error)


LONG: Final = "x" * 5_000 + "\x1b[2J"


def test_names_in_errors_are_short_few_and_printable() -> None:
    refused = Refused("\x1b[2J", fields=(LONG,) * 500)
    needed = Misconfigured("forbidden", needed=("\x1b[2J",) * 500)

    assert (len(refused.fields), len(refused.fields[0])) == (MOST_NAMES, LONGEST_NAME)
    assert (refused.reason, len(needed.needed), needed.needed[0]) == ("?[2J", MOST_NAMES, "?[2J")
    assert str(refused).isprintable()


def test_a_vendors_own_words_are_cut_where_they_name_a_field() -> None:
    body = json.dumps({"category": "VALIDATION_ERROR", "message": f'Property "{LONG}" does not exist'}).encode()

    with pytest.raises(Refused) as caught:
        hubspot_answers.accept(Response(400, body=body), "write")

    assert len(caught.value.fields[0]) == LONGEST_NAME
