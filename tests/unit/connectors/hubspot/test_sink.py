"""Writing to HubSpot: what is stored, what is refused and why, what is tried again, and what never leaves."""

import asyncio
import datetime as dt
import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from connectors.contract.errors import CredentialsRejected, Transient, UnknownResult
from connectors.contract.sink import Again, Answered, OwnershipLost, RefusedFields, Vanished
from connectors.http.messages import Request, Response
from connectors.hubspot.account import assemble
from tests.examples import share
from tests.unit.connectors.hubspot.account import AsgiTransport, Opened, opened, opening, write


def refusals(results: Any) -> dict[tuple[str, str], str]:
    """(object, field) -> reason."""
    return {
        (result.write.object_id, name): result.reason
        for result in results
        if isinstance(result, RefusedFields)
        for name in result.fields
    }


def stored(results: Any) -> dict[tuple[str, str], Any]:
    """(object, field) -> what the answers say is stored."""
    return {
        (result.write.object_id, name): value
        for result in results
        if isinstance(result, Answered)
        for name, value in result.stored.items()
    }


def ended(results: Any) -> Counter[tuple[str, str]]:
    """How many ends each field of each object has."""
    return Counter((result.write.object_id, name) for result in results for name in result.write.fields)


@pytest.fixture
def case() -> Opened:
    return opened()


async def test_a_batch_is_one_request_and_answers_with_what_is_stored(case: Opened) -> None:
    results = await case.write(
        write("1", jobtitle="Chief", seats=5, vip=True), write("2", renewal=dt.date(2026, 3, 1), jobtitle=None)
    )
    assert stored(results) == {
        ("1", "jobtitle"): "Chief",
        ("1", "seats"): 5,
        ("1", "vip"): True,
        ("2", "renewal"): dt.date(2026, 3, 1),
        ("2", "jobtitle"): None,
    }
    assert {(result.at_ms, result.spread_ms) for result in results} == {(case.portal.now_ms(), 0)}
    assert len(case.transport.sent) == 1
    assert (case.holds("1")["seats"], case.holds("2")["jobtitle"]) == ("5", "")


async def test_only_the_fields_of_the_write_are_sent(case: Opened) -> None:
    await case.write(write("1", seats=5))
    (row,) = json.loads(case.posts[0].body or b"")["inputs"]
    assert (row["id"], row["properties"]) == ("1", {"seats": "5"})


@pytest.mark.parametrize(
    ("kind", "object_id", "fields"),
    [
        ("companies", "10", {"numberofemployees": 13}),
        ("deals", "20", {"amount": 0.25, "closedate": dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)}),
        ("2-77", "30", {"slug": "new", "seats": 8}),
    ],
)
async def test_every_type_is_written_alike(case: Opened, kind: str, object_id: str, fields: Any) -> None:
    (result,) = await case.write(write(object_id, kind, **fields))
    assert isinstance(result, Answered)
    assert result.stored == fields


async def test_what_hubspot_made_of_a_value_is_told() -> None:
    case = opened(normalise={"contacts.jobtitle": "trim"})
    (result,) = await case.write(write("1", jobtitle=" Chief "))
    assert isinstance(result, Answered)
    assert (result.write.fields, result.stored) == ({"jobtitle": " Chief "}, {"jobtitle": "Chief"})


async def test_a_record_that_is_gone_and_one_that_was_merged(case: Opened) -> None:
    case.portal.delete_object("contacts", "1")
    survivor = case.portal.merge_objects("contacts", "2", "3")["id"]
    results = await case.write(write("1", seats=1), write("2", seats=2), write("4", seats=4))
    assert stored(results) == {("4", "seats"): 4}
    vanished = {result.write.object_id: result for result in results if isinstance(result, Vanished)}
    assert {id: result.merged_into for id, result in vanished.items()} == {"1": None, "2": survivor}
    gone = vanished["1"]
    assert gone.at_ms <= case.portal.now_ms() <= gone.at_ms + gone.spread_ms
    assert "seats" not in case.holds(survivor)


async def test_a_record_that_came_back_is_tried_again(case: Opened) -> None:
    row = {"category": "OBJECT_NOT_FOUND", "message": "not there"}
    case.strike(action="row_error", object_id="1", status=404, body=row, times=1)
    results = await case.write(write("1", seats=1), write("2", seats=2))
    assert [type(result) for result in results] == [Answered, Again]


@pytest.mark.parametrize("errors", ["row", "batch"])
@pytest.mark.parametrize("details", [True, False])
async def test_a_bad_value_is_refused_and_the_rest_written(errors: Any, details: bool) -> None:
    case = opened(batch_value_errors=errors, error_details=details)
    results = await case.write(
        write("1", seats="many", jobtitle="Chief"),
        write("2", seats=2),
        write("3", seats=3),
        write("4", jobtitle="Boss"),
    )
    assert refusals(results) == {("1", "seats"): "invalid_value"}
    assert stored(results) == {
        ("1", "jobtitle"): "Chief",
        ("2", "seats"): 2,
        ("3", "seats"): 3,
        ("4", "jobtitle"): "Boss",
    }
    assert set(ended(results).values()) == {1}


@pytest.mark.parametrize("names_id", [True, False])
async def test_each_bad_field_has_its_own_reason(names_id: bool) -> None:
    case = opened(row_error_names_id=names_id)
    (*results,) = await case.write(write("1", seats="many", vip="perhaps", hs_email_domain="x", jobtitle="Chief"))
    assert refusals(results) == {
        ("1", "seats"): "invalid_value",
        ("1", "vip"): "invalid_option",
        ("1", "hs_email_domain"): "read_only_field",
    }
    assert stored(results) == {("1", "jobtitle"): "Chief"}


async def test_an_unknown_property_is_cut_out_of_the_whole_batch_at_once(case: Opened) -> None:
    results = await case.write(*(write(str(id), no_such=id, jobtitle="Chief") for id in range(1, 8)))
    assert set(refusals(results).values()) == {"unknown_field"}
    assert len(refusals(results)) == len(stored(results)) == 7
    assert len(case.posts) == 2


@dataclass
class Curt:
    """Refuses every batch in which record 2 is to be a VIP, and does not say why."""

    way: AsgiTransport

    async def send(self, request: Request) -> Response:
        rows = json.loads(request.body or b"{}").get("inputs", [])
        if any(row["id"] == "2" and "vip" in row["properties"] for row in rows):
            self.way.sent.append(request)
            return Response(400, body=b'{"status": "error", "category": "VALIDATION_ERROR", "message": "no."}')
        return await self.way.send(request)


async def test_a_batch_refused_without_a_word_is_halved_down_to_the_field(case: Opened) -> None:
    sink = assemble(opening(case.catalog), Curt(case.transport)).sink
    writes = [write(str(id), jobtitle="Chief", seats=id) for id in (1, 3, 4, 5, 6)]
    results = await sink.write([write("2", jobtitle="Chief", seats=2, vip=True), *writes], lambda: True)
    assert refusals(results) == {("2", "vip"): "invalid_request"}
    assert len(stored(results)) == 12
    assert set(ended(results).values()) == {1}
    assert len(case.posts) < 12


async def test_a_refused_row_without_a_word_is_halved_down_to_the_field() -> None:
    case = opened(row_error_names_id=False)
    case.strike(action="row_error", object_id="2", path_contains="batch/update")
    results = await case.write(write("1", seats=1), write("2", seats=2, jobtitle="Chief"), write("3", seats=3))
    assert refusals(results) == {("2", "seats"): "invalid_request", ("2", "jobtitle"): "invalid_request"}
    assert stored(results) == {("1", "seats"): 1, ("3", "seats"): 3}


async def test_a_unique_value_that_another_record_has(case: Opened) -> None:
    results = await case.write(write("1", email="person2@example.com", jobtitle="Chief"), write("3", seats=3))
    assert refusals(results) == {("1", "email"): "conflict"}
    assert stored(results) == {("1", "jobtitle"): "Chief", ("3", "seats"): 3}


async def test_a_row_that_may_succeed_later(case: Opened) -> None:
    case.strike(action="row_error", object_id="1", body={"category": "RATE_LIMITS"}, status=429)
    results = await case.write(write("1", seats=1), write("2", seats=2))
    again = [result for result in results if isinstance(result, Again)]
    assert [result.write for result in again] == [write("1", seats=1)]
    assert stored(results) == {("2", "seats"): 2}


@pytest.mark.parametrize(
    ("rule", "error"),
    [({"action": "status", "status": 503}, Transient), ({"action": "timeout_after_effect"}, UnknownResult)],
)
async def test_a_batch_of_which_nothing_is_known_is_the_runners(case: Opened, rule: Any, error: Any) -> None:
    case.strike(**rule)
    with pytest.raises(error):
        await case.write(write("1", seats=1))


async def test_what_was_done_is_told_when_the_rest_fails(case: Opened) -> None:
    case.portal.delete_object("contacts", "2")
    case.strike(action="status", status=503, method="GET")
    results = await case.write(write("1", seats=1), write("2", seats=2))
    assert stored(results) == {("1", "seats"): 1}
    assert [result.write for result in results if isinstance(result, Again)] == [write("2", seats=2)]


async def test_every_write_left_over_by_a_failure_is_tried_again(case: Opened) -> None:
    case.strike(action="refuse_property", property="vip", times=1)
    writes = [write(str(id), jobtitle="Chief", vip=True) for id in (1, 2)]

    def ends_after_the_first() -> bool:
        if case.posts:
            case.strike(action="status", status=503)
        return True

    results = await case.account.sink.write(writes, ends_after_the_first)
    assert refusals(results) == {("1", "vip"): "unknown_field", ("2", "vip"): "unknown_field"}
    assert [result.write for result in results if isinstance(result, Again)] == [
        write("1", jobtitle="Chief"),
        write("2", jobtitle="Chief"),
    ]


async def test_nothing_leaves_once_ownership_is_lost(case: Opened) -> None:
    case.allowed = False
    with pytest.raises(OwnershipLost):
        await case.write(write("1", seats=1))
    assert case.transport.sent == []


async def test_ownership_is_asked_before_each_request_that_writes(case: Opened) -> None:
    case.strike(action="refuse_property", property="vip", times=1)
    answers = iter([True, False])
    with pytest.raises(OwnershipLost):
        await case.account.sink.write([write("1", vip=True, seats=1)], lambda: next(answers))
    assert len(case.posts) == 1
    assert "seats" not in case.holds("1")


async def test_a_rejected_token_is_no_refusal_of_the_write(case: Opened) -> None:
    case.strike(action="status", status=401)
    with pytest.raises(CredentialsRejected):
        await case.write(write("1", seats=1))


async def test_no_record_is_ever_made(case: Opened) -> None:
    await case.write(write("999", seats=1), write("1", seats=1))
    assert case.portal.created_by_api == 0
    assert (case.account.sink.batch_size, case.account.sink.in_flight) == (100, 6)


async def test_nothing_to_write_is_nothing_sent(case: Opened) -> None:
    assert await case.write() == []
    assert case.transport.sent == []


@given(
    bad=st.sets(st.tuples(st.integers(1, 8), st.sampled_from(["seats", "vip", "no_such", "hs_email_domain"]))),
    gone=st.sets(st.integers(1, 8), max_size=2),
    settings=st.fixed_dictionaries(
        {
            "batch_value_errors": st.sampled_from(["row", "batch"]),
            "row_error_names_id": st.booleans(),
            "not_found_aggregated": st.booleans(),
            "error_details": st.booleans(),
        }
    ),
)
@hypothesis_settings(max_examples=share(0.4))
def test_every_field_has_one_end_and_exactly_the_bad_ones_are_refused(
    bad: set[tuple[int, str]], gone: set[int], settings: dict[str, Any]
) -> None:
    async def work() -> None:
        case = opened(**settings)
        for number in gone:
            case.portal.delete_object("contacts", str(number))
        good: dict[int, dict[str, Any]] = {number: {"jobtitle": "Chief", "renewal": None} for number in range(1, 9)}
        for number, name in bad:
            good[number][name] = "nonsense"
        results = await case.write(*(write(str(number), **fields) for number, fields in good.items()))
        vanished = {result.write.object_id for result in results if isinstance(result, Vanished)}
        assert set(ended(results)) == {(str(number), name) for number, fields in good.items() for name in fields}
        assert set(ended(results).values()) == {1}
        assert vanished == {str(number) for number in gone}
        assert set(refusals(results)) <= {(str(number), name) for number, name in bad}
        assert {key for key in refusals(results) if int(key[0]) not in gone} == {
            (str(number), name) for number, name in bad if number not in gone
        }
        assert case.portal.created_by_api == 0

    asyncio.run(work())
