"""A command knows that its work can be done before it asks a person, and before it undoes what was asked earlier."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest

from pipeline.commands import connect_actions, integration_actions
from pipeline.operations import OperationRefused
from tests.unit.pipeline.operations.test_connect import Tables, parts


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


def fails(*_: object) -> NoReturn:
    raise Ended


def test_nobody_is_asked_whether_to_disconnect_what_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(integration_actions, "confirm", asked.append)
    monkeypatch.setattr(integration_actions, "with_kafka", with_rows(parts(), Sent()))

    with pytest.raises(OperationRefused, match="no integration acne; there are: acme"):
        integration_actions.disconnect("acne", ask_first=True)
    assert not asked


def test_the_question_comes_before_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = Sent()
    monkeypatch.setattr(integration_actions, "confirm", fails)
    monkeypatch.setattr(integration_actions, "with_kafka", with_rows(parts(), sent))

    with pytest.raises(Ended):
        integration_actions.disconnect("acme", ask_first=True)
    assert not sent.keys


def test_an_earlier_link_stays_open_where_no_address_is_known_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = Sent()
    monkeypatch.setattr(connect_actions, "_public_url", fails)
    monkeypatch.setattr(connect_actions, "with_kafka", with_rows(parts(), sent))

    with pytest.raises(Ended):
        connect_actions.connect_integration("acme")
    assert not sent.keys
