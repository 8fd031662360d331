"""What the roles of `up` are told beyond the environment given."""

from dataclasses import replace
from pathlib import Path

from pipeline.config import load_settings
from pipeline.local.stack import roles_environment
from tests.unit.pipeline.local.test_endpoints import OURS


def test_simulators_sign_the_address_they_send_to_whatever_the_public_one_is(tmp_path: Path) -> None:
    settings = load_settings(
        {"PAIRSTREAM_STATE_DIR": str(tmp_path / "state"), "PAIRSTREAM_PUBLIC_URL": "https://sync.acme.com"}
    )

    simulated = roles_environment(settings, replace(OURS, userflow_simulator_url="http://127.0.0.1:9002"))
    real = roles_environment(settings, replace(OURS, hubspot_simulator_url=None))

    assert simulated["PAIRSTREAM_PUBLIC_URL"] == OURS.receiver_url
    assert "PAIRSTREAM_PUBLIC_URL" not in real
