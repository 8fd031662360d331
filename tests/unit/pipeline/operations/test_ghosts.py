"""What a refused first apply leaves: nothing, where its asker waited for it."""

from pipeline.operations.apply import changed_state, never_in_force
from schemas.configuration import Former, IntegrationPart
from tests.unit.pipeline.provisioning.cluster import Cluster, request


def test_a_refused_first_request_is_all_there_is_of_it() -> None:
    cluster = Cluster()
    cluster.connect(attribute="unheard_of")
    assert never_in_force("acme", cluster.parts)
    assert not never_in_force("globex", cluster.parts)


def test_so_is_one_for_an_account_that_another_holds() -> None:
    cluster = Cluster()
    cluster.connect("rival")
    cluster.ask(request())
    assert never_in_force("acme", cluster.parts)


def test_and_the_first_since_its_name_was_forgotten() -> None:
    cluster = Cluster()
    cluster.parts["acme/former"] = IntegrationPart("acme", former=Former(3))
    cluster.connect(attribute="unheard_of")
    assert cluster.settings().connection == 4
    assert never_in_force("acme", cluster.parts)


def test_what_was_in_force_once_is_kept() -> None:
    cluster = Cluster()
    cluster.connect()
    assert not never_in_force("acme", cluster.parts)
    cluster.ask(changed_state(cluster.settings(), "disconnected", 2))
    assert not never_in_force("acme", cluster.parts)
    cluster.connect(attribute="unheard_of")
    assert (cluster.settings().apply_state, cluster.settings().active_revision) == ("failed", 0)
    assert not never_in_force("acme", cluster.parts)
