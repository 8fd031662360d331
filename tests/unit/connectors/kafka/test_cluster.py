"""Names on the brokers: there and back, and none of one installation is another's."""

from hypothesis import given
from hypothesis import strategies as st

from connectors.kafka.cluster import Cluster
from connectors.kafka.settings import member_config, reader_config, transactional_config
from schemas.topics import TOPICS

PREFIXES = st.just("") | st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,8}[A-Za-z0-9])?", fullmatch=True)
NAMES = st.sampled_from(sorted(TOPICS))


@given(PREFIXES, NAMES)
def test_a_name_comes_back_from_the_brokers(prefix: str, name: str) -> None:
    cluster = Cluster({}, prefix)

    assert cluster.owns(cluster.physical(name))
    assert cluster.logical(cluster.physical(name)) == name


@given(PREFIXES, PREFIXES, NAMES, NAMES)
def test_two_installations_have_no_name_in_common(one: str, other: str, name: str, another: str) -> None:
    same = Cluster({}, one).physical(name) == Cluster({}, other).physical(another)

    assert same == ((one, name) == (other, another))


def test_what_belongs_to_another_installation_is_never_taken_for_a_topic_of_ours() -> None:
    theirs = Cluster({}, "staging").physical("hubspot.changes")

    assert not Cluster({}, "stag").owns(theirs)
    assert Cluster({}, "").logical(theirs) not in TOPICS


def test_no_prefix_leaves_every_name_as_it_is() -> None:
    assert Cluster({}).physical("hubspot.changes") == "hubspot.changes"


def test_groups_and_transactional_ids_are_named_like_topics() -> None:
    cluster = Cluster({"bootstrap.servers": "one:9092"}, "staging")

    assert transactional_config(cluster, "pairstream-pairs-0")["transactional.id"] == "staging.pairstream-pairs-0"
    assert member_config(cluster, "pairstream-hubspot", "hubspot-0")["group.id"] == "staging.pairstream-hubspot"
    assert reader_config(cluster)["group.id"] == "staging.pairstream-readers"
    assert reader_config(cluster)["bootstrap.servers"] == "one:9092"


def test_a_password_is_not_shown() -> None:
    assert "hunter2" not in repr(Cluster({"sasl.password": "hunter2"}, "staging"))
