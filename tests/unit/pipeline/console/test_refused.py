"""What is refused, tried again and put away: the selection that was seen, once, and no value on any page."""

import asyncio
import csv
import io
import re
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest

from pipeline.console.letters import PLAN_MS, TREND_MS
from pipeline.console.looks import MOST, Looks
from pipeline.console.pages import ending
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
    assert "2 refused: Not an option of the target" in listed and "hubspot contacts 101" in listed
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

    monkeypatch.setattr(ending, "WAITED_S", 0.01)
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


def aged(id: str, passed_ms: int, **more: Any) -> Told:
    """A letter of that age."""
    one = letter(id, **more)
    return replace(one, letter=replace(one.letter, letter=replace(one.letter.letter, at_ms=AT_MS - passed_ms)))


def ended(id: str, word: Any, by: str = "bob@build-7", note: str = "") -> Told:
    mark = LetterMark(id * 16, "discarded" if word == "discarded" else "redriven", AT_MS - 5, by, 2, note)
    return Told(letter(id).letter, Standing(word, AT_MS - 5, "hubspot contacts 9"), mark)


async def test_what_ended_stands_apart_with_how_and_by_whom(it: InMemory) -> None:
    it.letters.put(ended("1a", "redriven"), ended("1b", "discarded", note="ACME-77"), ended("1c", "mended"))
    signed_in = await it.signed_in("viewer")
    listed = text((await signed_in.get("/i/acme/refused?which=ended")).text)
    assert "3 ended, in 1 group" in listed and "Open 3" in listed and "Ended 3" in listed and "All 6" in listed
    said = text((await signed_in.get(f"{PAGE}?which=ended")).text)
    assert "Tried again" in said and "its record was published again" in said and "by bob@build-7" in said
    assert "Mended" in said and "Discarded" in said and ": ACME-77" in said
    assert "Try 3 again" not in said
    both = text((await signed_in.get(f"{PAGE}?which=all")).text)
    assert "6 letters" in both and "Refused still" in both


async def test_what_ended_is_not_tried_or_put_away_once_more(it: InMemory) -> None:
    it.letters.put(ended("1a", "redriven"))
    signed_in = await it.signed_in()
    for what in ("again", "discard"):
        shown = (await signed_in.get(f"{PAGE}/{what}?which=all")).text
        assert (await signed_in.send(f"{PAGE}/{what}", selection=selection(shown), note="x")).status_code == 303
    assert "1a" * 16 not in it.letters.tried and "1a" * 16 not in dict(it.letters.discarded)
    assert len(it.letters.tried) == 3


async def test_a_filter_is_of_mapping_and_time(it: InMemory) -> None:
    it.letters.put(aged("2a", TREND_MS + 1), aged("2b", 1_000, mapping="companies"))
    signed_in = await it.signed_in("viewer")
    assert "5 open, in 3 groups" in text((await signed_in.get("/i/acme/refused")).text)
    assert "4 open, in 3 groups" in text((await signed_in.get("/i/acme/refused?since=7d")).text)
    assert "1 open, in 1 group" in text((await signed_in.get("/i/acme/refused?mapping=companies")).text)
    nothing = text((await signed_in.get("/i/acme/refused?mapping=none")).text)
    assert "None of that mapping and time" in nothing and "Nothing is refused" not in nothing
    assert "5 open" in text((await signed_in.get("/i/acme/refused?since=1;DROP&which=none")).text)


async def test_values_are_hidden_until_asked_for_and_each_look_is_told_before(it: InMemory) -> None:
    it.letters.held = {"0a" * 16: "platinum <b>", "0b" * 16: ["x", "y"]}
    signed_in = await it.signed_in("operator")
    query = "?mapping=contacts-users&field=plan"
    hidden = await signed_in.get(f"{PAGE}{query}")
    assert "platinum" not in hidden.text and "Show values" in hidden.text and "refresh" not in hidden.headers
    shown = await signed_in.send(f"{PAGE}/values{query}")
    assert shown.status_code == 200
    assert "platinum &lt;b&gt;" in shown.text and "[&#34;x&#34;, &#34;y&#34;]" in shown.text
    assert shown.headers["refresh"] == f"60; url={PAGE}{query}&page=1" and shown.headers["cache-control"] == "no-store"
    ((topic, _, entry),) = it.publisher.sent
    assert (topic, entry.action, entry.by) == (AUDIT, "values shown", "ada@build-7")
    assert entry.detail == "of 2 refused: not_an_option plan" and "platinum" not in repr(it.publisher.sent)


@pytest.mark.parametrize("reason", ["плохо", "a\r\nx: y", "a;b\u202e"])
async def test_a_reason_of_any_letters_stands_in_the_header_that_hides_values(it: InMemory, reason: str) -> None:
    it.letters.put(letter("0d", reason=reason))
    shown = await (await it.signed_in("operator")).send(f"/i/acme/refused/{quote(reason)}/values")
    assert (shown.status_code, shown.headers["refresh"]) == (200, f"60; url=/i/acme/refused/{quote(reason)}?page=1")


async def test_where_nothing_is_refused_no_look_is_counted_or_told(it: InMemory) -> None:
    operator = await it.signed_in("operator")
    assert (await operator.send("/i/acme/refused/nothing%0d%0ax/values")).status_code == 404
    assert it.publisher.sent == [] and it.desk.looks == Looks()


async def test_nobody_else_sees_values_and_nobody_all_of_them(it: InMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    it.letters.held = {"0a" * 16: "platinum"}
    viewer, operator = await it.signed_in("viewer"), await it.signed_in("operator")
    assert "Show values" not in (await viewer.get(PAGE)).text
    refused = await viewer.send(f"{PAGE}/values")
    assert refused.status_code == 403 and "platinum" not in refused.text and it.publisher.sent == []

    async def away(*_: Any) -> None:
        raise ConnectionError("no broker")

    with monkeypatch.context() as patched:  # nothing is shown that could not be recorded
        patched.setattr(it.publisher, "send", away)
        with pytest.raises(ConnectionError):
            await operator.send(f"{PAGE}/values")
    assert it.letters.looked_at == []
    for _ in range(MOST - 1):
        assert (await operator.send(f"{PAGE}/values")).status_code == 200
    last = await operator.send(f"{PAGE}/values")
    assert last.status_code == 429 and "platinum" not in last.text


async def test_values_that_are_alike_are_counted_without_being_shown(it: InMemory) -> None:
    it.letters.there = [replace(letter(f"3{one}"), alike=7 if one < 4 else 8) for one in range(5)]
    said = text((await (await it.signed_in("viewer")).get(PAGE)).text)
    assert "2 different values, grouped without showing them" in said


async def test_ids_are_a_file_without_values_formulas_or_addresses(it: InMemory) -> None:
    it.letters.put(
        letter("4a", object="userflow users =HYPERLINK(1)"),
        letter("4b", object="userflow users bob@example.com", field="=cmd"),
    )
    signed_in = await it.signed_in("viewer")
    answer = await signed_in.get(f"{PAGE}/ids.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="refused-ids.csv"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    head, *rows = csv.reader(io.StringIO(answer.text, newline=""))
    assert len(rows) == 5 and {len(row) for row in rows} == {len(head)}
    assert "example.com" not in answer.text and not any(cell[:1] in "=+-@" for row in rows for cell in row if cell)
    told = [dict(zip(head, row, strict=True)) for row in rows]
    assert {one["object"] for one in told} == {"101", "'=HYPERLINK(1)", ""}
    (hidden,) = [one for one in told if one["object"] == ""]
    assert hidden["page"].startswith("/i/acme/objects/userflow/users/~")


async def test_a_long_list_comes_in_pages(it: InMemory) -> None:
    it.letters.there = [replace(letter("5a"), letter=letter(f"{number:04x}").letter) for number in range(250)]
    signed_in = await it.signed_in("viewer")
    first, last = [text((await signed_in.get(f"{PAGE}?page={page}")).text) for page in ("1", "3")]
    assert "1–100 of 250" in first and "Next" in first  # noqa: RUF001
    assert "201–250 of 250" in last and "Next" not in last  # noqa: RUF001
    for wrong in ("0", "99", "-1", "x", "9" * 40):
        assert (await signed_in.get(f"{PAGE}?page={wrong}")).status_code == 200


async def test_a_vendors_own_reason_may_be_any_text(it: InMemory) -> None:
    reason = 'a b?#&%\u202e<i>"'
    it.letters.put(letter("6a", reason=reason))
    signed_in = await it.signed_in("operator")
    (path,) = set(re.findall(r'href="(/i/acme/refused/a[^?"]+)', (await signed_in.get("/i/acme/refused")).text))
    shown = await signed_in.send(f"{path}/values")
    assert shown.status_code == 200 and shown.headers["refresh"] == f"60; url={path}?page=1"
    assert shown.headers["refresh"].isascii() and f'href="{path}/ids.csv' in shown.text


async def test_no_look_is_told_where_there_is_nothing_to_see(it: InMemory) -> None:
    signed_in = await it.signed_in("operator")
    assert (await signed_in.send("/i/acme/refused/no_such/values")).status_code == 404
    assert it.publisher.sent == []


async def test_a_plan_says_what_would_be_refused_again_and_it_can_be_left_out(it: InMemory) -> None:
    lasting = letter("0a")
    it.letters.there[0] = replace(lasting, now=replace(lasting.now, lasts=True))
    signed_in = await it.signed_in("operator")
    shown = (await signed_in.get(f"{PAGE}/again")).text
    said = text(shown)
    assert "The cause still stands for 1 of them." in said and "Refused again for the same reason 1" in said
    assert "Try the 2 again" in said and "Try all 3 anyway" in said
    await signed_in.send(f"{PAGE}/again", selection=selection(shown), which="promising")
    assert sorted(it.letters.tried) == ["0b" * 16, "0c" * 16]
    assert it.publisher.sent[-1][2].detail == "2 letters"
    every = (await signed_in.get(f"{PAGE}/again")).text
    await signed_in.send(f"{PAGE}/again", selection=selection(every))
    assert len(it.letters.tried) == 5


async def test_one_letter_is_told_as_one_in_the_audit(it: InMemory) -> None:
    """The audit said `1 letters`."""
    it.letters.there = it.letters.there[:1]
    signed_in = await it.signed_in("operator")
    shown = (await signed_in.get(f"{PAGE}/again")).text
    await signed_in.send(f"{PAGE}/again", selection=selection(shown))
    assert it.publisher.sent[-1][2].detail == "1 letter"


async def test_where_all_would_be_refused_again_nothing_is_recommended(it: InMemory) -> None:
    it.letters.there = [replace(one, now=replace(one.now, lasts=True)) for one in it.letters.there]
    said = text((await (await it.signed_in("operator")).get(f"{PAGE}/again")).text)
    assert "Try all 3 anyway" in said and "Try the" not in said
