"""An integration: what it publishes of one object, and what becomes of one that no message holds."""

import asyncio
from dataclasses import replace

import pytest

from connectors.contract.errors import MISSING_SCOPES, CredentialsRejected, Denied, Misconfigured, Refused
from connectors.kafka.cluster import Cluster
from connectors.session.context import IntegrationContext, ObservedObject
from schemas.codec import Codec, RecordTooLarge
from schemas.records import ChangeEvent, DeadLetter, Receipt, StampedValue
from schemas.registry import LocalRegistry
from schemas.topics import MAX_RECORD_BYTES, RECEIPTS
from tests.unit.connectors.fake_clock import FakeClock
from tests.unit.connectors.session.contexts import Answering, Told, context_of


def holding(text: str) -> ObservedObject:
    return ObservedObject("users", "u-1", "upserted", 1, 0, "crawl", {"notes": StampedValue(text, 1)})


def encoding_context() -> tuple[IntegrationContext, Told]:
    """An integration whose records have to fit their schemas."""
    context, told = context_of("userflow", FakeClock())
    codec, send = Codec(LocalRegistry()), context.send

    async def encoded(topic: str, key: str, record: object) -> tuple[int, int]:
        codec.encode(topic, record)
        Cluster({}).message_key(topic, key, b"")
        return await send(topic, key, record)

    return replace(context, send=encoded), told


async def test_an_object_larger_than_a_message_is_reported_and_the_others_go_on() -> None:
    """Were it raised, the connector would end, read the object again, and end again, for every integration it has."""
    context, told = encoding_context()
    await context.observed(holding("x" * MAX_RECORD_BYTES))
    await context.observed(holding("short"))

    letter, change = told.published
    assert isinstance(letter, DeadLetter)
    assert (letter.reason, letter.stage, letter.key) == ("too_large", "userflow.source", "acme:1:userflow:users:u-1")
    assert "ChangeEvent" in letter.detail
    assert isinstance(change, ChangeEvent)
    assert told.outcomes == {("source", "dead-lettered"): 1}


async def test_one_of_many_that_no_message_holds_costs_the_others_nothing() -> None:
    context, told = encoding_context()
    await context.observed_all([holding("first"), holding("x" * MAX_RECORD_BYTES), holding("last")])
    assert sorted(type(one).__name__ for one in told.published) == ["ChangeEvent", "ChangeEvent", "DeadLetter"]


async def test_many_are_published_at_once_and_by_no_task_each() -> None:
    """A page of a crawl was a hundred tasks, and each of its objects a request to the brokers."""
    context, _ = context_of("userflow", FakeClock())
    taken: list[asyncio.Future[tuple[int, int]]] = []

    def send(*_: object) -> "asyncio.Future[tuple[int, int]]":
        taken.append(asyncio.get_running_loop().create_future())
        return taken[-1]

    before = len(asyncio.all_tasks())
    telling = asyncio.create_task(replace(context, send=send).observed_all([holding("any")] * 100))
    await asyncio.sleep(0)
    assert (len(taken), len(asyncio.all_tasks()) - before) == (100, 1)
    for future in taken[:-1]:
        future.set_result((0, 0))
    await asyncio.sleep(0)
    assert not telling.done()
    taken[-1].set_result((0, 0))
    await telling


async def test_what_fits_no_schema_is_reported_too() -> None:
    context, told = encoding_context()
    await context.observed(ObservedObject("users", "u-1", "upserted", 2**70, 0, "webhook"))
    assert [letter.reason for letter in told.published] == ["unencodable"]


async def test_an_id_that_is_no_text_costs_its_object_and_nothing_else() -> None:
    """A raw surrogate in a webhook's JSON is read as half a character: no key, no record, no letter holds it."""
    context, told = encoding_context()
    await context.observed(ObservedObject("users", "1\ud800", "upserted", 1, 0, "webhook"))
    (letter,) = told.published
    assert (letter.reason, letter.key, letter.value) == ("unencodable", "acme:1:userflow:users:1\\ud800", b"")


async def test_an_outcome_that_no_message_holds_is_a_letter_in_its_place() -> None:
    context, told = encoding_context()
    receipt = Receipt("acme", 1, 1, "people", "m", "userflow", "users", "u-1", "parked", {"t": "x" * MAX_RECORD_BYTES})
    assert not await context.publish(RECEIPTS, "acme:1:people:m", receipt)
    assert [letter.reason for letter in told.published] == ["too_large"]


def test_the_message_of_the_error_holds_no_value() -> None:
    fields = holding("x" * MAX_RECORD_BYTES).fields
    record = ChangeEvent("acme", 1, 1, "userflow", "users", "u-1", "upserted", 1, 0, "crawl", fields)
    with pytest.raises(RecordTooLarge) as refused:
        Codec(LocalRegistry()).encode("userflow.changes", record)
    assert "xxx" not in str(refused.value)


async def _forbidden() -> str:
    raise Misconfigured("forbidden", status=403)


async def _without_scopes() -> str:
    raise Misconfigured(MISSING_SCOPES, status=403)


async def test_what_one_request_may_not_do_is_refused_where_the_system_works() -> None:
    context, _ = context_of("hubspot", FakeClock())
    with pytest.raises(Refused, match="forbidden"):
        await context.asked(_forbidden, "companies", "read")
    assert (context.state.works, context.state.denied) == (True, {})


@pytest.mark.parametrize("reason", ["unauthorized", "forbidden"])
async def test_credentials_that_are_rejected_for_one_request_alone_are_good(reason: str) -> None:
    """Userflow's 403, or a proxy's 401, for one id: the status flapped, and all was parked and derived, for ever."""
    context, _ = context_of("userflow", FakeClock())
    tried = 0

    async def rejected() -> str:
        nonlocal tried
        tried += 1
        raise CredentialsRejected(reason, status=403)

    with pytest.raises(Refused, match=reason):
        await context.asked(rejected, "users", "write")
    assert (tried, context.state.works, context.state.denied) == (2, True, {})


async def test_credentials_that_are_good_by_now_are_tried_once_more() -> None:
    context, _ = context_of("userflow", FakeClock())
    answers = [CredentialsRejected("unauthorized"), None]

    async def answer() -> str:
        error = answers.pop(0)
        if error is not None:
            raise error
        return "answer"

    assert await context.asked(answer, "users", "write") == "answer"


async def test_where_it_does_not_work_its_own_error_counts() -> None:
    context, _ = context_of("hubspot", FakeClock(), setup=Answering(CredentialsRejected("unauthorized")))
    with pytest.raises(CredentialsRejected):
        await context.asked(_forbidden, "companies", "read")


async def test_a_missing_permission_is_of_the_type_and_the_verb_and_nothing_more_is_asked() -> None:
    context, _ = context_of("hubspot", FakeClock())
    with pytest.raises(Denied):
        await context.asked(_without_scopes, "companies", "read")
    assert dict(context.state.denied) == {("companies", "read"): MISSING_SCOPES}
    asked = []

    async def answer() -> str:
        asked.append(1)
        return "answer"

    with pytest.raises(Denied):
        await context.asked(answer, "companies", "read")
    assert asked == []
    assert await context.asked(answer, "companies", "write") == "answer"
    assert await context.asked(answer, "contacts", "read") == "answer"
    context.state.lift()
    assert await context.asked(answer, "companies", "read") == "answer"
