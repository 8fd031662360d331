"""Revisions as the audit tells of them: by whom, what each changed, and a draft that goes back to one."""

from dataclasses import replace

import pytest

from connectors.kafka.groups import BrokersUnreachable
from pipeline.console.revisions import MOST_SHOWN, revisions
from pipeline.console.words import clock
from schemas.operating import AuditEntry
from tests.unit.pipeline.console.fixtures import AT_MS, DOCUMENT, InMemory, connect, in_memory
from tests.unit.pipeline.console.test_editing import AT, base, targets
from tests.unit.pipeline.console.test_pages import lag, mapped, text

FIRST = DOCUMENT
SECOND = DOCUMENT.replace("[jobtitle]", "[jobtitle, company.name]")
THIRD = SECOND + "  - {name: firms, hubspot: companies, userflow: companies, match: {hubspot: code, userflow: id}}\n"


def asked(by: str) -> AuditEntry:
    return AuditEntry(AT_MS - 2, "acme", "apply", by, "pairstream apply")


def brought(revision: int, document: str) -> AuditEntry:
    return AuditEntry(AT_MS - 1, "acme", "revision in force", "scheduler-0", "", "connection 1", revision, document)


ENTRIES = [
    asked("dana"),
    brought(1, FIRST),
    replace(brought(9, DOCUMENT), integration="globex"),
    asked("ci"),
    brought(2, SECOND),
    brought(3, THIRD),
]


def test_each_is_told_by_whom_and_with_what_it_changed() -> None:
    third, second, first = revisions(ENTRIES, "acme", THIRD)
    assert [(one.number, one.by) for one in (first, second, third)] == [(1, "dana"), (2, "ci"), (3, "scheduler-0")]
    assert [(one.name, one.kind) for one in first.changes] == [("contacts-users", "added")]
    assert [(one.name, one.kind) for one in second.changes] == [("contacts-users", "changed")]
    assert any("company.name" in line for line in second.changes[0].details)
    assert [(one.name, one.kind) for one in third.changes] == [("firms", "added")] and third.back == ()
    assert [(one.name, one.kind) for one in second.back] == [("firms", "removed")]
    assert [(one.name, one.kind) for one in first.back] == [("contacts-users", "changed"), ("firms", "removed")]


def test_the_newest_are_told_and_one_that_cannot_be_read_is_left_out() -> None:
    many = [brought(number, FIRST if number % 2 else SECOND) for number in range(1, 31)]
    told = revisions(many, "acme", FIRST)
    assert [one.number for one in told] == list(range(30, 30 - MOST_SHOWN, -1))
    assert all(one.changes for one in told)
    assert [one.number for one in revisions([brought(1, "x: ["), brought(2, FIRST)], "acme", FIRST)] == [2]


@pytest.fixture
def it() -> InMemory:
    made = in_memory()
    connect(made, document=SECOND, active_revision=2, revision=2)
    mapped(made)
    made.desk.audit_look.look = lambda: ENTRIES[:5]
    return made


async def test_the_page_lists_them_and_plans_going_back_in_the_editor(it: InMemory) -> None:
    signed_in = await it.signed_in("operator")
    page = await signed_in.get("/i/acme/mappings")
    said = text(page.text)
    assert "Revisions" in said and "dana" in said and "in force" in said
    assert f'href="{AT}/edit?revision=1"' in page.text and "edit?revision=2" not in page.text
    draft = await signed_in.get(f"{AT}/edit?revision=1")
    assert targets(draft) == ["hubspot_contact_jobtitle", "userflow_user_plan"]
    assert "1 change, not saved" in text(draft.text) and "no longer written" in draft.text
    assert base(draft) == base(await signed_in.get(f"{AT}/edit")), "it is saved on top of what is in force"
    assert it.publisher.sent == []


async def test_a_revision_that_is_not_there_is_told(it: InMemory) -> None:
    signed_in = await it.signed_in("operator")
    for asked_for in ("7", "x"):
        answer = await signed_in.get(f"{AT}/edit?revision={asked_for}")
        assert answer.status_code == 409 and "it holds: 1, 2" in text(answer.text)
    answer = await signed_in.get("/i/acme/mappings/none/edit?revision=1")
    assert answer.status_code == 404 and "Revision 1 had no mapping none" in text(answer.text)


async def test_a_viewer_sees_them_and_is_offered_nothing(it: InMemory) -> None:
    page = (await (await it.signed_in("viewer")).get("/i/acme/mappings")).text
    assert "dana" in text(page) and "revision=1" not in page


async def test_without_an_audit_the_mappings_are_shown_all_the_same(it: InMemory) -> None:
    def away() -> list[AuditEntry]:
        raise BrokersUnreachable("no answer")

    it.desk.audit_look.look = away
    page = await (await it.signed_in("viewer")).get("/i/acme/mappings")
    assert page.status_code == 200 and "contacts-users" in page.text and "Revisions" not in page.text


async def test_a_refused_apply_is_told_with_its_reason(it: InMemory) -> None:
    connect(it, document=SECOND, apply_state="failed", reason="f.yaml:7: users.plan is text", active_revision=2)
    said = text((await (await it.signed_in("viewer")).get("/i/acme/mappings")).text)
    assert "The last apply was refused" in said and "f.yaml:7: users.plan is text" in said
    connect(it, document=SECOND, apply_state="failed", reason="f.yaml:7: users.plan is text", active_revision=0)
    assert "what was in force before" not in (await (await it.signed_in()).get("/i/acme/mappings")).text


async def test_the_connection_tells_when_a_webhook_last_arrived() -> None:
    known = lag()
    rows = [replace(row, accepted={"acme/hubspot": AT_MS - 300, "globex/userflow": AT_MS}) for row in known.processes]
    made = in_memory(lambda: replace(known, processes=tuple(rows)))
    connect(made)
    said = text((await (await made.signed_in("viewer")).get("/i/acme/connection")).text)
    assert f"webhooks; one last arrived {clock(AT_MS - 300, AT_MS)}" in said
    assert "Webhooks not known when one last arrived" in said, "another integration's is none of this one's"
