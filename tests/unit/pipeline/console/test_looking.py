"""Looking now for what was never read: who may, what is told, how often, and what stands nowhere."""

import asyncio
import logging
import re
import threading
from collections.abc import Sequence
from typing import Any, get_args

import pytest

from pipeline.console.asked_now import AT_ONCE, KINDS, AskedNow, Busy
from pipeline.console.looks import MOST
from pipeline.explain.answer import Named
from pipeline.explain.look_now import LOOK_WORDS, Looked, LookWord
from schemas.operating import AuditEntry
from schemas.topics import MAPPINGS
from tests.unit.pipeline.console.fixtures import Browser, InMemory, connect, in_memory
from tests.unit.pipeline.console.test_pages import HOSTILE, lag, text
from tests.unit.pipeline.core.given import EMAIL, contact, mapping
from tests.unit.pipeline.explain.situations import Situation

NEW = Named("hubspot", "contacts", "999")
PATH = "/i/acme/objects/hubspot/contacts/999"
LOOK = "/i/acme/explain/look"


def told(word: LookWord, *ids: str, system: Any = "hubspot", kind: str = "contacts", reason: Any = None) -> Looked:
    return Looked("acme", system, kind, "hs_object_id", word, ids, reason)


@pytest.fixture
def it() -> InMemory:
    made = in_memory(lag)
    connect(made)
    made.tables.put(MAPPINGS, "acme/people", mapping().record)
    return made


def audited(it: InMemory) -> list[tuple[str, str]]:
    return [(one.action, one.detail) for _, _, one in it.publisher.sent if isinstance(one, AuditEntry)]


async def test_what_nothing_is_known_of_can_be_looked_for(it: InMemory) -> None:
    browser = await it.signed_in("operator")
    said = await browser.send("/i/acme/explain", id="999")
    assert said.status_code == 404 and f'action="{LOOK}"' in said.text and "Look now" in text(said.text)
    assert "Userflow users" in said.text and it.objects.looked == []  # nobody is asked before somebody wants it
    it.objects.answers = lambda _: [told("there", "999"), told("not_there", system="userflow", kind="users")]
    answer = await browser.send(LOOK, id=" 999 ", where="")
    assert (answer.status_code, answer.headers["location"]) == (303, PATH)
    assert it.objects.looked == [("acme", "999", None)]
    assert audited(it) == [("look now", "(what was typed is hidden)")]


async def test_it_is_looked_for_where_somebody_says(it: InMemory) -> None:
    browser = await it.signed_in("operator")
    said = await browser.send(LOOK, id="u-9", where="userflow.users")
    assert it.objects.looked == [("acme", "u-9", ("userflow", "users"))]
    assert '<option value="userflow.users" selected>' in said.text  # and again there
    await browser.send(LOOK, id="u-9", where="elsewhere.users")
    assert it.objects.looked[-1] == ("acme", "u-9", None)


async def test_the_page_of_an_object_that_was_never_seen_has_it_looked_for(it: InMemory) -> None:
    it.objects.put(NEW, Situation().explained("hubspot", "999"))
    browser = await it.signed_in("operator")
    said = await browser.get(PATH)
    assert said.status_code == 404 and f'action="{PATH}/look"' in said.text
    it.objects.answers = lambda _: [told("there", "999")]
    answer = await browser.send(f"{PATH}/look")
    assert (answer.status_code, answer.headers["location"]) == (303, PATH)
    assert it.objects.looked == [("acme", NEW, None)]
    assert audited(it) == [("look now", "hubspot contacts 999")]
    it.objects.put(NEW, Situation().happened(contact(1_000, {}, id="999")).explained("hubspot", "999"))
    assert (await browser.get(PATH)).status_code == 200


@pytest.mark.parametrize("word", get_args(LookWord))
async def test_every_answer_is_told_in_a_sentence(it: InMemory, word: LookWord) -> None:
    it.objects.answers = lambda _: [told(word, reason="http_503")]
    said = await (await it.signed_in("operator")).send(LOOK, id="999")
    assert LOOK_WORDS[word][1:] in text(said.text) and "http_503" in said.text
    assert said.status_code == (404 if word in ("not_there", "impossible", "erased") else 200)
    assert KINDS.keys() == LOOK_WORDS.keys()


async def test_several_that_were_found_are_listed(it: InMemory) -> None:
    found = [told("there", "999"), told("there", "u-9", system="userflow", kind="users")]
    it.objects.answers = lambda _: found
    said = await (await it.signed_in("operator")).send(LOOK, id="999")
    assert said.status_code == 200 and f'href="{PATH}"' in said.text
    assert re.search(r'href="/i/acme/objects/userflow/users/~[\w-]+">User u-9', said.text)


async def test_what_can_be_nobody_asks_nobody_and_says_so(it: InMemory) -> None:
    browser = await it.signed_in("operator")
    said = await browser.send(LOOK, id="?")
    assert said.status_code == 404 and "Nobody was asked" in text(said.text)
    assert (await browser.send(LOOK, id="  ")).status_code == 422
    assert len(it.objects.looked) == 1


async def test_a_viewer_is_told_who_can_and_may_not(it: InMemory) -> None:
    browser = await it.signed_in("viewer")
    said = await browser.send("/i/acme/explain", id=EMAIL)
    assert "An operator can have its systems asked now" in text(said.text) and EMAIL not in said.text
    for path in (LOOK, f"{PATH}/look"):
        assert (await browser.send(path, id="999")).status_code == 403
    assert it.objects.looked == [] and it.publisher.sent == []


async def test_a_foreign_form_has_nobody_asked(it: InMemory) -> None:
    browser = await it.signed_in("operator")
    foreign = Browser(browser.client, "another")
    assert (await foreign.send(LOOK, id="999")).status_code == 403
    assert it.objects.looked == []


async def test_of_a_disconnected_integration_nothing_is_looked_for(it: InMemory) -> None:
    connect(it, state="disconnected")
    said = await (await it.signed_in("operator")).send("/i/acme/explain", id="999")
    assert said.status_code == 404 and LOOK not in said.text


async def test_past_sixty_an_hour_nobody_is_asked(it: InMemory) -> None:
    browser = await it.signed_in("operator")
    for _ in range(MOST):
        assert (await browser.send(LOOK, id="999")).status_code == 404
    assert (await browser.send(LOOK, id="999")).status_code == 429
    assert len(it.objects.looked) == MOST == len(audited(it))
    it.now_ms[0] += 60 * 60 * 1000
    assert (await (await it.signed_in("operator")).send(LOOK, id="999")).status_code == 404


async def test_what_was_typed_stands_in_no_address_audit_or_log(it: InMemory, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    it.objects.answers = lambda _: [told("there", EMAIL, system="userflow", kind="users")]
    answer = await (await it.signed_in("operator")).send(LOOK, id=EMAIL)
    assert answer.status_code == 303 and EMAIL not in repr(answer.headers)
    assert EMAIL not in caplog.text and EMAIL not in repr(audited(it))


async def test_a_hostile_text_is_text(it: InMemory) -> None:
    it.objects.answers = lambda _: [told("refused", reason=HOSTILE)]
    said = await (await it.signed_in("operator")).send(LOOK, id=HOSTILE)
    assert "<script>alert" not in said.text and '" onload=' not in said.text
    assert (await (await it.signed_in("operator")).send(LOOK, id="\x00\ud7ff%FF")).status_code in (200, 404)


class TestTogether:
    async def test_who_asks_the_same_meanwhile_gets_the_same_answer(self) -> None:
        asked, go, calls = AskedNow(), threading.Event(), []

        def look() -> Sequence[Looked]:
            calls.append(1)
            assert go.wait(5)
            return [told("not_there")]

        first, second = (asyncio.ensure_future(asked.answer("one", look)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()  # a browser that leaves takes nothing from the other
        go.set()
        assert await second == [told("not_there")] and calls == [1]
        assert await asked.answer("one", look) == [told("not_there")]
        assert calls == [1, 1]  # what is over is asked anew

    async def test_few_go_at_once_and_others_are_told_to_wait(self) -> None:
        asked, go = AskedNow(), threading.Event()

        def look() -> Sequence[Looked]:
            assert go.wait(5)
            return []

        under_way = [asyncio.ensure_future(asked.answer(number, look)) for number in range(AT_ONCE)]
        await asyncio.sleep(0)
        with pytest.raises(Busy, match="Wait some seconds"):
            await asked.answer("another", look)
        go.set()
        await asyncio.gather(*under_way)
        assert await asked.answer("another", look) == []

    async def test_a_look_that_fails_is_told_and_is_no_longer_under_way(self) -> None:
        asked = AskedNow()

        def look() -> Sequence[Looked]:
            raise RuntimeError("no broker")

        for _ in range(2):
            with pytest.raises(RuntimeError, match="no broker"):
                await asked.answer("one", look)
