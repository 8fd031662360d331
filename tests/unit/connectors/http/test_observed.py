"""An answer knows when it was true; one without a date orders nothing."""

import pytest

from connectors.contract.errors import Transient
from connectors.http.messages import Call, Headers, Request, Response
from connectors.http.observed import observed

CALL = observed(Call(Request("GET", "/objects/1"), lambda response: response.body.decode(), "live_read"))


def test_an_answer_was_true_within_the_round_trip_before_its_date_and_the_second_after_it() -> None:
    answer = CALL.parse(Response(200, Headers([("Date", "Thu, 01 Jan 1970 00:00:10 GMT")]), b"here", elapsed_ms=40))
    assert (answer.answer, answer.at_ms, answer.spread_ms) == ("here", 9_960, 1_039)


def test_an_undated_answer_has_its_content_and_no_time() -> None:
    answer = CALL.parse(Response(200, body=b"here"))
    assert (answer.answer, answer.interval) == ("here", None)
    with pytest.raises(Transient, match="undated_answer"):
        _ = answer.at_ms
