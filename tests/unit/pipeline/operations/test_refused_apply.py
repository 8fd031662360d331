"""A refused apply says what is in force still, wherever it is asked from."""

import pytest

from pipeline.operations.apply import NotApplied, changed_state, put_in_force
from schemas.configuration import IntegrationPart
from tests.unit.pipeline.provisioning.cluster import Cluster, file_asked, request

TYPO = {"token": "pat-typo"}


class Refusing:
    """The brokers, a scheduler, and a HubSpot that refuses the token of whatever is tried."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def table(self, _: str) -> dict[str, IntegrationPart]:
        return self._cluster.parts

    async def send(self, _: str, key: str, part: IntegrationPart) -> None:
        self._cluster.parts[key] = part
        self._cluster.settle()
        self._cluster.answer_trial(hubspot="unauthorized")

    async def send_bytes(self, _: str, key: str, __: None) -> None:
        del self._cluster.parts[key]
        self._cluster.settle()


async def refused(cluster: Cluster) -> str:
    brokers, asked = Refusing(cluster), request(**TYPO)
    with pytest.raises(NotApplied) as told:
        await put_in_force(brokers, brokers, file_asked(**TYPO), asked, 5.0)  # type: ignore[arg-type]
    return str(told.value)


async def test_what_was_in_force_is_said_to_go_on() -> None:
    cluster = Cluster()
    cluster.connect()
    why, kept = (await refused(cluster)).splitlines()
    assert why.startswith("acme.yaml:5: hubspot.token: HubSpot does not accept the credentials (unauthorized). Fix: ")
    assert kept == "acme: revision 1 stays in force and goes on"


async def test_what_is_paused_is_not_said_to_go_on() -> None:
    cluster = Cluster()
    cluster.connect()
    cluster.ask(changed_state(cluster.settings(), "paused", 2))
    _, kept = (await refused(cluster)).splitlines()
    paused = "acme is paused: nothing is written before `pairstream integration resume acme`"
    assert kept == f"acme: revision 1 stays in force; {paused}"
