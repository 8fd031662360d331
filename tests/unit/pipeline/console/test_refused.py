"""What is refused, tried again and put away: the selection that was seen, once, and no value on any page."""

import asyncio
from typing import Any

import pytest

from pipeline.console.letters import PLAN_MS
from pipeline.console.pages import refused
from pipeline.operations.letter_report import Told
from pipeline.operations.letter_standing import Standing
from schemas.operating import LetterMark
from schemas.topics import AUDIT
from tests.unit.pipeline.console.fixtures import AT_MS, InMemory, connect, in_memory, letter
from tests.unit.pipeline.console.test_pages import lag, text

PAGE = "/i/acme/refused/not_an_option"


@pytest.fixture
def it() -> InMemory:
    made = in_memory(lag)
    connect(made)
    made.letters.put(letter("0a"), letter("0b"), letter("0c", field="hubspot.seats"), letter("0d", integration="other"))
    return made


def selection(html: str) -> str:
    return html.partition('name="selection" value="')[2].partition('"')[0]


async def test_what_is_refused_is_grouped_by_reason_and_field(it: InMemory) -> None:
    signed_in = await it.signed_in("viewer")
    said = text((await signed_in.get("/i/acme/refused")).text)
    assert "3 open, in 2 groups" in said and "plan" in said and "seats" in said
    listed = text((await signed_in.get(f"{PAGE}?field=plan&mapping=contacts-users")).text)
    assert "2 letters" in listed and "hubspot contacts 101" in listed
    assert (await signed_in.get("/i/acme/refused/no_such")).status_code == 404


async def test_nothing_refused_says_so() -> None:
    it = in_memory(lag)
    connect(it)
    assert "Nothing is refused" in text((await (await it.signed_in("viewer")).get("/i/acme/refused")).text)


async def test_no_page_holds_whom_a_letter_is_of(it: InMemory) -> None:
    it.letters.put(letter("0e", object="userflow users bob@example.com"))
    signed_in = await it.signed_in()
    for path in ("/i/acme/refused", PAGE, f"{PAGE}/again", f"{PAGE}/discard"):
        html = (await signed_in.get(path)).text
        assert "@example.com" not in html, path
    assert "an id that is hidden" in (await signed_in.get(PAGE)).text


async def test_trying_again_takes_what_was_seen_and_nothing_that_came_later(it: InMemory) -> None:
    signed_in = await it.signed_in("operator")
    shown = (await signed_in.get(f"{PAGE}/again?field=plan&mapping=contacts-users")).text
    assert "Try the 2 again" in shown
    it.letters.put(letter("0f"))
    answer = await signed_in.send(f"{PAGE}/again", selection=selection(shown))
    assert answer.headers["location"] == "/i/acme/refused"
    assert sorted(it.letters.tried) == ["0a" * 16, "0b" * 16]
    ((topic, key, entry),) = it.publisher.sent
    assert (topic, key, entry.action, entry.by) == (AUDIT, "acme", "dead-letters redrive", "ada@build-7")


async def test_a_selection_counts_once_for_ten_minutes_for_its_session(it: InMemory) -> None:
    signed_in, other = await it.signed_in("operator"), await it.signed_in("operator")
    name = selection((await signed_in.get(f"{PAGE}/again")).text)
    assert (await other.send(f"{PAGE}/again", selection=name)).status_code == 409
    assert (await signed_in.send(f"{PAGE}/again", selection=name)).status_code == 303
    assert (await signed_in.send(f"{PAGE}/again", selection=name)).status_code == 409
    late = selection((await signed_in.get(f"{PAGE}/again")).text)
    it.now_ms[0] = AT_MS + PLAN_MS + 1
    assert (await signed_in.send(f"{PAGE}/again", selection=late)).status_code == 409
    assert len(it.letters.tried) == 3


async def test_discarding_needs_a_reason(it: InMemory) -> None:
    signed_in = await it.signed_in()
    name = selection((await signed_in.get(f"{PAGE}/discard")).text)
    assert (await signed_in.send(f"{PAGE}/discard", selection=name, note=" ")).status_code == 409
    assert (await signed_in.send(f"{PAGE}/discard", selection=name, note="ACME-77")).status_code == 303
    assert {note for _, note in it.letters.discarded} == {"ACME-77"}
    assert len(it.letters.discarded) == 3


async def test_what_was_put_away_is_given_back(it: InMemory) -> None:
    mark = LetterMark("0e" * 16, "discarded", AT_MS - 5, "bob@build-7", 0, "ACME-77")
    put_away = letter("0e")
    it.letters.put(Told(put_away.letter, Standing("discarded", AT_MS - 5, "hubspot contacts 9"), mark))
    signed_in, viewer = await it.signed_in(), await it.signed_in("viewer")
    assert "1 letter put away" in text((await viewer.get("/i/acme/refused")).text)
    shown = (await viewer.get("/i/acme/discarded")).text
    assert "ACME-77" in shown and "bob@build-7" in shown and "Give the" not in shown
    late = (await signed_in.get("/i/acme/discarded")).text
    it.letters.put(Told(letter("0f").letter, Standing("discarded", AT_MS, "hubspot contacts 8"), mark))
    answer = await signed_in.send("/i/acme/discarded", selection=selection(late))
    assert answer.headers["location"] == "/i/acme/refused" and it.letters.given_back == ["0e" * 16]
    assert it.publisher.sent[-1][2].action == "dead-letters give back"


async def test_many_are_tried_again_while_nobody_waits(it: InMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on = asyncio.Event()

    async def slowly(*_: Any) -> None:
        await goes_on.wait()
        raise ConnectionError("no broker")

    monkeypatch.setattr(refused, "WAITED_S", 0.01)
    monkeypatch.setattr(it.letters, "redrive", slowly)
    signed_in = await it.signed_in("operator")
    name = selection((await signed_in.get(f"{PAGE}/again")).text)
    assert (await signed_in.send(f"{PAGE}/again", selection=name)).status_code == 303
    assert "Trying 3 letters again" in text((await signed_in.get("/i/acme/refused")).text)
    second = selection((await signed_in.get(f"{PAGE}/again")).text)
    assert (await signed_in.send(f"{PAGE}/again", selection=second)).status_code == 409
    goes_on.set()
    await asyncio.wait({it.desk.redriving["acme"].task})
    said = text((await signed_in.get("/i/acme/refused")).text)
    assert "Trying again stopped before its end." in said and "ConnectionError: no broker" in said
