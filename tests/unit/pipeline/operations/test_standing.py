"""How integrations are shown: what is in force, both systems, pairs, what there is to do."""

from collections.abc import Sequence
from dataclasses import replace

from pipeline.full_sync.rows import Run, runs_of
from pipeline.lag.judging import Lag
from pipeline.operations.apply import changed_state
from pipeline.operations.standing import Known, Shown, standing
from pipeline.operations.standing_text import lines, list_table, things_to_do
from schemas.configuration import NOT_GRANTED, Description, IntegrationPart, Sections
from schemas.operating import AuditEntry
from schemas.runs import FullSyncRun, RunProgress
from schemas.vitals import LimitVitals, Vitals
from tests.unit.pipeline.lag.roads import NOW_MS, road, waiting
from tests.unit.pipeline.operations.test_plan import in_force
from tests.unit.pipeline.provisioning.cluster import Cluster, request

RUN_ID = "1699999000000-aaaa"
COUNTS = {"pairs": 1_500, "refused": 3, "equal": 1_497, "unmatched.hubspot": 1_000, "unmatched.userflow": 500}


def completed() -> list[Run]:
    row = RunProgress(RUN_ID, "acme", "run", "completed", NOW_MS - 400_000, NOW_MS, counts={"pairs": 1_500})
    whole = replace(row, full_sync=FullSyncRun(finished_at_ms=NOW_MS - 28_000))
    part = RunProgress(RUN_ID, "acme", "pairs", "completed", 1, 2, counts=COUNTS)
    return list(runs_of({RUN_ID: whole, f"{RUN_ID}/pairs/0/contacts-users/count/1": part}).values())


def figures() -> tuple[Vitals, ...]:
    receiver = Vitals(
        "receiver-0",
        "receiver",
        NOW_MS,
        0,
        5_000,
        "0.1.0",
        0,
        0,
        accepted={"acme/hubspot": NOW_MS - 40_000},
        refused={"hubspot/mismatch": NOW_MS - 41_000, "userflow/mismatch": NOW_MS - 12_000},
    )
    hubspot = Vitals(
        "hubspot-0", "hubspot", NOW_MS, 0, 5_000, "0.1.0", 0, 0, limits=(LimitVitals("acme", "hubspot", 103),)
    )
    return receiver, hubspot


def shown(cluster: Cluster, runs: list[Run], lag: Lag | None = None, audit: Sequence[AuditEntry] = ()) -> Shown:
    lag = lag or road(waiting(12, since_ms=200), *figures())
    parts: dict[str, IntegrationPart] = dict(cluster.parts)
    known = Known(
        parts, runs, lag, {"acme": ("contacts-users",)}, {"acme": 0}, {"acme": (2, 3)}, {"acme": NOW_MS + 3_600_000}
    )
    known = replace(known, audit=audit)
    return standing("acme", cluster.settings(), known)


def test_an_integration_in_full() -> None:
    told = shown(in_force(), completed())
    account = told["systems"]["hubspot"]["account"]
    found = lines(told)
    assert found[0] == f"acme  active, revision {told['revision']}, connection 1"
    assert found[1].startswith(f"  HubSpot {account}  ok  ")
    assert "owner member, partition 0; 103 requests left" in found[1]
    assert found[2] == "    webhooks  last accepted 22:12:40 (40 s ago)"
    assert found[4] == (
        "    webhooks  none since its receiver began; refused: mismatch 12 s ago -> "
        "is the secret right? is PAIRSTREAM_PUBLIC_URL what the vendor calls?"
    )
    head = "MAPPING PAIRS IN STEP WAITING REFUSED AMBIGUOUS CROWDED HUBSPOT ONLY USERFLOW ONLY"
    assert " ".join(found[5].split()) == head
    assert found[6].split() == ["contacts-users", "1,500", "1,497", "0", "3", "0", "0", "1,000", "500"]
    last = "last full sync complete 2023-11-14 22:12 (6 min 12 s), next 2023-11-14 23:13"
    assert found[7] == "WAITING is of now; the rest as the full sync of 2023-11-14 22:12 counted it"
    assert told["counted_at"] == told["last_full_sync"]["finished_at"]
    assert found[8] == f"behind 0.2 s (12 records) · {last}"
    assert found[9] == "2 of 3 secrets are sealed with the newest key"
    assert found[10] == "1 thing to do: pairstream dead-letters list --integration acme"


def test_a_pause_is_told_with_its_reason() -> None:
    cluster = in_force()
    cluster.ask(changed_state(cluster.settings(), "paused", NOW_MS, "CRM clean-up"))
    told = shown(cluster, completed())
    assert (told["state"], told["pause_reason"]) == ("paused", "CRM clean-up")
    assert lines(told)[1] == "  paused: CRM clean-up"
    assert list_table([told])[-1] == "acme: paused: CRM clean-up"
    cluster.ask(changed_state(cluster.settings(), "paused", NOW_MS))
    assert shown(cluster, [])["pause_reason"] is None and "paused:" not in "".join(lines(shown(cluster, [])))


def came(at_ms: int, revision: int, connection: int = 1, name: str = "acme") -> AuditEntry:
    detail = f"connection {connection}"
    return AuditEntry(at_ms, name, "revision in force", "scheduler-0", "", detail, revision)


def test_when_it_was_applied_and_connected_is_told_as_far_as_the_audit_tells() -> None:
    day_ms, revision = 86_400_000, shown(in_force(), [])["revision"]
    audit = [
        came(NOW_MS - 9 * day_ms, revision, connection=0),
        came(NOW_MS - 7 * day_ms, revision - 1),
        came(NOW_MS - 6 * day_ms, revision, name="other"),
        came(NOW_MS - 5_000, revision),
        AuditEntry(NOW_MS - 4_000, "acme", "state", "scheduler-0", "", "connection 1", revision),
    ]
    told = shown(in_force(), [], audit=audit)
    assert (told["applied_at_ms"], told["connected_at_ms"]) == (NOW_MS - 5_000, NOW_MS - 7 * day_ms)
    assert lines(told)[0] == f"acme  active, revision {revision} (applied 22:13:15), connection 1, since 2023-11-07"
    before = lines(told | {"applied_at_ms": NOW_MS - 2 * day_ms})[0]
    assert "(applied 2023-11-12 22:13)" in before


def test_before_the_first_full_sync_nothing_is_counted() -> None:
    told = shown(in_force(), [])
    assert told["mappings"][0]["pairs"] is None and told["counted_at"] is None
    assert "WAITING is of now; the rest is counted by a full sync, and none has completed" in lines(told)
    assert told["last_full_sync"] is None
    assert lines(told)[-1] == "1 thing to do: pairstream full-sync start acme"


def test_the_list_has_a_line_for_each_and_says_what_is_wrong() -> None:
    cluster = in_force()
    cluster.report("hubspot", status="needs_reconnect", reason="unauthorized", denied={"deals.read": "missing_scopes"})
    head, line, *notes = list_table([shown(cluster, completed())])
    assert head.split() == [
        "NAME",
        "STATE",
        "REVISION",
        "HUBSPOT",
        "USERFLOW",
        "PAIRS",
        "REFUSED",
        "BEHIND",
        "LAST-FULL-SYNC",
    ]
    assert line.split() == [
        "acme",
        "active",
        "1",
        "needs",
        "reconnect",
        "ok",
        "1,500",
        "3",
        "0.2",
        "s",
        "complete",
        "2023-11-14",
        "22:12",
    ]
    assert notes == [
        "PAIRS and REFUSED as the last full sync that completed counted them",
        "acme: hubspot needs reconnect: unauthorized",
        "acme: hubspot: may not read deals: missing_scopes",
    ]


def test_what_waits_of_a_mapping() -> None:
    unread = replace(waiting(12), mappings={("acme", "contacts-users"): 12, ("beta", "contacts-users"): 5})
    told = shown(in_force(), completed(), road(unread))
    assert told["mappings"][0]["waiting"] == 12


def test_what_became_of_an_apply_is_told_with_what_to_do() -> None:
    cluster = Cluster()
    cluster.connect()
    assert shown(cluster, [])["refusal"] is None
    cluster.ask(request(key="ak_typo"))
    cluster.answer_trial(userflow="unauthorized")
    found = shown(cluster, [])
    told = (
        "its last apply was refused: userflow.api_key (`${USERFLOW_API_KEY}` in an exported file): Userflow does not "
        "accept the key (unauthorized). Fix: give a key of this environment. Then: `pairstream apply FILE`"
    )
    assert (found["reason"], lines(found)[1]) == ("userflow: failed: unauthorized", f"  {told}")
    assert f"acme: {told}" in list_table([found])
    cluster.ask(request(key="ak_new"))
    cluster.ask(changed_state(cluster.settings(), "active", NOW_MS))
    assert "was given up for a pause or resume. Fix: `pairstream apply FILE` again" in lines(shown(cluster, []))[1]


def test_a_file_that_waits_for_access_is_told_with_what_to_do() -> None:
    cluster = in_force()
    assert shown(cluster, [])["awaits_access"] is None
    settings = cluster.settings()
    tried = Sections(settings.document, replace(settings.hubspot, account="77"), settings.userflow)
    asking = replace(settings, apply_state="proving", trial=tried)
    cluster.parts["acme/settings"] = IntegrationPart("acme", settings=asking)
    told = IntegrationPart("acme", description=Description(asking.tried, NOT_GRANTED))
    cluster.parts["acme/hubspot/trial"] = told
    found = shown(cluster, [])
    assert found["awaits_access"] == "77"
    assert "  its newest file waits for access to HubSpot account 77" in lines(found)
    assert "acme: its newest file waits for access to HubSpot account 77" in list_table([found])
    assert "pairstream connect acme" in things_to_do(found)


def test_the_object_for_scripts_has_stable_keys() -> None:
    assert list(shown(in_force(), completed())) == [
        "at_ms",
        "integration",
        "state",
        "pause_reason",
        "revision",
        "apply_state",
        "reason",
        "refusal",
        "awaits_access",
        "applied_at_ms",
        "connection",
        "connected_at_ms",
        "systems",
        "mappings",
        "counted_at",
        "lag",
        "behind_s",
        "last_full_sync",
        "next_full_sync_at_ms",
        "secrets",
    ]
