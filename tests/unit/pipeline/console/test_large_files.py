"""However large a file is, and however wrong: the event loop, which serves everybody, goes on while it is read."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from pipeline.console import drafts, files, rendering
from pipeline.console.drafts import MOST_RULES, Draft, RuleDraft, acted, draft_of
from pipeline.console.pages import editing, reviewing
from pipeline.integration_file.export import to_yaml
from pipeline.integration_file.loader import read_document
from pipeline.operations import apply
from pipeline.provisioning import field_checks
from schemas.configuration import SystemSettings
from tests.unit.pipeline.console.fixtures import DOCUMENT, Browser, InMemory, connect, in_memory
from tests.unit.pipeline.console.test_editing import AT, base, form, targets
from tests.unit.pipeline.console.test_pages import mapped, text

LONGEST_S = 20.0
IN_FORCE = draft_of(read_document(DOCUMENT).mappings[0])


@pytest.fixture
def it() -> InMemory:
    made = in_memory()
    connect(made, document=to_yaml(read_document(DOCUMENT)), hubspot=SystemSettings("12345678", {}, {}))
    mapped(made)
    return made


def of_size(number: int) -> Draft:
    return Draft("contacts-users", to_userflow=tuple(RuleDraft(f"field_{at}") for at in range(number)))


class Held:
    """Work that goes on only after the loop has turned: on the loop itself it would wait in vain."""

    def __init__(self) -> None:
        self.works, self.turned = threading.Event(), threading.Event()
        self.was_held = 0

    def around(self, work: Callable[..., Any]) -> Callable[..., Any]:  # Any: whatever it takes and gives
        def held(*given: Any, **named: Any) -> Any:
            self.works.set()
            assert self.turned.wait(LONGEST_S), f"{work.__name__} holds up the event loop"
            self.was_held += 1
            return work(*given, **named)

        return held

    async def turns(self) -> None:
        """A turn of the loop for each work that waits for one."""
        while True:
            if self.works.is_set():
                self.turned.set()
            await asyncio.sleep(0)


async def _edited(signed_in: Browser) -> Any:
    return await signed_in.get(f"{AT}/edit")


async def _drafted(signed_in: Browser) -> Any:
    return await signed_in.send(f"{AT}/edit", **form(IN_FORCE), act="add:to_userflow:company.name")


async def _begun(signed_in: Browser) -> Any:
    return await signed_in.get("/i/acme/mappings/new/begin?hubspot=contacts&userflow=users")


async def _reviewed(signed_in: Browser) -> Any:
    seen = base(await signed_in.get(f"{AT}/edit"))
    added = acted(IN_FORCE, "add:to_userflow:company.name")
    begun = await signed_in.send(f"{AT}/review", **form(added, base=seen))
    return await signed_in.get(begun.headers["location"])


async def _read(signed_in: Browser) -> Any:
    return await signed_in.get(AT)


@pytest.mark.parametrize(
    ("module", "work", "look"),
    [
        (files, "read_document", _edited),
        (files, "read_document", _begun),
        (editing, "_form", _edited),
        (editing, "described_file", _drafted),
        (drafts, "load", _drafted),
        (drafts, "yaml_of", _drafted),
        (rendering, "page", _edited),
        (rendering, "page", _reviewed),
        (rendering, "page", _read),
        (reviewing, "read", _reviewed),
        (apply, "to_yaml", _reviewed),
    ],
)
async def test_the_loop_goes_on_while_a_file_is_read(
    it: InMemory, monkeypatch: pytest.MonkeyPatch, module: Any, work: str, look: Callable[[Browser], Any]
) -> None:
    files._read.cache_clear()
    signed_in, held = await it.signed_in("operator"), Held()
    monkeypatch.setattr(module, work, held.around(getattr(module, work)))
    turning = asyncio.create_task(held.turns())
    try:
        assert (await look(signed_in)).status_code == 200
    finally:
        turning.cancel()
        with suppress(asyncio.CancelledError):
            await turning
    assert held.was_held


async def test_a_form_of_more_rules_than_a_page_holds_is_refused_with_what_edits_it(it: InMemory) -> None:
    signed_in = await it.signed_in("operator")
    for where in (f"{AT}/edit", f"{AT}/review"):
        answer = await signed_in.send(where, **form(of_size(MOST_RULES + 1)))
        assert answer.status_code == 409
        assert f"{MOST_RULES + 1} rules are more than the {MOST_RULES}" in text(answer.text)
        assert "pairstream export" in answer.text
    assert it.planner.planned == [] and it.publisher.sent == []


async def test_a_rule_too_many_is_not_added_and_the_form_stays(it: InMemory) -> None:
    page = await (await it.signed_in("operator")).send(
        f"{AT}/edit", **form(of_size(MOST_RULES)), act="add:to_userflow:jobtitle"
    )
    assert page.status_code == 422 and len(targets(page)) == MOST_RULES
    assert f"has {MOST_RULES} rules at most" in text(page.text)


async def test_a_file_of_more_rules_is_shown_in_part_and_edited_elsewhere(it: InMemory) -> None:
    many = ", ".join(f"field_{at}" for at in range(MOST_RULES + 7))
    connect(it, document=DOCUMENT.replace("[jobtitle]", f"[{many}]"))
    signed_in = await it.signed_in("operator")
    answer = await signed_in.get(f"{AT}/edit")
    assert answer.status_code == 409 and "Edit its file" in text(answer.text)


def test_names_are_guessed_for_what_is_shown_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    guessed: list[str] = []

    def near(word: str, known: Any, otherwise: str) -> str:
        guessed.append(word)
        return otherwise

    monkeypatch.setattr(field_checks, "near", near)
    many = ", ".join(f"field_{at}" for at in range(400))
    file = read_document(DOCUMENT.replace("[jobtitle]", f"[{many}]"))
    problems = field_checks.check_fields(file, {"contacts": {}}, {"users": {}})
    assert len(problems) >= 400 and 0 < len(guessed) <= 100
