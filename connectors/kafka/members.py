"""Who holds which partition of a consumer group, as its coordinator tells."""

from collections.abc import Iterable, Mapping

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from connectors.kafka.cluster import Cluster
from connectors.kafka.settings import SILENT, TIMEOUT_S
from schemas.topics import TopicAndPartition


def holders(cluster: Cluster, groups: Iterable[str]) -> dict[str, Mapping[TopicAndPartition, str] | None]:
    """For each group, its members' names by place; None where the coordinator does not tell, or is changing. Blocks."""
    names = {cluster.physical(group): group for group in groups}
    admin = AdminClient({**cluster.client, "log_level": SILENT})
    answers = admin.describe_consumer_groups(list(names), request_timeout=TIMEOUT_S)
    return {names[name]: _held(cluster, future) for name, future in answers.items()}


def _held(cluster: Cluster, future: "object") -> Mapping[TopicAndPartition, str] | None:
    try:
        described = future.result(TIMEOUT_S)  # type: ignore[attr-defined]
    except (KafkaException, TimeoutError):
        return None
    if described.state.name not in ("STABLE", "EMPTY", "DEAD"):
        return None  # a rebalance is under way
    return {
        (cluster.logical(place.topic), place.partition): member.group_instance_id or member.client_id
        for member in described.members
        for place in member.assignment.topic_partitions
    }


def members(cluster: Cluster, groups: Iterable[str]) -> dict[str, tuple[str, ...] | None]:
    """For each group, the names of its members, with or without partitions; None where the coordinator does not tell.

    Blocks. A static member that ended is one until its session is over.
    """
    names = {cluster.physical(group): group for group in groups}
    admin = AdminClient({**cluster.client, "log_level": SILENT})
    answers = admin.describe_consumer_groups(list(names), request_timeout=TIMEOUT_S)
    found: dict[str, tuple[str, ...] | None] = {}
    for name, future in answers.items():
        try:
            described = future.result(TIMEOUT_S)
            found[names[name]] = tuple(one.group_instance_id or one.client_id for one in described.members)
        except KafkaException as error:
            found[names[name]] = () if error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND else None
        except TimeoutError:
            found[names[name]] = None
    return found
