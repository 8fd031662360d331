"""Errors after which a member takes nothing more are known by their code; who has no rival joins its group anew."""

import pytest
from confluent_kafka import KafkaError, KafkaException

from connectors.kafka.lifeline import Stranded
from connectors.kafka.rejoining import OPENED_S, is_fatal, may_join_anew

FENCED = KafkaException(KafkaError(KafkaError._FATAL))
STRANDED = Stranded("forgotten")


@pytest.mark.parametrize("code", [KafkaError._FATAL, KafkaError._FENCED, KafkaError.FENCED_INSTANCE_ID])
def test_a_member_that_was_fenced_is_told_from_one_that_may_go_on(code: int) -> None:
    error = KafkaError(code)
    assert not error.fatal()  # that is why the code is compared
    assert is_fatal(error)


@pytest.mark.parametrize(
    "code", [KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError.REBALANCE_IN_PROGRESS]
)
def test_brokers_that_are_away_end_nothing(code: int) -> None:
    assert not is_fatal(KafkaError(code))


@pytest.mark.parametrize("error", [FENCED, STRANDED])
def test_one_that_lost_its_session_to_silent_brokers_joins_anew(error: Stranded | KafkaException) -> None:
    assert may_join_anew(error, held=False, slept=False, opened_s=OPENED_S)


@pytest.mark.parametrize(("held", "slept"), [(True, False), (False, True), (True, True)])
def test_one_that_has_a_rival_ends(held: bool, slept: bool) -> None:
    assert not may_join_anew(FENCED, held=held, slept=slept, opened_s=OPENED_S)
    assert may_join_anew(STRANDED, held=held, slept=slept, opened_s=OPENED_S)  # that is no matter of rivals


@pytest.mark.parametrize("error", [FENCED, STRANDED])
def test_one_that_joined_just_now_ends(error: Stranded | KafkaException) -> None:
    assert not may_join_anew(error, held=False, slept=False, opened_s=OPENED_S - 0.1)


def test_another_error_of_a_client_ends_it() -> None:
    error = KafkaException(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))
    assert not may_join_anew(error, held=False, slept=False, opened_s=OPENED_S)
