"""Commands that wait for connectors end with the reason once a system was given up as away."""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import pytest

from pipeline.operations import apply, field_query
from pipeline.operations.apply import NotApplied, changed_state, wait_until_applied, with_mappings, with_secrets
from pipeline.operations.field_query import Asker, NotAnswered
from schemas.configuration import (
    NOT_GRANTED,
    ConnectorState,
    ConnectorStatus,
    Description,
    IntegrationPart,
    IntegrationState,
    Sections,
)
from tests.unit.connectors.runtime.runners import settings_part
from tests.unit.pipeline.integration_file.files import GOOD, loaded
from tests.unit.pipeline.provisioning.cluster import Cluster, file_asked, seal
from tests.unit.pipeline.provisioning.cluster import request as file_request

LONG_S = 30.0


class Tables:
    """Configuration that does not change: a system that never answers again."""

    def __init__(self, parts: Mapping[str, IntegrationPart]) -> None:
        self._parts = parts

    def table(self, _: str) -> Mapping[str, IntegrationPart]:
        return self._parts


class Publisher:
    """Takes whatever is asked."""

    async def send(self, *_: Any) -> None:
        """Nobody answers."""


def away(revision: int) -> Mapping[str, IntegrationPart]:
    """An apply under way as revision 1, of whose systems one was given up as away while it worked on `revision`."""
    settings = settings_part("acme").settings
    assert settings is not None
    state = ConnectorState(1, 0, 0, "unavailable", checked_revision=revision, reason="http_503")
    return {
        "acme/settings": IntegrationPart("acme", settings=replace(settings, apply_state="describing")),
        "acme/userflow": IntegrationPart("acme", connector=state),
    }


async def test_an_apply_ends_with_the_reason_of_a_system_that_was_given_up() -> None:
    parts = away(revision=1)
    settings = parts["acme/settings"].settings
    assert settings is not None
    request = replace(changed_state(settings, "active", 0), apply_id=settings.apply_id)
    started = time.monotonic()
    with pytest.raises(NotApplied, match="userflow is unavailable: http_503"):
        await wait_until_applied(cast(Any, Tables(parts)), "acme", request, LONG_S)
    assert time.monotonic() - started < LONG_S


def paused() -> Cluster:
    """A connected integration that somebody has paused."""
    cluster = Cluster()
    cluster.connect()
    cluster.ask(changed_state(cluster.settings(), "paused", 1))
    return cluster


async def test_keys_that_are_replaced_while_paused_are_not_in_force_before_they_have_proven_good(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(apply, "POLL_EVERY_S", 0.001)
    cluster = paused()
    request = with_secrets(cluster.settings(), {"hubspot": {"token": "pat-typo"}}, seal, 2, "acme")
    cluster.ask(request)
    tables = cast(Any, Tables(cluster.parts))
    with pytest.raises(NotApplied, match="still proving"):
        await wait_until_applied(tables, "acme", request, 0.02)
    cluster.answer_trial(hubspot="unauthorized")
    with pytest.raises(NotApplied, match="hubspot: failed: unauthorized"):
        await wait_until_applied(tables, "acme", request, LONG_S)


async def test_a_mapping_that_is_saved_while_paused_is_in_force_once_both_systems_are_ready(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(apply, "POLL_EVERY_S", 0.001)
    cluster = paused()
    _, request = with_mappings(cluster.settings(), file_asked(attribute="seats").mappings, 2)
    cluster.ask(request)
    tables = cast(Any, Tables(cluster.parts))
    with pytest.raises(NotApplied, match="still describing"):
        await wait_until_applied(tables, "acme", request, 0.02)
    cluster.report("hubspot")
    cluster.report("userflow")
    assert (await wait_until_applied(tables, "acme", request, LONG_S)).settings.state == "paused"


async def test_a_pause_is_not_waited_for_longer_than_it_takes_to_hold() -> None:
    cluster = Cluster()
    cluster.connect()
    cluster.ask(replace(file_request(attribute="seats"), apply_id="b"))
    request = changed_state(cluster.settings(), "paused", 1)
    cluster.ask(request)
    applied = await wait_until_applied(cast(Any, Tables(cluster.parts)), "acme", request, LONG_S)
    assert (applied.settings.state, applied.settings.apply_state) == ("paused", "describing")


async def test_a_state_that_did_not_come_is_told() -> None:
    """As by a scheduler of a release that takes a resume for an apply where the seals were made anew meanwhile."""
    cluster = paused()
    request = replace(changed_state(cluster.settings(), "active", 2), apply_id=cluster.settings().apply_id)
    with pytest.raises(NotApplied, match=r"acme is paused, for it changed meanwhile\. Fix: ask again"):
        await wait_until_applied(cast(Any, Tables(cluster.parts)), "acme", request, LONG_S)


async def test_an_apply_does_not_end_for_what_a_system_was_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply, "POLL_EVERY_S", 0.001)
    parts = away(revision=0)
    settings = parts["acme/settings"].settings
    assert settings is not None
    request = replace(changed_state(settings, "active", 0), apply_id=settings.apply_id)
    with pytest.raises(NotApplied, match="still describing after 1 s"):
        await wait_until_applied(cast(Any, Tables(parts)), "acme", request, 0.6)


def on_trial(**reasons: str | None) -> Mapping[str, IntegrationPart]:
    """An apply that is tried beside what is in force, and what both systems have answered."""
    settings = settings_part("acme").settings
    assert settings is not None
    tried = Sections("", replace(settings.hubspot, account="77", options={"client_id": "app"}), settings.userflow)
    settings = replace(settings, apply_id="b", apply_state="proving", trial=tried)
    answers = {
        f"acme/{system}/trial": IntegrationPart("acme", description=Description(settings.tried, reason))
        for system, reason in reasons.items()
    }
    return {"acme/settings": IntegrationPart("acme", settings=settings), **answers}


@pytest.mark.parametrize(
    ("state", "meanwhile"),
    [
        ("active", " and goes on"),
        ("paused", "; acme is paused: nothing is written before .*, which before the access gives this file up"),
    ],
)
async def test_an_apply_ends_once_nothing_but_access_is_waited_for_and_says_what_stays_in_force(
    state: IntegrationState, meanwhile: str
) -> None:
    parts = dict(on_trial(hubspot=NOT_GRANTED, userflow=None))
    settings = parts["acme/settings"].settings
    assert settings is not None
    parts["acme/settings"] = IntegrationPart("acme", settings=replace(settings, state=state))
    request = replace(changed_state(settings, "active", 0), apply_id="b")
    told = f"waits for access to HubSpot account 77.* Until then revision 1 stays in force{meanwhile}$"
    with pytest.raises(NotApplied, match=told):
        await wait_until_applied(cast(Any, Tables(parts)), "acme", request, LONG_S)


async def test_an_apply_that_is_tried_does_not_end_for_what_is_in_force(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be away for the very reason that is mended."""
    monkeypatch.setattr(apply, "POLL_EVERY_S", 0.001)
    parts = {**on_trial(), "acme/userflow": away(revision=1)["acme/userflow"]}
    settings = parts["acme/settings"].settings
    assert settings is not None
    request = replace(changed_state(settings, "active", 0), apply_id="b")
    with pytest.raises(NotApplied, match="still proving after 1 s"):
        await wait_until_applied(cast(Any, Tables(parts)), "acme", request, 0.6)


async def test_an_apply_says_that_a_newer_request_took_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply, "POLL_EVERY_S", 0.001)
    parts = dict(on_trial())
    settings = parts["acme/settings"].settings
    assert settings is not None
    newer = IntegrationPart("acme", settings=replace(settings, apply_id="c", apply_state="done", trial=None))

    class Changing(Tables):
        looks = 0

        def table(self, _: str) -> Mapping[str, IntegrationPart]:
            self.looks += 1
            return parts if self.looks < 9 else {"acme/settings": newer}

    request = replace(changed_state(settings, "active", 0), apply_id="b")
    with pytest.raises(NotApplied, match="a newer request took the place of this one"):
        await wait_until_applied(cast(Any, Changing(parts)), "acme", request, LONG_S)


async def test_a_plan_ends_with_the_reason_of_a_system_that_was_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(field_query, "AWAY_S", 0.01)
    asker = Asker(cast(Any, Publisher()), cast(Any, Tables(away(revision=1))), LONG_S, lambda: 0)
    with pytest.raises(NotAnswered, match="userflow is unavailable: http_503"):
        await asker.ask(loaded(GOOD))


async def test_who_was_asked_over_asks_again_and_both_get_their_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(field_query, "AGAIN_S", 0.01)
    parts: dict[str, IntegrationPart] = {}
    asked: list[str] = []

    class Connectors:
        async def send(self, _: str, key: str, part: IntegrationPart) -> None:
            """Somebody else asks right after the first inquiry; both systems answer the newest alone."""
            assert part.inquiry is not None
            asked.append(part.inquiry.inquiry_id)
            if len(asked) == 1:
                part = replace(part, inquiry=replace(part.inquiry, inquiry_id="another", asked_at_ms=1))
            assert part.inquiry is not None
            parts[key] = part
            for system in ("hubspot", "userflow"):
                told = Description(part.inquiry.inquiry_id)
                parts[f"acme/{system}/description"] = IntegrationPart("acme", description=told)

    asker = Asker(cast(Any, Connectors()), cast(Any, Tables(parts)), LONG_S, lambda: 0)
    answers = await asker.answers("acme", {"hubspot": {"contacts": ()}, "userflow": {"users": ()}})
    assert {one.inquiry_id for one in answers.values()} == {asked[0]} and asked == [asked[0], asked[0]]


async def test_an_apply_that_waits_for_a_grant_says_which_command_gives_it(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = dict(away(revision=0))
    settings = parts["acme/settings"].settings
    assert settings is not None
    state = ConnectorState(1, 0, 0, "needs_reconnect", checked_revision=1, reason="not_granted")
    parts["acme/hubspot"] = IntegrationPart("acme", connector=state)
    request = replace(changed_state(settings, "active", 0), apply_id=settings.apply_id)
    tables = cast(Any, Tables(parts))
    monkeypatch.setattr(apply, "HEARD_S", 0.0)
    with pytest.raises(NotApplied, match=r"acme: accepted, and waits .* Fix: run `pairstream connect acme`"):
        await wait_until_applied(tables, "acme", request, LONG_S)
    monkeypatch.setattr(apply, "POLL_EVERY_S", 0.001)
    with pytest.raises(NotApplied, match=r"still describing after"):
        await wait_until_applied(tables, "acme", request, 0.02, granted=True)


async def test_what_userflow_says_of_its_key_is_heard_before_somebody_is_sent_to_grant_access() -> None:
    parts = dict(away(revision=0))
    settings = parts["acme/settings"].settings
    assert settings is not None
    parts["acme/hubspot"] = _told("needs_reconnect", "not_granted")
    request = replace(changed_state(settings, "active", 0), apply_id=settings.apply_id)
    with pytest.raises(NotApplied, match="still describing"):
        await wait_until_applied(cast(Any, Tables(parts)), "acme", request, 0.1)
    parts["acme/userflow"] = _told("ok")
    with pytest.raises(NotApplied, match="accepted, and waits for access"):
        await wait_until_applied(cast(Any, Tables(parts)), "acme", request, LONG_S)


def _told(status: ConnectorStatus, reason: str | None = None) -> IntegrationPart:
    """What a connector says of the revision that is asked for."""
    return IntegrationPart("acme", connector=ConnectorState(1, 0, 0, status, checked_revision=1, reason=reason))
