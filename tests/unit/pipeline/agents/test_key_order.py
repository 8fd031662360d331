"""Slices go through the keys of one beginning, whatever comes and goes between them, and sort them once."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.agents.key_order import MOST_ORDERS, KeyOrder
from pipeline.agents.state import Overlay

keys = st.sets(st.from_regex(r"[ab]:[a-d]{1,3}", fullmatch=True))


@given(keys, keys, st.integers(1, 4))
def test_every_key_that_stays_is_met_once_and_in_order(before: set[str], later: set[str], size: int) -> None:
    order, rows = KeyOrder(), Overlay(dict.fromkeys(before, 1))
    met: list[str] = []
    while True:
        left = list(order.after("run", 0, met[-1] if met else None, lambda: rows.keys_after(None, "a:")))
        met += left[:size]
        for key in later:
            rows.put(key, 2)
        if len(left) <= size:
            break
    assert met == sorted(key for key in before if key.startswith("a:"))


def test_keys_are_sorted_once_for_a_command() -> None:
    order, sortings = KeyOrder(), 0

    def keys() -> list[str]:
        nonlocal sortings
        sortings += 1
        return [f"a:{number}" for number in range(9)]

    for cursor in (None, "a:2", "a:5"):
        list(order.after("run", 0, cursor, keys))
    assert sortings == 1
    order.forget("run", 0)
    assert list(order.after("run", 0, "a:6", keys)) == ["a:7", "a:8"]
    assert sortings == 2


def test_a_command_that_another_worker_began_goes_through_the_keys_of_now() -> None:
    order = KeyOrder()
    list(order.after("yesterday", 0, None, lambda: ["a:1", "a:3"]))
    assert list(order.after("today", 0, "a:1", lambda: ["a:1", "a:2", "a:3"])) == ["a:2", "a:3"]


def test_it_remembers_a_few_commands_only() -> None:
    order = KeyOrder()
    for partition in range(3 * MOST_ORDERS):
        list(order.after("run", partition, None, lambda: ["a:1"]))
    assert len(order._sorted) == MOST_ORDERS
