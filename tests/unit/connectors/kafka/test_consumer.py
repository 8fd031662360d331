"""Errors after which a member takes nothing more are known by their code."""

import pytest
from confluent_kafka import KafkaError

from connectors.kafka import consumer


@pytest.mark.parametrize("code", [KafkaError._FATAL, KafkaError._FENCED, KafkaError.FENCED_INSTANCE_ID])
def test_a_member_that_was_fenced_is_told_from_one_that_may_go_on(code: int) -> None:
    error = KafkaError(code)
    assert not error.fatal()  # that is why the code is compared
    assert consumer._is_fatal(error)


@pytest.mark.parametrize(
    "code", [KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError.REBALANCE_IN_PROGRESS]
)
def test_brokers_that_are_away_end_nothing(code: int) -> None:
    assert not consumer._is_fatal(KafkaError(code))
