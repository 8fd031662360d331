"""What the journal is asked to tell: exactly what is mapped, mended where somebody changed it."""

from connectors.hubspot.journal_subscriptions import wanted_subscriptions
from tests.unit.connectors.hubspot.account import WANTED
from tests.unit.connectors.hubspot.test_journal import journal, told


class TestSubscriptions:
    async def test_they_are_made_for_exactly_the_mapped_properties(self) -> None:
        case, _ = await journal()
        made = {
            one["objectTypeId"]: set(one["properties"])
            for one in case.portal.journal.listed()
            if one["subscriptionType"] == "OBJECT"
        }
        assert made["0-1"] == set(WANTED["contacts"])
        assert set(made) == {"0-1", "0-2", "0-3", "2-77"}

    async def test_an_apply_that_changes_nothing_writes_nothing(self) -> None:
        case, _ = await journal()
        before = len(case.transport.sent)
        await case.account.setup.provision(WANTED, ())
        assert not any(request.kind == "write" for request in case.transport.sent[before:])

    async def test_an_apply_mends_what_somebody_changed_and_takes_back_what_is_too_much(self) -> None:
        case, fed = await journal()
        journal_of = case.portal.journal
        stranger = {**journal_of.listed()[0], "objectTypeId": "0-5", "properties": ["subject"]}
        journal_of.put(stranger)
        wrong = next(one for one in journal_of.listed() if one["objectTypeId"] == "0-1")
        journal_of.put({**wrong, "properties": ["email"]})
        await case.account.setup.provision({"contacts": ("email", "jobtitle")}, ())
        found = {(one["subscriptionType"], one["objectTypeId"]) for one in journal_of.listed()}
        assert found == {("OBJECT", "0-1"), ("GDPR_PRIVACY_DELETION", "0-1")}
        case.portal.edit_object("contacts", "1", {"jobtitle": "Chief"})
        await fed.round()
        assert told(fed) == [("1", "Chief")]

    async def test_what_is_tried_beside_what_is_in_force_adds_and_takes_nothing_away(self) -> None:
        """The journal of what was in force told less for a file that was refused."""
        case, _ = await journal()
        journal_of = case.portal.journal
        before = {(one["subscriptionType"], one["objectTypeId"]): one for one in journal_of.listed()}
        await case.account.setup.rehearse({"contacts": ("email", "lifecyclestage")}, ())
        after = {(one["subscriptionType"], one["objectTypeId"]): one for one in journal_of.listed()}
        assert after.keys() == before.keys()
        assert set(after["OBJECT", "0-1"]["properties"]) == {*WANTED["contacts"], "lifecyclestage"}
        assert {key: one for key, one in after.items() if key != ("OBJECT", "0-1")} == {
            key: one for key, one in before.items() if key != ("OBJECT", "0-1")
        }
        sent = len(case.transport.sent)
        await case.account.setup.rehearse({"contacts": ("email",)}, ())
        assert not any(request.kind == "write" for request in case.transport.sent[sent:])

    async def test_a_disconnected_account_has_none(self) -> None:
        case, _ = await journal()
        await case.account.setup.withdraw()
        assert case.portal.journal.listed() == []

    def test_what_hubspot_tells_no_change_of_is_not_asked_for(self) -> None:
        (contacts, _) = wanted_subscriptions("42", {"contacts": ("email", "hs_object_id", "lastmodifieddate")})
        assert contacts.properties == {"email"}
