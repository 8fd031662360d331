"""A command knows that its work can be done before it asks a person, and before it undoes what was asked earlier."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest

from pipeline.commands import changing, connect_actions, explain_actions, full_sync_actions, integration_actions
from pipeline.commands.options import Way
from pipeline.commands.replay_desk import Asked, NoReplay, check_object, topics_of
from pipeline.commands.session import confirm
from pipeline.operations import OperationRefused
from pipeline.operations.full_sync import NotStarted
from tests.unit.pipeline.operations.test_connect import SETTINGS, Tables, parts


class Ended(Exception):
    """Where a test ends a command."""


class Sent:
    """A publisher that keeps the keys of what it was given."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    async def send(self, _: str, key: str, __: object) -> None:
        self.keys.append(key)


def with_rows(rows: dict[str, Any], sent: Sent) -> Callable[[Callable[..., Awaitable[None]]], None]:
    """In place of `with_kafka`."""

    async def carried_out(work: Callable[..., Awaitable[None]]) -> None:
        await work(SimpleNamespace(), sent, Tables(rows))

    return lambda work: asyncio.run(carried_out(work))


def fails(*_: object, **__: object) -> NoReturn:
    raise Ended


def test_nobody_is_asked_whether_to_disconnect_what_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(changing, "confirm", lambda question, **_: asked.append(question))
    monkeypatch.setattr(integration_actions, "with_kafka", with_rows(parts(), Sent()))

    with pytest.raises(OperationRefused, match="no integration acne; there are: acme"):
        integration_actions.disconnect("acne", Way())
    assert not asked


def test_the_question_comes_before_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = Sent()
    monkeypatch.setattr(changing, "confirm", fails)
    monkeypatch.setattr(integration_actions, "with_kafka", with_rows(parts(), sent))

    with pytest.raises(Ended):
        integration_actions.disconnect("acme", Way())
    assert not sent.keys


def test_an_earlier_link_stays_open_where_no_address_is_known_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = Sent()
    monkeypatch.setattr(connect_actions, "_public_url", fails)
    monkeypatch.setattr(connect_actions, "with_kafka", with_rows(parts(), sent))

    with pytest.raises(Ended):
        connect_actions.connect_integration("acme", Way(yes=True))
    assert not sent.keys


def test_a_question_stays_out_of_the_output(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _: "y")

    confirm("Redrive 1?")

    told = capsys.readouterr()
    assert not told.out.strip()  # it may be an object, or go to a file
    assert "Redrive 1?" in told.err


def test_full_syncs_of_nobody_name_what_is_paused(monkeypatch: pytest.MonkeyPatch) -> None:
    carried_out = with_rows(parts(replace(SETTINGS, state="paused")), Sent())
    monkeypatch.setattr(full_sync_actions, "with_kafka", lambda work, **_: carried_out(work))

    with pytest.raises(NotStarted, match="paused: acme"):
        full_sync_actions.start(None, (), False, False, False, None, None, Way())


def test_a_replay_of_one_object_knows_its_type(monkeypatch: pytest.MonkeyPatch) -> None:
    people = SimpleNamespace(object_type={"hubspot": "contacts", "userflow": "users"}.get)
    view: Any = SimpleNamespace(mappings={"people": people})

    check_object(Asked("acme", wanted=("hubspot", "contacts", "1")), view)
    with pytest.raises(NoReplay, match="acme maps no contact of hubspot; there are: contacts"):
        check_object(Asked("acme", wanted=("hubspot", "contact", "1")), view)


def test_whoever_asks_about_what_is_not_mapped_is_told_what_is() -> None:
    people = SimpleNamespace(object_type={"hubspot": "contacts", "userflow": "users"}.get)
    views: Any = {"acme": SimpleNamespace(mappings={"people": people})}
    asked = explain_actions.Asked("hubspot", "contact", "1", None, 10, 1.0, False, False, "text")

    assert explain_actions.nobody_maps("hubspot", asked, views).endswith("for contact of hubspot; there are: contacts")
    assert "acne; there are: acme" in explain_actions.nobody_maps("hubspot", replace(asked, integration="acne"), views)


def test_bytes_that_are_no_text_are_refused_with_what_to_do() -> None:
    asked = explain_actions.Asked("userflow", "users", "u-\u00e9", None, 10, 1.0, False, False, "text")
    explain_actions.check_text(asked)
    with pytest.raises(OperationRefused, match=r"no text in UTF-8\. Fix: write the id"):
        explain_actions.check_text(replace(asked, object_id="u-\udcff"))


@pytest.mark.parametrize(
    ("topic", "why"), [("sync.matches", "decision 0010"), ("sync.runs", "others lead to"), ("x", "no such topic")]
)
def test_a_topic_that_is_not_replayed_is_told_with_those_that_are(topic: str, why: str) -> None:
    with pytest.raises(NoReplay, match=f"{why}.*Fix: name one of hubspot.changes"):
        topics_of(Asked("acme", topics=(topic,)))
