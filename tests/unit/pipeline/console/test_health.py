"""The health page: what waits, how records ended, who uses each account's limits, how pairs are linked; as text all."""

import re
from dataclasses import replace
from typing import Any

from connectors.kafka.groups import BrokersUnreachable
from pipeline.console.drawing import columns
from pipeline.console.ends import KINDS, OWN, ends_of
from pipeline.core.outcome import OUTCOMES
from pipeline.lag.hour import HOUR_MS, MINUTE_MS, Hour, LastHour
from pipeline.lag.judging import Lag
from schemas.configuration import ConnectorState, IntegrationPart, SystemSettings
from schemas.operating import AuditEntry
from schemas.topics import INTEGRATIONS, MAPPINGS
from schemas.vitals import (
    BOUNDS_MS,
    BudgetVitals,
    DurationVitals,
    LimitVitals,
    MappingVitals,
    OutcomeVitals,
    Vitals,
)
from tests.unit.pipeline.console.fixtures import AT_MS, InMemory, connect, in_memory, letter
from tests.unit.pipeline.console.test_pages import HOSTILE, lag, mapped, ran, seen, text

BUDGETS = (
    BudgetVitals(
        *("acme", "hubspot", "general", 190, 10_000, False, {"live_read": 23, "write": 40, "bulk_read": 8}),
        *(4, {"write": 6}, 12_000, 625_000, 583_794),
    ),
    BudgetVitals("acme", "hubspot", "search", 4, 1_000, False, {"search": 2}),
    BudgetVitals("acme", "userflow", "general", 480, 10_000, True, {"write": 380}),
    BudgetVitals("globex", "userflow", "general", 9_999, 10_000, True, {"write": 9_998}),
)


def told(**more: Any) -> Vitals:
    known: dict[str, Any] = {"at_ms": AT_MS, "started_at_ms": AT_MS - 2 * HOUR_MS, "role": "userflow"} | more
    rest = (known.pop("at_ms"), known.pop("started_at_ms"), 5_000, "0.1.0", 10, 1)
    return Vitals("userflow-0", known.pop("role"), *rest, **known)


def looked(*rows: Vitals, processes: tuple[Vitals, ...] = (), hour_ms: int = AT_MS) -> InMemory:
    """A console whose processes told these figures."""
    hour = LastHour(AT_MS - HOUR_MS)
    for row in rows:
        hour.take(row)
    found: Hour = hour.told(hour_ms)
    road: Lag = replace(lag(), processes=processes or lag().processes)
    return in_memory(lambda: road, hour=lambda: found)


async def shown(it: InMemory, path: str = "/i/acme") -> str:
    await it.desk.hour_look.get()  # else it is looked for beside the first page
    await it.desk.letters_look.get()
    await it.desk.audit_look.get()
    return await seen(it, path)


def busy(more: int = 0) -> tuple[Vitals, ...]:
    """Two looks at a process, a quarter of an hour apart."""
    counts = (0, 3, 6, 1, *[0] * (len(BOUNDS_MS) - 3))
    return tuple(
        told(
            at_ms=at_ms,
            outcomes=(
                OutcomeVitals("sink", "acme", "written", 1_000 + 600 * part),
                OutcomeVitals("sink", "acme", "equal", 500 + 300 * part),
                OutcomeVitals("sink", "acme", "refused", 5 * part),
                OutcomeVitals("sink", "acme", "crowded", 2 * part),
                OutcomeVitals("sink", "acme", "as_if_newer", 9 * part),
                OutcomeVitals("sink", "acme", "derived", 70_000 * part),
                OutcomeVitals("sink", "globex", "written", 80_000 * part),
            ),
            durations=(
                DurationVitals("whole", "userflow", False, tuple(n * part for n in counts), 900 * part, "acme"),
            ),
            mappings=(MappingVitals("contacts-users", 118 * part, 3 * part, 2 * part, part, "acme"),),
        )
        for part, at_ms in enumerate((AT_MS - 45 * MINUTE_MS, AT_MS - 5 * MINUTE_MS))
    )


def test_every_outcome_has_a_kind() -> None:
    named = [outcome for kind in KINDS for outcome in kind.outcomes]
    assert len(named) == len(set(named)) and {*named, *OWN} == set(OUTCOMES)


async def test_how_records_ended() -> None:
    it = looked(*busy())
    connect(it)
    mapped(it)
    said = await shown(it)
    part = said.split("How records ended")[1]
    assert "Written 600" in part and "nothing to write, our own echoes too 300" in part and "Refused 5" in part
    assert "Several candidates, nothing written 2" in part and "Not linked 0" in part
    assert "In another way, as a newer release tells 9" in part and "Parked" not in part
    assert "70,000" not in said and "80,000" not in said
    assert "60.0 /min" not in said and "60 /min" in said  # 600 in the ten minutes before this one


async def test_an_hour_that_is_not_whole_says_since_when() -> None:
    began = told(started_at_ms=AT_MS - 10 * MINUTE_MS, outcomes=(OutcomeVitals("sink", "acme", "written", 3),))
    it = looked(began)
    connect(it)
    mapped(it)
    assert "How records ended, since 13:23:20" in await shown(it)


async def test_an_hour_that_nobody_looked_at_lately_is_not_shown_as_the_last_one() -> None:
    it = looked(*busy(), hour_ms=AT_MS - 2 * MINUTE_MS)
    connect(it)
    mapped(it)
    assert "Not known yet" in await shown(it)
    never = in_memory(lag)
    connect(never)
    mapped(never)
    assert "Not known yet" in await shown(never)


async def test_how_long_changes_took_is_of_this_integration_and_hour() -> None:
    it = looked(*busy())
    connect(it)
    mapped(it)
    said = await shown(it)
    assert "0.20 s webhook to written, half within · nothing waits 99 % within 0.40 s" in said
    connect(it, "globex")
    row = it.tables.get(MAPPINGS, "acme/contacts-users")
    it.tables.put(MAPPINGS, "globex/contacts-users", replace(row, integration="globex"))
    assert "no change was written in the last hour" in await shown(it, "/i/globex")


async def test_one_change_has_no_half() -> None:
    """It said `half of 1 changes`."""
    one = DurationVitals("whole", "userflow", False, (0, 1, *[0] * (len(BOUNDS_MS) - 2)), 90, "acme")
    none = replace(one, counts=(0,) * len(BOUNDS_MS), sum_ms=0)
    looks = zip((AT_MS - 45 * MINUTE_MS, AT_MS - 5 * MINUTE_MS), (none, one), strict=True)
    it = looked(*(told(at_ms=at_ms, durations=(took,)) for at_ms, took in looks))
    connect(it)
    mapped(it)
    assert "the one change in the last hour within" in await shown(it, "/")


async def test_who_uses_the_limits_and_what_waits() -> None:
    limited = LimitVitals("", "userflow", None, "burst", AT_MS - 60_000)
    it = looked(processes=(told(role="hubspot", budgets=BUDGETS, limits=(limited,)),))
    connect(it)
    mapped(it)
    said = (await shown(it)).split("API budget")[1].split("How records ended")[0]
    assert "75 of 190 requests 12345678 115 left" in said
    assert "live reads 23" in said and "live writes 40, 6 wait" in said and "others with the same limit 4" in said
    assert "HubSpot asked us to wait: nothing leaves for 12 s" in said and "41,206 of 625,000 today" in said
    assert "2 of 4 searches" in said and "380 of about 480 requests production 100 left, felt for" in said
    assert (
        "Userflow does not publish its limit" in said and "Userflow said last at 13:32:20 that a limit was met" in said
    )
    assert "9,99" not in said


async def test_limits_that_nobody_tells_of_any_more_are_not_known() -> None:
    it = looked(processes=(told(at_ms=AT_MS - 60_000, budgets=BUDGETS),))
    connect(it)
    mapped(it)
    assert (await shown(it)).count("not known: no connector that has it open tells of its limits") == 2


async def test_links_by_mapping_as_the_command_counts_them() -> None:
    it = looked(*busy())
    connect(it)
    mapped(it)
    for one in ("0a", "0b"):
        it.letters.put(letter(one))
    assert "Who is not linked" in await shown(it)  # nobody has counted yet
    ran(it, "completed")
    said = (await shown(it)).split("1 mapping")[1].split("Not linked:")[0]
    assert "HubSpot" not in said.split("Waiting")[0]
    assert "118 linked, 3 not linked, 2 of several, 1 refused" in said
    assert "as the full sync of 13:33:20 counted them" in said
    row = said.split("1 refused")[1]
    assert " 2 " in row  # of both letters


async def test_who_paused_it_and_how_to_connect_again() -> None:
    it = looked()
    connect(it, state="paused")
    it.desk.audit_look.look = lambda: [AuditEntry(AT_MS - 60_000, "acme", "pause", "dana", "here")]
    assert "Paused by dana, 13:32:20." in await shown(it)
    connect(it)
    lost = ConnectorState(1, 1, 1, "needs_reconnect", 1, "grant_rejected")
    it.tables.put(INTEGRATIONS, "acme/hubspot", IntegrationPart("acme", connector=lost))
    html = (await (await it.signed_in("viewer")).get("/i/acme")).text
    assert re.search(r'href="/i/acme/connection">Reconnect HubSpot<', html)


async def test_where_nothing_is_mapped_no_figures_of_nothing_are_shown() -> None:
    it = looked(*busy())
    connect(it)
    said = await shown(it)
    assert "Nothing is mapped yet" in said and not await offers_a_full_sync(it)
    assert "How records ended" not in said and "API budget" not in said and "Systems HubSpot accepted" in said


async def test_a_full_sync_is_offered_where_one_can_begin() -> None:
    it = in_memory(lag)
    connect(it)
    mapped(it)
    assert await offers_a_full_sync(it)
    ran(it, "running", phase="read")
    assert not await offers_a_full_sync(it)


async def offers_a_full_sync(it: InMemory) -> bool:
    return "Run full sync" in (await (await it.signed_in("operator")).get("/i/acme")).text


async def test_what_is_refused_stands_beside_a_state_that_is_well() -> None:
    it = in_memory(lag)
    connect(it)
    mapped(it)
    ran(it, "completed")
    it.letters.put(letter("0a"))
    await shown(it)
    html = (await (await it.signed_in()).get("/i/acme")).text
    assert re.search(r'In step</span> <a class="tag bad" href="/i/acme/refused">but for 1 refused</a>', html)
    assert "In step but for" not in text((await (await it.signed_in()).get("/")).text).split("Last full sync")[1]


async def test_what_was_disconnected_is_connected_again_as_it_was() -> None:
    it = in_memory(lag)
    hubspot = SystemSettings("20111734", {"client_id": "c-1", "source": "poll"})
    connect(it, "umbrella", state="disconnected", hubspot=hubspot, userflow=SystemSettings("labs", {"region": "eu"}))
    connect(it, "acme")
    html = (await (await it.signed_in()).get("/i/umbrella")).text
    assert 'href="/connect?again=umbrella">Connect again<' in html
    form = (await (await it.signed_in()).get("/connect?again=umbrella")).text
    for held in ("umbrella", "20111734", "c-1", "labs"):
        assert f'value="{held}"' in form
    other = (await (await it.signed_in()).get("/connect?again=acme")).text
    assert 'value="acme"' not in other and 'value="12345678"' not in other  # it is connected
    assert "Connect again" not in (await (await it.signed_in("operator")).get("/i/umbrella")).text


async def test_what_a_reconnect_does_is_told_before() -> None:
    it = looked()
    connect(it, hubspot=SystemSettings("20111734", {"client_id": "c-1"}))
    lost = ConnectorState(1, 1, 1, "needs_reconnect", 1, "grant_rejected")
    it.tables.put(INTEGRATIONS, "acme/hubspot", IntegrationPart("acme", connector=lost))
    assert "What happens when you reconnect HubSpot opens; you choose account 20111734" in await shown(it)
    connect(it)
    it.tables.put(
        INTEGRATIONS, "acme/userflow", IntegrationPart("acme", connector=replace(lost, reason="unauthorized"))
    )
    assert "What happens when you reconnect You paste a new key or token" in await shown(it)


async def test_what_others_named_is_text_among_figures() -> None:
    budget = BudgetVitals("acme", HOSTILE, HOSTILE, 1, 1, False, {HOSTILE: 1}, 0, {HOSTILE: 1})
    rows = (
        replace(budget, system="hubspot"),
        replace(budget, system="userflow", limit="general"),
    )
    figures = told(
        started_at_ms=AT_MS - 60_000,
        budgets=rows,
        outcomes=(OutcomeVitals(HOSTILE, "acme", HOSTILE, 3),),
        mappings=(MappingVitals(HOSTILE, 1, 1, 1, 1, "acme"),),
    )
    it = looked(figures, processes=(figures,))
    connect(it)
    mapped(it, HOSTILE)
    it.letters.put(letter("0a", mapping=HOSTILE))
    await shown(it)
    html = (await (await it.signed_in()).get("/i/acme")).text
    assert "<script>alert" not in html and '" onload=' not in html and "&lt;script&gt;" in html
    assert "1 linked, 1 not linked" in text(html)


async def test_the_rail_says_each_state_by_sign_and_word() -> None:
    it = in_memory(lag)
    connect(it)
    ran(it, "completed")
    connect(it, "globex", state="paused")
    await it.desk.lag_look.get()
    it.desk.lag_look.kept_s = 60.0
    html = (await (await it.signed_in()).get("/")).text
    part = html.split('id="live_rail"')[1].split("</nav>")[0]
    assert re.search(r'class="i ok" [^>]*><use href="#ok"/></svg><span class="nm">acme</span>', part)
    assert re.search(r'class="i idle" [^>]*><use href="#pause"/></svg><span class="nm">globex</span>', part)
    assert "acme , In step" in text(part) and "globex , Paused" in text(part)
    assert "to mend" not in text(part)  # nobody looked


def test_columns_are_as_high_as_what_they_hold() -> None:
    drawn = columns([[(1, "work"), (1, "bad")], [(4, "idle")], []], 'three "bars"')
    assert 'y="60.50" width="331.8" height="19.50"' in drawn and drawn.count("<rect") == 3
    assert 'aria-label="three &#34;bars&#34;"' in drawn
    assert ends_of("acme", Hour(AT_MS, None)) is None


async def test_the_overview_says_who_needs_somebody_and_what_was_written() -> None:
    it = looked(*busy())
    connect(it)
    ran(it, "completed")
    connect(it, "globex")
    lost = ConnectorState(1, 1, 1, "needs_reconnect", 1, "grant_rejected")
    it.tables.put(INTEGRATIONS, "globex/hubspot", IntegrationPart("globex", connector=lost))
    it.desk.audit_look.look = lambda: [
        AuditEntry(AT_MS - 60_000, "globex", "status", "hubspot-connector-0", "here", "ok -> needs_reconnect")
    ]
    said = await shown(it, "/")
    assert "2 integrations. 1 needs you." in said
    assert "Stopped at 13:32:20. Nothing is lost" in said
    assert "0.20 s half of 10 changes in the last hour within" in said
    html = (await (await it.signed_in()).get("/")).text
    assert 'aria-label="600 writes in the last hour"' in html and "1,500" in text(html)
    assert re.search(r'href="/i/globex/connection">Reconnect<', html)


async def test_many_integrations_are_filtered_without_a_script() -> None:
    it = looked()
    for name in ("acme", "globex", "hooli", "initech", "staging", "umbrella"):
        connect(it, name)
    said = await shown(it, "/?q=GLOB")
    part = said.split("Oldest waiting")[-1]
    assert "globex" in part and "hooli" not in part and "1 of 6" in said
    assert "No integration has that" in await shown(it, "/?q=%3Cscript%3Ealert")


async def test_a_process_that_is_silent_is_named() -> None:
    it = looked(processes=(told(at_ms=AT_MS - 40_000), replace(told(), process="userflow-1")))
    connect(it)
    said = await shown(it, "/")
    assert "1 of 2" in said and "userflow-0 has not reported for 40 s" in said


async def test_brokers_that_are_away_are_counted() -> None:
    def away() -> Lag:
        raise BrokersUnreachable("no answer")

    it = in_memory(away)
    connect(it)
    await seen(it, "/")
    it.now_ms[0] += 9_000
    it.desk.lag_look._first_try -= 9.0
    for path in ("/", "/road"):
        assert re.search("Tried [2-6] times since 13:33:(19|20)[.]", await seen(it, path))
    it.desk.lag_look.look = lag
    await seen(it, "/")
    assert it.desk.tried()[0] == 0


async def test_a_system_that_is_away_says_what_it_answers_and_since_when() -> None:
    it = looked()
    connect(it)
    trouble = ConnectorState(1, 1, 1, "unavailable", 1, "http_503")
    it.tables.put(INTEGRATIONS, "acme/hubspot", IntegrationPart("acme", connector=trouble))
    assert "HubSpot answers 503. You need not do anything." in await shown(it)
    entry = AuditEntry(AT_MS - 100_000, "acme", "status", "hubspot-0", "here", "ok -> unavailable: http_503")
    it.desk.audit_look.look = lambda: [entry]
    assert "HubSpot answers 503 since 13:31:40. You need not do anything." in await shown(it)


async def test_falling_behind_is_not_catching_up() -> None:
    for state, word in (("WARN", "Falling behind, 1,200 wait"), ("OK", "Catching up, 1,200 left")):
        found = lag(waits_ms=90_000, records=1_200, state=state)
        it = in_memory(lambda found=found: found)  # type: ignore[misc]
        connect(it)
        ran(it, "completed")
        assert word in await seen(it, "/i/acme")


async def test_a_page_that_is_held_asks_for_no_stream_and_goes_on() -> None:
    it = looked()
    connect(it)
    signed_in = await it.signed_in("viewer")
    html = (await signed_in.get("/road?integration=acme")).text
    (hold,) = re.findall(r'href="([^"]+)" title="Keep the figures still', html)
    assert hold == "/road?integration=acme&amp;hold=1"
    html = (await signed_in.get("/road?integration=acme&hold=1")).text
    assert "data-live-path" not in html and "Held, as of 13:33:20" in text(html)
    assert 'href="/road?integration=acme">Go on<' in html


async def test_what_is_near_the_end_of_its_retention_says_when_it_is_lost() -> None:
    days_ms = 24 * 60 * 60 * 1000
    it = in_memory(lambda: lag(waits_ms=3 * days_ms - 60 * 60 * 1000, records=5))  # patches are kept for three days
    assert "near the end of retention. What waits longest is deleted at 14:33:20" in await seen(it, "/road")


async def test_connecting_says_how_far_it_has_come() -> None:
    it = looked()
    connect(it, state="connecting", active_revision=0, apply_state="describing")
    assert "Connecting. Both systems are asked for the fields" in await shown(it)
    connect(it, apply_state="provisioning")
    assert "A new revision is on its way into force. The HubSpot fields that lack are being made." in await shown(it)
