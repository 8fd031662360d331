"""What doctor says of webhooks: that they are taken, or why they are not."""

from collections.abc import Mapping

from pipeline.operations.findings import Finding
from pipeline.operations.webhooks import webhooks
from schemas.vitals import Vitals
from tests.unit.pipeline.lag.roads import NOW_MS, road, waiting


def receiver(accepted: Mapping[str, int], refused: Mapping[str, int], ago_ms: int = 1_000, number: int = 0) -> Vitals:
    ages = {key: NOW_MS - age for key, age in accepted.items()}
    refusals = {key: NOW_MS - age for key, age in refused.items()}
    at_ms = NOW_MS - ago_ms
    return Vitals(f"receiver-{number}", "receiver", at_ms, 0, 5_000, "0.1.0", 0, 0, accepted=ages, refused=refusals)


def found(*rows: Vitals) -> list[Finding]:
    return list(webhooks(road(waiting(0), *rows)))


def test_the_last_was_accepted() -> None:
    row = receiver({"acme/hubspot": 40_000, "beta/hubspot": 7_000}, {})
    assert found(row) == [Finding("webhooks of hubspot", "ok", "the last was accepted 7 s ago")]


def test_the_secret_was_rotated() -> None:
    (told,) = found(receiver({"acme/hubspot": 40_000}, {"hubspot/mismatch": 7_000, "hubspot/stale": 9_000}))
    assert (told.what, told.verdict) == ("webhooks of hubspot", "wrong")
    assert told.detail.startswith(
        "none was accepted since one was refused 7 s ago, mismatch: the signature does not fit"
    )


def test_one_that_was_refused_before_others_were_accepted_is_over() -> None:
    (told,) = found(receiver({"acme/userflow": 3_000}, {"userflow/mismatch": 7_000}))
    assert told.verdict == "ok"


def test_what_another_receiver_accepted_counts() -> None:
    (told,) = found(receiver({}, {"hubspot/mismatch": 7_000}), receiver({"acme/hubspot": 1_000}, {}, number=1))
    assert told.verdict == "ok"


def test_strangers_and_what_is_long_ago_say_nothing() -> None:
    assert found(receiver({}, {"hubspot/unknown": 1_000, "userflow/mismatch": 700_000})) == []


def test_a_receiver_that_is_gone_tells_nothing() -> None:
    assert found(receiver({"acme/hubspot": 40_000}, {"hubspot/mismatch": 30_000}, ago_ms=29_000)) == []
