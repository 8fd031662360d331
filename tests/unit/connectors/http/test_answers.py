"""What a status means is the same for every vendor, but for what its dialect names."""

from typing import Final

import pytest

from connectors.contract.errors import (
    ConnectorError,
    CredentialsRejected,
    Misconfigured,
    Missing,
    RateLimited,
    Refused,
    Transient,
    UnknownResult,
)
from connectors.http.answers import Dialect, accept, retry_after_s
from connectors.http.lenient_json import JsonObject
from connectors.http.messages import Headers, Response

DIALECT: Final = Dialect(
    error=lambda response: {"code": "x"} if response.body else None,
    forbidden=lambda _: Misconfigured("forbidden"),
    limited=lambda response, _: RateLimited("burst", wait_s=retry_after_s(response)),
    refused=lambda error, status, object_id: Refused(str(error.get("code")), status=status, object_id=object_id),
    trace=lambda error: "t-1" if error else None,
    throttled=frozenset({429, 420}),
    not_done=frozenset({423, 503}),
    waits_s={423: 2.0},
)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, Misconfigured),
        (401, CredentialsRejected),
        (403, Misconfigured),
        (404, Missing),
        (408, UnknownResult),
        (420, RateLimited),
        (423, Transient),
        (429, RateLimited),
        (500, UnknownResult),
        (503, Transient),
        (409, Refused),
    ],
)
def test_a_status_of_a_write_says_what_to_do_next(status: int, kind: type[ConnectorError]) -> None:
    with pytest.raises(ConnectorError) as caught:
        accept(DIALECT, Response(status, body=b"x"), "write", "7")
    assert type(caught.value) is kind


@pytest.mark.parametrize("status", [408, 500, 502, 503])
def test_a_failing_read_leaves_nothing_open(status: int) -> None:
    with pytest.raises(Transient):
        accept(DIALECT, Response(status, body=b"x"), "read")


@pytest.mark.parametrize("status", [200, 201, 204, 207])
def test_success_is_accepted(status: int) -> None:
    accept(DIALECT, Response(status), "write")


def test_a_404_that_is_none_of_the_vendors_errors_is_another_api() -> None:
    with pytest.raises(Misconfigured, match="not_this_api"):
        accept(DIALECT, Response(404), "read")


@pytest.mark.parametrize(("headers", "wait_s"), [({}, 2.0), ({"Retry-After": "7"}, 7.0), ({"Retry-After": "-1"}, 0.0)])
def test_the_usual_wait_holds_where_the_answer_asks_for_none(headers: dict[str, str], wait_s: float) -> None:
    with pytest.raises(Transient) as caught:
        accept(DIALECT, Response(423, Headers(headers.items()), b"x"), "write")
    assert (caught.value.wait_s, caught.value.trace) == (wait_s, "t-1")


def test_a_refusal_is_worded_by_the_vendor() -> None:
    def refused(error: JsonObject, status: int, object_id: str | None) -> Refused:
        return Refused("worded", status=status, object_id=object_id)

    dialect = Dialect(DIALECT.error, DIALECT.forbidden, DIALECT.limited, refused)
    with pytest.raises(Refused) as caught:
        accept(dialect, Response(422, body=b"x"), "write", "7")
    assert (caught.value.reason, caught.value.status, caught.value.object_id) == ("worded", 422, "7")
