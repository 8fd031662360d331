"""Userflow polled: users who were active are read again, latest first, within bounds; the rest is the patrol's."""

from dataclasses import replace
from typing import Any

import pytest

from connectors.contract.feed import FeedSettings, Kept
from connectors.simulation import VendorClock
from connectors.simulation.clock import iso_offset
from connectors.userflow.account import assemble
from connectors.userflow.polling import OVERLAP_MS, UNORDERED_S, Round, round_of
from connectors.userflow.simulator import UserflowSettings, UserflowSimulator
from tests.unit.connectors.feeding import FedAccount
from tests.unit.connectors.simulation.simulated import ToldTime
from tests.unit.connectors.userflow import account as userflow_account

SEEN = "users/seen"


class Polled:
    """An environment whose users were last seen a second after one another."""

    def __init__(self, users: int, most_seen: int = 1_000) -> None:
        self.now = ToldTime()
        settings = UserflowSettings(latency_ms=0, rate_per_s=None, max_in_flight=None)
        self.simulator = UserflowSimulator(settings, clock=VendorClock(wall=self.now, monotonic=self.now))
        feeds = FeedSettings(most_seen=most_seen)
        opening = userflow_account.opening(userflow_account.Incidents())
        opening = replace(opening, options={"source": "poll"}, feeds=feeds)
        self.transport = userflow_account.InProcess(self.simulator)
        self.fed = FedAccount(assemble(opening, self.transport, userflow_account.KEY), self.now)
        for number in range(users):
            self.sees(f"u-{number}")

    def sees(self, user_id: str, **attributes: Any) -> None:
        self.now.pass_ms(1_000)
        fields = {"last_seen_at": iso_offset(self.fed.now_ms), **attributes}
        known = {row["id"] for row in self.simulator.list_objects("users")}
        if user_id in known:
            self.simulator.edit_object("users", user_id, fields)
        else:
            self.simulator.create_object("users", fields, object_id=user_id)

    def seen(self) -> list[str]:
        return [one.object_id for _, one in self.fed.seen]


async def test_users_seen_since_the_last_round_are_read_again_with_their_fields() -> None:
    it = Polled(250)
    await it.fed.until_quiet(SEEN)
    assert len(set(it.seen())) == 250
    it.fed.forget()
    it.now.pass_ms(2 * OVERLAP_MS)
    it.sees("u-3", plan="gold")
    await it.fed.until_quiet(SEEN)
    assert it.seen()[0] == "u-3"
    assert it.fed.seen[0][1].fields["plan"].value == "gold"
    assert len(it.seen()) == 100


async def test_a_round_is_bounded_and_the_next_one_goes_on_with_who_is_seen_then() -> None:
    it = Polled(350, most_seen=200)
    await it.fed.until_quiet(SEEN)
    assert len(it.seen()) == 200
    assert it.seen()[0] == "u-349"


async def test_a_restart_in_the_middle_of_a_round_goes_on_there() -> None:
    it = Polled(250)
    await it.fed.pull(SEEN)
    it.fed.restart()
    await it.fed.until_quiet(SEEN)
    assert len(it.seen()) == len(set(it.seen())) == 250


async def test_a_list_that_begins_with_users_who_were_never_seen_is_left_to_the_patrol() -> None:
    it = Polled(3)
    it.simulator.create_object("users", {"plan": "new"}, object_id="never")
    pulled = await it.fed.pull(SEEN)
    assert it.seen()[0] == "never"
    assert pulled.wait_s == UNORDERED_S
    await it.fed.round(after_ms=1_000)
    assert set(it.seen()) == {"u-0", "u-1", "u-2", "never"}


async def test_an_order_that_the_api_refuses_is_left_to_the_patrol() -> None:
    it = Polled(3)
    it.simulator.add_faults([{"action": "status", "status": 400, "match": {"path_contains": "/users"}, "times": 1}])
    pulled = await it.fed.pull(SEEN)
    assert (pulled.objects, pulled.wait_s) == ((), UNORDERED_S)


async def test_a_cursor_whose_user_is_gone_begins_the_next_round() -> None:
    it = Polled(250)
    first = await it.fed.pull(SEEN)
    gone = round_of(first.position).cursor
    assert gone is not None
    it.simulator.delete_object("users", gone)
    pulled = await it.fed.pull(SEEN)
    assert pulled.wait_s == FeedSettings().seen_interval_s
    await it.fed.until_quiet(SEEN)
    assert len(set(it.seen())) == 250


async def test_a_polled_environment_has_no_subscription_of_ours() -> None:
    it = Polled(1)
    it.simulator.environment.subscribe(userflow_account.WEBHOOK_URL, ["user"])
    assert (await it.fed.account.setup.provision({"users": ()}, ())).webhook_secret is None
    assert it.simulator.environment.subscriptions == {}


@pytest.mark.parametrize("text", ["", "nonsense", "[]"])
def test_a_position_that_cannot_be_read_is_a_first_round(text: str) -> None:
    assert round_of(text) == Round()
    assert Kept(text, 0).position == text


def test_a_round_ends_at_what_the_last_one_saw() -> None:
    now = Round(since_ms=1_000_000)
    assert now.after([2_000_000, 1_000_000 - OVERLAP_MS - 1], "u-2", 1_000) == Round(2_000_000)
    assert now.after([2_000_000, 1_000_000], "u-2", 1_000) == Round(1_000_000, 2_000_000, 2, "u-2")
    assert now.after([2_000_000, None], "u-2", 1_000) == Round(2_000_000)
    assert now.after([2_000_000, 1_500_000], None, 1_000) == Round(2_000_000)
