"""What HubSpot's refusals mean, and that they are named without repeating a value."""

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
from connectors.http.messages import Headers, Response
from connectors.hubspot import protocol as hubspot
from tests.unit.connectors.hubspot.calls import CALLS, answer


def _429(policy: str) -> dict[str, str]:
    return {"errorType": "RATE_LIMIT", "policyName": policy, "message": "You have reached your limit."}


class TestErrors:
    @pytest.mark.parametrize(
        ("status", "body", "kind", "wait_s"),
        [
            (401, {"category": "EXPIRED_AUTHENTICATION"}, CredentialsRejected, None),
            (404, {"category": "OBJECT_NOT_FOUND"}, Missing, None),
            (429, _429("TEN_SECONDLY_ROLLING"), RateLimited, 10.0),
            (429, _429("SECONDLY"), RateLimited, 1.0),
            (429, {"message": "You have reached your secondly limit."}, RateLimited, 1.0),
            (429, _429("DAILY"), RateLimited, 900.0),
            (429, {}, RateLimited, None),
            (423, {}, Transient, 2.0),
            (477, {}, Transient, 7.0),
            (503, {}, Transient, None),
            (500, {}, UnknownResult, None),
            (502, {}, UnknownResult, None),
            (524, {}, UnknownResult, None),
            (302, {}, Misconfigured, None),
            (403, {"category": "MISSING_SCOPES"}, Misconfigured, None),
            (400, {"category": "VALIDATION_ERROR"}, Refused, None),
            (409, {"category": "CONFLICT"}, Refused, None),
            (413, {}, Refused, None),
        ],
    )
    def test_a_status_says_what_to_do_next(
        self, status: int, body: object, kind: type[ConnectorError], wait_s: float | None
    ) -> None:
        headers = {"Retry-After": "7"} if status == 477 else {}
        with pytest.raises(ConnectorError) as caught:
            CALLS["update_objects"].parse(answer(status, body, headers))
        assert type(caught.value) is kind
        assert getattr(caught.value, "wait_s", None) == wait_s

    def test_a_server_error_on_a_read_leaves_nothing_open(self) -> None:
        with pytest.raises(Transient):
            CALLS["read_objects"].parse(answer(502, {}))

    def test_a_page_of_something_else_is_not_a_missing_record(self) -> None:
        with pytest.raises(Misconfigured, match="not_this_api"):
            CALLS["get_object"].parse(Response(404, body=b"<html>nginx</html>"))

    @pytest.mark.parametrize(
        ("body", "reason", "fields"),
        [
            (
                {
                    "message": 'Property values were not valid: [{"isValid":false,"message":"Property \\"plan\\" does '
                    'not exist","error":"PROPERTY_DOESNT_EXIST","name":"plan"},{"error":"INVALID_LONG","name":"age"}]',
                    "category": "VALIDATION_ERROR",
                },
                "unknown_field",
                ("plan", "age"),
            ),
            ({"message": 'Property "plan" does not exist', "category": "VALIDATION_ERROR"}, "unknown_field", ("plan",)),
            (
                {"errors": [{"code": "READ_ONLY_VALUE", "context": {"propertyName": ["hs_x"]}}]},
                "read_only_field",
                ("hs_x",),
            ),
            ({"errors": [{"code": "MISSING_CONDITIONAL_REQUIRED_PROPERTY"}]}, "missing_required_field", ()),
            ({"category": "CONFLICT", "message": "Contact already exists. Existing ID: 6001"}, "conflict", ()),
            ({"subCategory": "Properties.PROPERTY_WITH_NAME_EXISTS"}, "property_with_name_exists", ()),
            ({"category": "VALIDATION_ERROR", "errors": [{"code": "NEW_RULE"}]}, "new_rule", ()),
            ({"category": "hello ann@example.com"}, "refused", ()),
            ({"category": ["VALIDATION_ERROR"], "errors": "none", "context": 3, "message": 4}, "invalid_request", ()),
            ({}, "http_400", ()),
        ],
    )
    def test_a_refusal_names_reason_and_fields(self, body: object, reason: str, fields: tuple[str, ...]) -> None:
        with pytest.raises(Refused) as caught:
            CALLS["get_object"].parse(answer(400, body))
        assert (caught.value.reason, caught.value.fields, caught.value.object_id) == (reason, fields, "7")

    def test_no_error_repeats_what_the_vendor_said_in_words(self) -> None:
        body = {"message": 'Email address ann@example.com is invalid [{"name":"email","error":"INVALID_EMAIL"}]'}
        with pytest.raises(Refused) as caught:
            CALLS["get_object"].parse(answer(400, body | {"correlationId": "c-1"}))
        assert str(caught.value) == (
            "The request was understood and refused (reason invalid_value, status 400, trace c-1, fields email)"
        )

    def test_a_lacking_scope_is_named(self) -> None:
        context = {"requiredGranularScopes": ["crm.objects.deals.read"]}
        with pytest.raises(Misconfigured) as caught:
            CALLS["list_objects"].parse(answer(403, {"category": "MISSING_SCOPES", "errors": [{"context": context}]}))
        assert (caught.value.reason, caught.value.needed) == ("missing_scopes", ("crm.objects.deals.read",))

    def test_rate_headers(self) -> None:
        headers = {"x-hubspot-ratelimit-max": "190", "X-HubSpot-RateLimit-Remaining": "3"}
        notice = hubspot.rate_notice(Headers(headers.items()))
        assert notice is not None
        assert (notice.limit, notice.remaining, notice.interval_s, notice.day_limit) == (190, 3, 10.0, None)
        daily = headers | {"x-hubspot-ratelimit-daily": "625000", "x-hubspot-ratelimit-daily-remaining": "-1"}
        notice = hubspot.rate_notice(Headers(daily.items()))
        assert notice is not None and (notice.day_limit, notice.day_remaining) == (625_000, 0)
        assert hubspot.rate_notice(Headers()) is None
        assert hubspot.rate_notice(Headers([("X-HubSpot-RateLimit-Max", "many")])) is None
