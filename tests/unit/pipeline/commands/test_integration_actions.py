"""Another state is asked for by what is in force once the question is answered, and what came is what is told."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from types import SimpleNamespace
from typing import Literal

import pytest

from pipeline.commands import changing, integration_actions
from pipeline.commands.options import Way
from pipeline.operations.apply import NotApplied, changed_state
from schemas.configuration import IntegrationPart
from tests.unit.pipeline.provisioning.cluster import Cluster, request


class Brokers:
    """What a command reads and writes, and the scheduler behind them."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def table(self, _: str) -> Mapping[str, IntegrationPart]:
        return self._cluster.parts

    async def send(self, _: str, key: str, part: IntegrationPart) -> None:
        self._cluster.parts[key] = part
        self._cluster.settle()


def connected(monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[Cluster], object]) -> Cluster:
    """A running integration, and what happens to it before the question is answered with yes."""
    cluster = Cluster()
    cluster.connect()
    brokers = Brokers(cluster)

    def with_kafka(work: Callable[..., Awaitable[None]]) -> None:
        async def carried_out() -> None:
            await work(SimpleNamespace(), brokers, brokers)

        asyncio.run(carried_out())

    monkeypatch.setattr(integration_actions, "with_kafka", with_kafka)
    monkeypatch.setattr(changing, "confirm", lambda *_, **__: meanwhile(cluster))
    return cluster


def new_token(cluster: Cluster) -> None:
    cluster.ask(request(**{"token": "pat-new"}))


def disconnected(cluster: Cluster) -> None:
    cluster.ask(changed_state(cluster.settings(), "disconnected", 2))


def test_a_pause_keeps_the_credentials_that_came_into_force_before_it_was_confirmed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = connected(monkeypatch, lambda there: there.connect(token="pat-new"))  # noqa: S106 - of nobody
    integration_actions.change_state("acme", "paused", Way())
    assert capsys.readouterr().out == "acme: paused\n"
    assert (cluster.settings().state, cluster.settings().trial) == ("paused", None)
    assert cluster.settings().hubspot.secrets["token"].startswith(b"pat-new")


def test_a_trial_that_began_before_a_pause_was_confirmed_is_told_to_be_given_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = connected(monkeypatch, new_token)
    integration_actions.change_state("acme", "paused", Way())
    told = capsys.readouterr().out
    assert (
        "acme: paused\nacme: a file that waited on trial (HubSpot account 1, Userflow production) was given up" in told
    )
    assert "Fix: `pairstream apply FILE` again" in told
    assert (cluster.settings().state, cluster.settings().trial) == ("paused", None)


@pytest.mark.parametrize(
    ("state", "would", "said"),
    [
        ("paused", "acme is paused already", "acme: paused already: CRM clean-up"),
        ("active", "acme is not paused", "acme: not paused: it goes on as before"),
    ],
)
def test_what_is_in_that_state_already_is_told_to_be(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    state: Literal["active", "paused"],
    would: str,
    said: str,
) -> None:
    """It said `paused` and `active` as if that had come of it."""
    reason = "CRM clean-up" if state == "paused" else ""
    cluster = connected(monkeypatch, lambda _: None)
    cluster.ask(changed_state(cluster.settings(), state, 2, reason))
    integration_actions.change_state("acme", state, Way(), reason)
    told = capsys.readouterr()
    assert told.err.startswith(would) and told.out == f"{said}\n"
    integration_actions.change_state("acme", state, Way(yes=True, shape="json"), reason)
    answer = json.loads(capsys.readouterr().out)
    assert (answer["done"], answer["was"], answer["state"], answer["told"]) == (False, state, state, [said])


def test_another_reason_for_a_pause_that_is_in_force_is_a_change(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = connected(monkeypatch, lambda _: None)
    cluster.ask(changed_state(cluster.settings(), "paused", 2, "CRM clean-up"))
    integration_actions.change_state("acme", "paused", Way(yes=True, shape="json"), "audit")
    answer = json.loads(capsys.readouterr().out)
    assert (answer["done"], answer["was"], answer["pause_reason"]) == (True, "paused", "audit")


def test_a_pause_without_a_reason_keeps_that_of_the_pause_in_force(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who paused again to be sure took the reason away."""
    cluster = connected(monkeypatch, lambda _: None)
    cluster.ask(changed_state(cluster.settings(), "paused", 2, "CRM clean-up"))
    integration_actions.change_state("acme", "paused", Way(yes=True))
    assert capsys.readouterr().out == "acme: paused already: CRM clean-up\n"
    assert cluster.settings().pause_reason == "CRM clean-up"


def test_a_resume_names_what_it_gives_up_before_and_after(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = connected(monkeypatch, lambda _: None)
    new_token(cluster)
    integration_actions.change_state("acme", "active", Way())
    told = capsys.readouterr()
    assert integration_actions.TRIAL_ENDS in told.err
    assert told.out.startswith("acme: not paused: it goes on as before\nacme: a file that waited on trial (HubSpot ")
    integration_actions.change_state("acme", "paused", Way())
    assert capsys.readouterr().out == "acme: paused\n", "what an earlier command gave up is told by doctor"


def test_what_was_disconnected_before_a_pause_was_confirmed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = connected(monkeypatch, disconnected)
    with pytest.raises(NotApplied, match="it is disconnected"):
        integration_actions.change_state("acme", "paused", Way())
    asked = cluster.parts["acme/desired"].desired
    assert asked is not None and asked.state == "disconnected"  # and no pause after it
