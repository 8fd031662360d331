"""Clients that forget every broker, as librdkafka's do when a lone one names nobody, are noticed and given up."""

import pytest

from connectors.kafka.lifeline import Lifeline, Stranded

WITH_BROKER = '{"brokers":{"127.0.0.1:9092/1":{"nodeid":1,"source":"learned","state":"UP"}}}'
WHILE_AWAY = '{"brokers":{"127.0.0.1:9092/bootstrap":{"nodeid":-1,"source":"configured","state":"TRY_CONNECT"}}}'
WITHOUT = '{"brokers":{"GroupCoordinator":{"nodeid":-1,"source":"logical","state":"INIT"}}}'


def test_one_look_without_a_broker_is_no_end() -> None:
    line = Lifeline()
    for _ in range(3):
        line.look(WITHOUT)
        assert not line.cut
        line.look(WITH_BROKER)
    line.look(WITHOUT)
    line.look(WHILE_AWAY)
    line.look(WITHOUT)
    line.check()
    line.look(WITHOUT)
    with pytest.raises(Stranded):
        line.check()
