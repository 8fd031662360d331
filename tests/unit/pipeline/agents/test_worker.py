"""The Faust app is given what every other client is given."""

import io
import logging
import ssl
from pathlib import Path

import faust
import pytest

from connectors.kafka.cluster import Cluster
from pipeline.agents import worker as worker_module
from pipeline.agents.consumer import BatchConsumer
from pipeline.agents.loop import AgentLoop
from pipeline.agents.worker import Agent, build_app, build_worker, credentials
from tests.unit.pipeline.agents.stage import Appending, FakeStepDeps, until


def _stays() -> None:
    pytest.fail("nobody asked it to end")


@pytest.mark.parametrize("signal", ["_on_sigterm", "_on_sigint"])
async def test_a_signal_ends_it_in_time_whatever_is_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signal: str
) -> None:
    left = list[str]()
    monkeypatch.setattr(worker_module, "STOP_WITHIN_S", 0.01)
    monkeypatch.setattr(faust.Worker, signal, lambda self: left.append("asked Faust"))
    worker = build_worker(build_app(Cluster({"bootstrap.servers": "one:9092"}), 3, tmp_path / "faust", []), _stays)
    worker.leave = lambda: left.append("left")
    getattr(worker, signal)()
    await until(lambda: sorted(left) == ["asked Faust", "left"])  # a busy machine lets the timer be first


def test_plain_text_needs_no_credentials() -> None:
    assert credentials({"bootstrap.servers": "kafka:9092", "security.protocol": "PLAINTEXT"}) is None


@pytest.mark.parametrize("protocol", ["SASL_PLAINTEXT", "SASL_SSL"])
def test_sasl_settings_reach_faust(protocol: str) -> None:
    found = credentials(
        {
            "security.protocol": protocol,
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": "pairstream",
            "sasl.password": "secret",
        }
    )
    assert (found.username, found.password) == ("pairstream", "secret")
    assert found.mechanism.value == "SCRAM-SHA-512"
    assert isinstance(found.ssl_context, ssl.SSLContext) == (protocol == "SASL_SSL")


def test_ssl_alone_is_a_context() -> None:
    assert isinstance(credentials({"security.protocol": "SSL"}).context, ssl.SSLContext)


def test_the_app_reads_every_broker_by_the_batch(tmp_path: Path) -> None:
    app = build_app(Cluster({"bootstrap.servers": "one:9092,two:9092"}), 3, tmp_path / "faust", [])
    assert [str(url) for url in app.conf.broker] == ["kafka://one:9092", "kafka://two:9092"]
    assert app.conf.consumer_group_instance_id == "worker-3"
    assert app.transport.Consumer is BatchConsumer


def test_a_prefix_starts_the_names_of_the_group_and_its_topics(tmp_path: Path) -> None:
    cluster = Cluster({"bootstrap.servers": "one:9092"}, "staging")
    agent = Agent("one", Appending.topics, AgentLoop(Appending(), FakeStepDeps().deps()))

    app = build_app(cluster, 0, tmp_path / "faust", [agent])

    assert app.conf.id == "staging.pairstream-worker"
    [consumer] = app.agents.values()
    assert set(consumer.channel.topics) == {"staging.hubspot.changes", "staging.sync.state-commands"}


async def test_faust_leaves_our_log_handlers_and_their_level_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own mask no secrets and know no JSON; a worker's INFO lines never came, for Faust had set ours to WARNING."""
    stream = io.StringIO()
    ours = logging.StreamHandler(stream)
    monkeypatch.setattr(logging.root, "handlers", [ours])
    monkeypatch.setattr(logging.root, "level", logging.INFO)
    worker = build_worker(build_app(Cluster({"bootstrap.servers": "one:9092"}), 0, tmp_path / "faust", []), _stays)
    monkeypatch.setattr(worker, "install_signal_handlers", lambda: None)

    await worker.default_on_first_start()
    logging.getLogger("pipeline.agents").info("restored")

    assert logging.root.handlers == [ours]
    assert stream.getvalue().endswith("restored\n")


def test_no_spinner_moves_the_cursor_of_what_may_be_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    worker = build_worker(build_app(Cluster({"bootstrap.servers": "one:9092"}), 0, tmp_path / "faust", []), _stays)

    worker._on_startup_end_spinner()
    worker._flag_as_shutdown_by_signal()

    assert capsys.readouterr().out == ""
