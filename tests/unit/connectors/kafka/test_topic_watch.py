"""The watch over topics: made anew is told, made at last is not."""

from collections.abc import Iterable
from typing import Any, cast

from connectors.kafka.topic_watch import TopicWatch


class Brokers:
    """Brokers with the ids of their topics."""

    def __init__(self, **ids: str) -> None:
        self.ids = ids

    def topic_ids(self, topics: Iterable[str]) -> dict[str, str]:
        return {topic: self.ids[topic] for topic in topics if topic in self.ids}


def test_a_topic_that_was_missing_at_the_start_lost_nothing_and_is_watched_once_it_is_there() -> None:
    brokers, told = Brokers(old="1"), list[str]()
    watch = TopicWatch(cast(Any, brokers), ("old", "new"), told.extend)
    brokers.ids["new"] = "2"
    assert watch.look()
    assert watch.look()
    brokers.ids["new"] = "3"
    assert watch.look()
    assert not watch.look()
    assert told == ["new"]


def test_a_topic_that_was_deleted_or_made_anew_is_told() -> None:
    brokers, told = Brokers(first="1", second="2"), list[str]()
    watch = TopicWatch(cast(Any, brokers), ("first", "second"), told.extend)
    brokers.ids = {"first": "9"}
    assert watch.look()
    assert told == []
    assert not watch.look()
    assert told == ["first", "second"]


def test_one_look_at_a_broker_that_does_not_know_a_topic_yet_ends_nothing() -> None:
    """A broker that has just started ended a worker and had everything crawled."""
    brokers, told = Brokers(first="1", second="2"), list[str]()
    watch = TopicWatch(cast(Any, brokers), ("first", "second"), told.extend)
    for seen in ({"first": "1"}, {"first": "1", "second": "2"}, {"second": "2"}, {"first": "1", "second": "2"}):
        brokers.ids = seen
        assert watch.look()
    assert told == []
