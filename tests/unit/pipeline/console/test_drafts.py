"""A draft and its form are the same thing, and what a button does to it is done to that rule alone."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.console.drafts import (
    WAYS,
    Draft,
    RuleDraft,
    acted,
    changes,
    digest,
    document_with,
    draft_in,
    draft_of,
    form_of,
    put_back,
    read,
    removed,
)
from pipeline.console.form import Form
from pipeline.integration_file.loader import read_document
from tests.unit.pipeline.console.fixtures import DOCUMENT

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True)
RULES = st.lists(st.builds(RuleDraft, NAMES, st.just("") | NAMES, st.sampled_from(["clear", "keep"])), max_size=5)
DRAFTS = st.builds(
    Draft,
    st.just("contacts-users"),
    match_hubspot=NAMES,
    on_several=st.sampled_from(["refuse", "newest"]),
    to_userflow=RULES.map(tuple),
    to_hubspot=RULES.map(tuple),
    events=st.sampled_from(["off", "all", "some"]),
    event_names=st.lists(NAMES, max_size=3, unique=True).map(tuple),
)
HOSTILE: Any = st.text(max_size=30)


@given(DRAFTS)
def test_what_a_form_holds_is_the_draft(draft: Draft) -> None:
    assert draft_in(Form(tuple(form_of(draft))), draft.name) == draft


@given(st.builds(RuleDraft, HOSTILE, HOSTILE.map(str.strip), st.sampled_from(["clear", "keep"])))
def test_a_rule_that_was_removed_comes_back_as_it_was(rule: RuleDraft) -> None:
    draft = Draft("m", to_userflow=(rule,))
    gone = acted(draft, "remove:to_userflow:0")
    assert gone.to_userflow == () and removed(gone, draft, "to_userflow") == [rule]
    assert acted(gone, f"add:to_userflow:{put_back(rule)}") == draft


@given(DRAFTS, st.text(max_size=40))
def test_no_button_breaks_a_draft(draft: Draft, act: str) -> None:
    for way in WAYS:
        for what in (act, f"remove:{way}:{act}", f"mend:{way}:{act}"):
            more = len(acted(draft, what).rules(way)) - len(draft.rules(way))
            assert more in (-1, 0, 1)


@given(DRAFTS, HOSTILE, HOSTILE)
@example(draft_of(read_document(DOCUMENT).mappings[0]), "\x85", "")
@example(draft_of(read_document(DOCUMENT).mappings[0]), "a\u2028b", "")
def test_any_draft_makes_a_file_or_is_refused_with_its_place(draft: Draft, source: str, target: str) -> None:
    wild = draft.with_rules("to_userflow", [*draft.to_userflow, RuleDraft(source, target)])
    file, wrong = read(DOCUMENT, wild)
    assert (file is None) == bool(wrong)
    if file is not None:
        assert [one.source for one in file.mappings[0].to_userflow] == [one.source for one in wild.to_userflow]


@pytest.mark.parametrize("act", [f"remove:to_userflow:{'9' * 5_000}", "remove:to_userflow:²", "mend:to_userflow:٣"])
def test_a_number_of_any_length_breaks_nothing(act: str) -> None:
    draft = Draft("m", "contacts", "users", "email", "email").with_rules("to_userflow", [RuleDraft("plan")])
    assert acted(draft, act) == draft


def test_a_rule_of_any_depth_breaks_nothing() -> None:
    deep = "[" * 100_000
    assert acted(Draft("m", "contacts", "users", "email", "email"), f"add:to_userflow:{deep}").rules("to_userflow") == (
        RuleDraft(deep),
    )


def test_a_draft_that_is_read_back_is_what_is_in_force() -> None:
    (mapping,) = read_document(DOCUMENT).mappings
    draft = draft_of(mapping)
    assert changes(draft, draft) == 0 and digest(draft) != digest(acted(draft, "remove:to_userflow:0"))
    file, wrong = read(DOCUMENT, draft)
    assert wrong == [] and file is not None and file.mappings == (mapping,)


def test_other_mappings_stay_as_they_are() -> None:
    text, index = document_with(DOCUMENT, Draft("companies", "companies", "companies", "app_id", "id", events="all"))
    assert index == 1
    names = [one.name for one in read_document(text).mappings]
    assert names == ["contacts-users", "companies"]
    assert read_document(text).mappings[0] == read_document(DOCUMENT).mappings[0]


@pytest.mark.parametrize(
    ("draft", "place"),
    [
        (Draft("m"), (None, "")),
        (Draft("m", to_userflow=(RuleDraft("jobtitle", "email"),)), ("to_userflow", "")),
        (Draft("m", to_userflow=(RuleDraft("city", "x"),), match_hubspot="company.name"), (None, "match_hubspot")),
        (Draft("a b", to_userflow=(RuleDraft("jobtitle", "x"),)), (None, "name")),
        (Draft("m", to_hubspot=(RuleDraft("plan"),)), ("to_hubspot", "")),
    ],
)
def test_what_is_wrong_is_told_at_its_place(draft: Draft, place: tuple[str | None, str]) -> None:
    _, wrong = read(DOCUMENT, draft)
    assert [(one.way, one.control) for one in wrong] == [place]
    assert all(one.fix for one in wrong)


def test_a_target_that_is_the_default_one_is_none_of_its_own() -> None:
    form = Form(
        (
            ("hubspot", "contacts"),
            ("userflow", "users"),
            ("to_userflow.source", "jobtitle"),
            ("to_userflow.target", "hubspot_contact_jobtitle"),
            ("to_userflow.on_empty", "clear"),
        )
    )
    assert draft_in(form, "m").to_userflow == (RuleDraft("jobtitle"),)
