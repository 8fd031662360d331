"""The editor: every button leaves the rest of the form as it was; and saving, which tells what it does beforehand."""

import asyncio
import html
import re
from collections import Counter
from dataclasses import replace
from typing import Any

import httpx
import pytest

from pipeline.console.drafts import Draft, RuleDraft, acted, draft_of, form_of
from pipeline.console.pages.reviewing import COUNTED_MS
from pipeline.integration_file.export import to_yaml
from pipeline.integration_file.loader import read_document
from pipeline.operations.pair_counts import PairCounts, Sample
from pipeline.operations.plan import Plan
from schemas.configuration import DescribedField, IntegrationPart, SystemSettings
from schemas.operating import AuditEntry
from schemas.topics import AUDIT, INTEGRATIONS, MAPPINGS, RUNS
from tests.unit.pipeline.console.fixtures import DOCUMENT, Browser, InMemory, connect, in_memory
from tests.unit.pipeline.console.test_adding import scheduler
from tests.unit.pipeline.console.test_pages import mapped, text

AT = "/i/acme/mappings/contacts-users"
IN_FORCE = draft_of(read_document(DOCUMENT).mappings[0])


@pytest.fixture
def it() -> InMemory:
    made = in_memory()
    sealed = {"token": b"sealed by somebody else"}
    connect(made, document=to_yaml(read_document(DOCUMENT)), hubspot=SystemSettings("12345678", {}, sealed))
    mapped(made)
    return made


def form(draft: Draft, **more: str) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in form_of(draft):
        fields.setdefault(name, []).append(value)
    return fields | more


def base(page: httpx.Response) -> str:
    found = re.search(r'name="base" value="([^"]*)"', page.text)
    assert found is not None
    return found[1]


def targets(page: httpx.Response) -> list[str]:
    """The targets that stand in the form."""
    return [html.unescape(one) for one in re.findall(r'name="to_\w+\.target" value="([^"]*)"', page.text)]


async def begun(it: InMemory, draft: Draft, *, base_of: str | None = None) -> tuple[Browser, str]:
    """Somebody who asked what saving the draft would do, and where that stands."""
    signed_in = await it.signed_in("operator")
    seen = base(await signed_in.get(f"{AT}/edit")) if base_of is None else base_of
    answer = await signed_in.send(f"{AT}/review", **form(draft, base=seen))
    assert answer.status_code == 303, text(answer.text)
    return signed_in, answer.headers["location"]


async def test_the_editor_begins_with_what_is_in_force(it: InMemory) -> None:
    page = await (await it.signed_in("operator")).get(f"{AT}/edit")
    assert targets(page) == ["hubspot_contact_jobtitle", "userflow_user_plan"]
    said = text(page.text)
    assert "As it is in force" in said and "Job title" in said and "Company name" in said and "Flow started" in said
    assert "Owned by Userflow: this mapping writes it from plan." in said
    assert "Already mapped, to hubspot_contact_jobtitle." in said


@pytest.mark.parametrize(
    ("act", "left"),
    [
        ("add:to_userflow:company.name", ["hubspot_contact_jobtitle", "hubspot_company_name", "userflow_user_plan"]),
        ("remove:to_userflow:0", ["userflow_user_plan"]),
        ("add:to_hubspot:title", ["hubspot_contact_jobtitle", "userflow_user_plan", "userflow_user_title"]),
        ("", ["hubspot_contact_jobtitle", "userflow_user_plan"]),
    ],
)  # fmt: skip
async def test_a_button_changes_its_rule_and_keeps_the_rest(it: InMemory, act: str, left: list[str]) -> None:
    signed_in = await it.signed_in("operator")
    fields = form(replace(IN_FORCE, events="some", event_names=("flow_started",), on_several="newest"))
    page = await signed_in.send(f"{AT}/edit", **fields, act=act)
    assert page.status_code == 200 and targets(page) == left
    assert 'value="some" checked' in page.text and 'value="flow_started" checked' in page.text
    assert '<option value="newest" selected>' in page.text
    assert it.publisher.sent == []


async def test_a_rule_that_was_removed_can_be_put_back(it: InMemory) -> None:
    signed_in = await it.signed_in("operator")
    page = await signed_in.send(f"{AT}/edit", **form(IN_FORCE), act="remove:to_hubspot:0")
    back = html.unescape(re.findall(r'value="(add:to_hubspot:\[[^"]*)"', page.text)[0])
    again = await signed_in.send(f"{AT}/edit", **form(acted(IN_FORCE, "remove:to_hubspot:0")), act=back)
    assert targets(again) == ["hubspot_contact_jobtitle", "userflow_user_plan"]


async def test_text_for_a_number_is_told_at_the_rule_and_one_click_mends_it(it: InMemory) -> None:
    signed_in = await it.signed_in("operator")
    wrong = replace(IN_FORCE, to_hubspot=(RuleDraft("plan", "score"),))
    page = await signed_in.send(f"{AT}/review", **form(wrong))
    said = text(page.text)
    assert page.status_code == 422 and "This cannot be saved yet." in said
    assert "Userflow users plan is of type string and HubSpot contacts score of type number" in said
    assert "Write to userflow_user_plan instead" in said
    mended = await signed_in.send(f"{AT}/edit", **form(wrong), act="mend:to_hubspot:0")
    assert targets(mended) == ["hubspot_contact_jobtitle", "userflow_user_plan"]
    assert "cannot be saved" not in mended.text and it.planner.planned == []


async def test_where_the_systems_do_not_answer_names_can_be_typed(it: InMemory) -> None:
    it.planner.silent = "the hubspot connector did not answer: is it running?"
    signed_in = await it.signed_in("operator")
    more = {"act": "typed:to_userflow", "typed:to_userflow": " city "}
    page = await signed_in.send(f"{AT}/edit", **form(IN_FORCE), **more)
    assert "did not answer" in page.text and "hubspot_contact_city" in targets(page)


async def test_a_new_mapping_begins_under_a_free_name(it: InMemory) -> None:
    signed_in = await it.signed_in("operator")
    assert "Which objects are the same customer?" in (await signed_in.get("/i/acme/mappings/new")).text
    begin = "/i/acme/mappings/new/begin?hubspot=contacts&userflow=users&by=email&on_several=refuse&custom=&name="
    page = await signed_in.get(begin)
    assert page.status_code == 200 and base(page) == "" and targets(page) == []
    assert "/i/acme/mappings/contacts-users-2/review" in page.text and "cannot be saved" not in page.text


async def test_a_review_counts_and_then_tells(it: InMemory) -> None:
    it.planner.go.clear()
    signed_in, where = await begun(it, acted(IN_FORCE, "add:to_userflow:company.name"))
    assert "Counting what it would do." in text((await signed_in.get(where)).text)
    early = await signed_in.send(where)
    assert early.status_code == 409 and "not counted yet" in text(early.text)
    it.planner.go.set()
    await asyncio.sleep(0)
    said = text((await signed_in.get(where)).text)
    assert "Userflow objects written 3" in said and "In step already 2" in said
    assert "company.name" in said and "hubspot_company_name" in said
    assert it.publisher.sent == []


async def test_saving_is_the_request_of_an_apply_with_the_seals_in_force(it: InMemory) -> None:
    it.tables.subscribers.append(scheduler(it))
    signed_in, where = await begun(it, acted(IN_FORCE, "add:to_userflow:company.name"))
    await asyncio.sleep(0)
    answer = await signed_in.send(where)
    assert answer.headers["location"] == AT
    ((topic, key, part),) = it.publisher.sent
    assert (topic, key) == (INTEGRATIONS, "acme/desired")
    assert part.desired.hubspot.secrets == {"token": b"sealed by somebody else"}
    assert part.desired.hubspot.fields["companies"] == ("name",)
    assert "company.name" in part.desired.document
    again = await signed_in.send(where), await signed_in.get(where)
    assert [one.headers["location"] for one in again] == [AT, AT], "it is saved once, and leads on whoever asks again"
    assert len(it.publisher.sent) == 1
    assert (await (await it.signed_in()).get(where)).status_code == 404, "nobody else's review"


async def test_what_was_counted_long_ago_is_counted_anew_before_it_is_saved(it: InMemory) -> None:
    it.tables.subscribers.append(scheduler(it))
    signed_in, where = await begun(it, acted(IN_FORCE, "add:to_userflow:company.name"))
    await asyncio.sleep(0)
    it.now_ms[0] += COUNTED_MS + 1
    answer = await signed_in.send(where)
    anew = answer.headers["location"]
    assert answer.status_code == 303 and anew.partition("?")[0] != where and it.publisher.sent == []
    await asyncio.sleep(0)
    assert len(it.planner.planned) == 2
    assert "Not saved: it is counted anew." in text((await signed_in.get(anew)).text)
    assert (await signed_in.send(anew.partition("?")[0])).headers["location"] == AT
    assert len(it.publisher.sent) == 1


async def test_where_mappings_are_applied_elsewhere_the_file_is_shown_and_nothing_saved(it: InMemory) -> None:
    object.__setattr__(it.desk, "about", replace(it.desk.about, proposes=True))
    signed_in, where = await begun(it, acted(IN_FORCE, "add:to_userflow:company.name"))
    await asyncio.sleep(0)
    page = await signed_in.get(where)
    assert "Save mapping" not in page.text and "Save only" not in page.text
    (file,) = re.findall(r"<code>(integration: acme.*?)</code>", page.text, re.DOTALL)
    (mapping,) = read_document(html.unescape(file)).mappings
    assert [rule.source for rule in mapping.to_userflow] == ["jobtitle", "company.name"]
    assert "sealed by" not in file and "/remove" not in (await signed_in.get(AT)).text
    for path in (where, f"{AT}/remove"):
        refused = await signed_in.send(path)
        assert refused.status_code == 409 and "PAIRSTREAM_CONSOLE_MAPPINGS=propose" in text(refused.text)
    assert it.publisher.sent == []


@pytest.mark.parametrize(("place", "told"), [("build-7: pairstream apply", True), ("build-7: console", False)])
async def test_the_editor_says_where_the_last_apply_did_not_come_from_the_console(
    it: InMemory, place: str, told: bool
) -> None:
    entry = AuditEntry(0, "acme", "apply", "ci-deploy", place)
    it.desk.audit_look.look = lambda: [entry, replace(entry, integration="globex", place="elsewhere")]
    await it.desk.audit_look.get()
    said = text((await (await it.signed_in("operator")).get(f"{AT}/edit")).text)
    assert ("The last apply did not come from the console. It was by ci-deploy, build-7: pairstream" in said) is told


async def test_saving_may_begin_a_full_sync_of_that_mapping(it: InMemory) -> None:
    it.tables.subscribers.append(scheduler(it))
    signed_in, where = await begun(it, acted(IN_FORCE, "remove:to_userflow:0"))
    await asyncio.sleep(0)
    assert (await signed_in.send(where, then="sync")).headers["location"] == "/i/acme/full-sync"
    assert [topic for topic, _, _ in it.publisher.sent] == [INTEGRATIONS, RUNS]


async def test_somebody_else_who_saved_meanwhile_is_told_and_nothing_is_lost(it: InMemory) -> None:
    signed_in, where = await begun(it, acted(IN_FORCE, "add:to_userflow:company.name"))
    await asyncio.sleep(0)
    theirs = DOCUMENT.replace("[jobtitle]", "[jobtitle, city]")
    connect(it, document=theirs, revision=15)
    answer = await signed_in.send(where)
    said = text(answer.text)
    assert answer.status_code == 409 and "saved revision 15 while you edited." in said
    assert "company.name" in said and "city" in said, "what differs from what is in force now"
    assert it.publisher.sent == []
    again = re.findall(r'name="([^"]+)" value="([^"]*)"', answer.text[answer.text.index('id="on-top"') :])
    fields: dict[str, Any] = {}
    for name, value in again:
        fields.setdefault(name, []).append(html.unescape(value))
    fields.pop("form_token")
    on_top = await signed_in.send(f"{AT}/review", **fields)
    await asyncio.sleep(0)
    it.tables.subscribers.append(scheduler(it))
    assert (await signed_in.send(on_top.headers["location"])).headers["location"] == AT
    document = it.publisher.sent[-1][2].desired.document
    assert "company.name" in document and "city" not in document


async def test_what_another_mapping_became_meanwhile_stays(it: InMemory) -> None:
    it.tables.subscribers.append(scheduler(it))
    signed_in, where = await begun(it, acted(IN_FORCE, "add:to_userflow:company.name"))
    await asyncio.sleep(0)
    keys = "hubspot: companies, userflow: companies, match: {hubspot: a, userflow: id}, to_userflow: [b]"
    other = f"  - {{name: c, {keys}}}\n"
    connect(it, document=DOCUMENT + other)
    assert (await signed_in.send(where)).status_code == 303
    assert len(read_document(it.publisher.sent[-1][2].desired.document).mappings) == 2


async def test_values_that_would_be_emptied_need_a_tick(it: InMemory) -> None:
    it.planner.counts = PairCounts(Counter({"written": 2}), cleared=Counter({"userflow": 2}), emptied=2)
    it.tables.subscribers.append(scheduler(it))
    signed_in, where = await begun(it, acted(IN_FORCE, "add:to_userflow:company.name"))
    await asyncio.sleep(0)
    answer = await signed_in.send(where)
    assert answer.status_code == 422 and "2 objects would lose a value." in text(answer.text)
    assert it.publisher.sent == []
    assert (await signed_in.send(where, seen="yes")).status_code == 303


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"state": "disconnected"}, "it is disconnected and its credentials are forgotten"),
        ({"apply_state": "describing"}, "another change of this integration is on its way"),
    ],
)
async def test_what_cannot_be_changed_now_is_not_saved(it: InMemory, more: dict[str, Any], said: str) -> None:
    signed_in, where = await begun(it, acted(IN_FORCE, "add:to_userflow:company.name"))
    await asyncio.sleep(0)
    connect(it, document=to_yaml(read_document(DOCUMENT)), **more)
    answer = await signed_in.send(where)
    assert answer.status_code == 409 and said in text(answer.text)
    removed = await signed_in.send(f"{AT}/remove")
    assert removed.status_code == 409 and said in text(removed.text)
    assert it.publisher.sent == []


async def test_a_refused_save_says_why_and_keeps_the_draft(it: InMemory) -> None:
    signed_in, where = await begun(it, acted(IN_FORCE, "add:to_userflow:company.name"))
    await asyncio.sleep(0)

    def refuse(topic: str, key: str, row: Any) -> None:
        if key == "acme/desired":
            now = it.tables.get(INTEGRATIONS, "acme/settings").settings
            now = replace(now, apply_id=row.desired.apply_id, apply_state="failed", reason="so it is")
            it.tables.put(INTEGRATIONS, "acme/settings", IntegrationPart("acme", settings=now))

    it.tables.subscribers.append(refuse)
    answer = await signed_in.send(where)
    assert answer.status_code == 409 and "Not saved: so it is" in text(answer.text)
    back = await signed_in.get(f"{AT}/edit?review={where.rpartition('/')[2]}")
    assert "hubspot_company_name" in targets(back)


async def test_values_are_hidden_until_asked_and_asking_is_recorded_first(it: InMemory) -> None:
    sample = Sample("userflow", "ada@example.com", {"title": (None, "Captain")})
    it.planner.counts = PairCounts(Counter({"written": 1}), samples=[sample])
    signed_in, where = await begun(it, acted(IN_FORCE, "add:to_userflow:company.name"))
    await asyncio.sleep(0)
    hidden = await signed_in.get(where)
    assert "Captain" not in hidden.text and "ada@example" not in hidden.text and "hidden value" in hidden.text
    shown = await signed_in.send(f"{where}/values")
    assert "Captain" in shown.text and shown.headers["refresh"] == f"60; url={where}"
    ((topic, _, entry),) = it.publisher.sent
    assert topic == AUDIT and entry.by == "ada@build-7" and "Captain" not in entry.detail


async def test_sixty_looks_at_values_an_hour_are_the_bound(it: InMemory) -> None:
    it.planner.counts = PairCounts(Counter({"written": 1}), samples=[Sample("userflow", "u-1", {"t": (None, "Sam")})])
    signed_in, where = await begun(it, acted(IN_FORCE, "add:to_userflow:company.name"))
    await asyncio.sleep(0)
    answers = [await signed_in.send(f"{where}/values") for _ in range(61)]
    assert [one.status_code for one in answers] == [200] * 60 + [429]
    assert "Sam" not in answers[-1].text and len(it.publisher.sent) == 60


async def test_a_review_opens_for_its_session_alone(it: InMemory) -> None:
    _, where = await begun(it, acted(IN_FORCE, "remove:to_userflow:0"))
    other = await it.signed_in()
    assert (await other.get(where)).status_code == 404
    assert (await other.send(where)).status_code == 404
    assert (await other.send(f"{where}/values")).status_code == 404
    assert it.publisher.sent == []


async def test_a_plan_that_finds_a_problem_cannot_be_saved(it: InMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = read_document(DOCUMENT).positions.problem("mappings[0]", "it does not fit", "mend it")

    async def plan(*_: Any) -> Plan:
        return Plan("acme", problems=(problem,))

    monkeypatch.setattr(it.planner, "plan", plan)
    signed_in, where = await begun(it, acted(IN_FORCE, "remove:to_userflow:0"))
    await asyncio.sleep(0)
    assert "This cannot be saved yet: mappings[0]: it does not fit." in text((await signed_in.get(where)).text)
    assert (await signed_in.send(where)).status_code == 409 and it.publisher.sent == []


async def test_a_mapping_that_is_not_there_is_not_removed(it: InMemory) -> None:
    answer = await (await it.signed_in("operator")).send("/i/acme/mappings/none/remove")
    assert (answer.status_code, it.publisher.sent) == (404, [])


async def test_a_mapping_is_removed_and_the_others_go_on(it: InMemory) -> None:
    it.tables.subscribers.append(scheduler(it))
    signed_in = await it.signed_in("operator")
    assert "Remove mapping contacts-users?" in (await signed_in.get(f"{AT}/remove")).text
    assert (await signed_in.send(f"{AT}/remove")).headers["location"] == "/i/acme/mappings"
    assert read_document(it.publisher.sent[-1][2].desired.document).mappings == ()


async def test_labels_of_a_vendor_are_text(it: InMemory) -> None:
    hostile = '<script>alert(1)</script>" onload="x'
    it.planner.fields["hubspot"] = (DescribedField("contacts", "jobtitle", hostile, "string"),)
    page = await (await it.signed_in("operator")).get(f"{AT}/edit")
    assert "<script>alert" not in page.text and html.escape(hostile)[:20] in page.text


@pytest.mark.parametrize("path", [f"{AT}/edit", "/i/acme/mappings/new", f"{AT}/remove"])
async def test_a_viewer_edits_nothing(it: InMemory, path: str) -> None:
    signed_in = await it.signed_in("viewer")
    assert (await signed_in.get(path)).status_code == 403
    assert "Edit</a>" not in (await signed_in.get(AT)).text and it.tables.table(MAPPINGS)
