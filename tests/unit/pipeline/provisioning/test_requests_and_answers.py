"""Requests, answers, reports and schedulers that die, at random: what is in force and proven stays in force.

A model knows which credentials each system takes. Connectors answer by it, early or late, once or twice.
"""

from dataclasses import replace
from typing import Any

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pipeline.operations.apply import changed_state
from pipeline.provisioning.state_machine import Outside, decide
from schemas.configuration import (
    NOT_GRANTED,
    UNDER_WAY,
    Description,
    DesiredIntegration,
    DesiredState,
    IntegrationPart,
    IntegrationSettings,
    Sections,
)
from schemas.seals import resealed
from schemas.values import SYSTEMS, System
from tests.examples import share
from tests.unit.pipeline.provisioning.cluster import (
    EVENTS,
    HUBSPOT_FIELDS,
    PARTITIONS,
    USERFLOW_FIELDS,
    Cluster,
    request,
    same_secret,
    seal,
)

TOKENS = st.sampled_from(["pat-secret", "pat-new", "pat-typo"])
KEYS = st.sampled_from(["ak_one", "ak_two", "ak_typo"])
ACCOUNTS = st.sampled_from(["1", "1", "1", "2"])
ATTRIBUTES = st.sampled_from(["plan", "seats", "nowhere"])
Proof = tuple[str, tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]


def by_oauth(asked: DesiredIntegration) -> DesiredIntegration:
    hubspot = replace(asked.hubspot, options={**asked.hubspot.options, "client_id": "app"})
    return replace(asked, hubspot=replace(hubspot, secrets={"client_secret": seal("secret", "")}))


def secret(sealed: bytes) -> str:
    return sealed.split()[0].decode()


def connects_by(one: IntegrationSettings | Sections) -> Proof:
    """Accounts and credentials, opened."""
    hubspot = tuple(sorted((name, secret(sealed)) for name, sealed in one.hubspot.secrets.items()))
    userflow = tuple(sorted((name, secret(sealed)) for name, sealed in one.userflow.secrets.items()))
    return one.hubspot.account, hubspot, userflow


class Asking(RuleBasedStateMachine):
    """One integration, whoever asks for it, both connectors and the schedulers."""

    def __init__(self) -> None:
        super().__init__()
        self.cluster = Cluster()
        self.granted = False
        self.in_force: Proof | None = None
        self.document: str | None = None
        self.before: IntegrationSettings | None = None
        self.read: IntegrationSettings | None = None  # by a command that asks a person before it asks for a state

    # what the systems say

    def refuses(self, system: System, one: IntegrationSettings | Sections) -> str | None:
        secrets = {name: secret(sealed) for name, sealed in one.section(system).secrets.items()}
        if "client_secret" in secrets and not self.granted:
            return NOT_GRANTED
        return "unauthorized" if {"pat-typo", "ak_typo"} & set(secrets.values()) else None

    def answer(self, system: System, settings: IntegrationSettings) -> None:
        assert settings.trial is not None
        fields = HUBSPOT_FIELDS if system == "hubspot" else USERFLOW_FIELDS
        events = EVENTS if system == "userflow" else ()
        said = Description(settings.tried, self.refuses(system, settings.trial), fields, events)
        self.cluster.parts[f"acme/{system}/trial"] = IntegrationPart("acme", description=said)

    # what happens

    @initialize(connected=st.booleans())
    def begin(self, connected: bool) -> None:
        if connected:
            self.cluster.connect()

    @rule(rounds=st.integers(1, 6))
    def everybody_does_their_part(self, rounds: int) -> None:
        for _ in range(rounds):
            self.cluster.settle()
            for system in SYSTEMS:
                if self.settings is not None and self.settings.trial is not None:
                    self.answer(system, self.settings)
                elif self.settings is not None and self.settings.state != "disconnected":
                    self.a_connector_reports(system, behind=False)

    @rule(token=TOKENS, key=KEYS, account=ACCOUNTS, attribute=ATTRIBUTES, oauth=st.booleans())
    def apply(self, token: str, key: str, account: str, attribute: str, oauth: bool) -> None:
        asked = request(token=token, key=key, account=account, attribute=attribute)
        self._asks(by_oauth(asked) if oauth else asked)

    @precondition(lambda self: self.settings is not None)
    @rule(state=st.sampled_from(["active", "paused", "active", "paused", "disconnected"]))
    def asks_for_a_state(self, state: DesiredState) -> None:
        assert self.settings is not None
        self._asks(changed_state(self.settings, state, 2))

    @rule()
    def a_command_reads(self) -> None:
        self.read = self.settings

    @precondition(lambda self: self.settings is not None and self.read is not None)
    @rule(state=st.sampled_from(["active", "paused"]))
    def asks_for_a_state_by_what_was_read_then(self, state: DesiredState) -> None:
        """Whatever has happened since: it is that state which comes, and nothing else changes."""
        before, read = self.settings, self.read
        assert before is not None and read is not None
        asked = changed_state(read, state, 2)
        self._asks(asked)
        for write in self._decided():
            self.cluster.write(write)
        after = self.settings
        if after is None or after.apply_id != asked.apply_id:
            return  # something else had to be written first
        assert (after.document, connects_by(after)) == (before.document, connects_by(before))
        assert (after.connection, after.fallback, after.trial) == (before.connection, before.fallback, None)
        if before.state == "disconnected":
            assert (after.state, after.apply_state) == ("disconnected", "failed")
        elif before.active_revision:
            assert after.state == state

    @precondition(lambda self: self.settings is not None)
    @rule()
    def secrets_are_sealed_again(self) -> None:
        assert self.settings is not None
        self.cluster.parts["acme/settings"] = resealed(
            "acme/settings", self.cluster.parts["acme/settings"], lambda sealed, _: seal(secret(sealed), "")
        )

    @rule(at_last=st.sampled_from([False, False, False, True]))
    def somebody_grants_access(self, at_last: bool) -> None:
        self.granted = self.granted or at_last

    @precondition(lambda self: self.settings is not None and self.settings.trial is not None)
    @rule(system=st.sampled_from(SYSTEMS))
    def a_connector_answers(self, system: System) -> None:
        assert self.settings is not None
        self.answer(system, self.settings)

    @precondition(lambda self: self.settings is not None and self.settings.trial is not None)
    @rule(system=st.sampled_from(SYSTEMS))
    def a_connector_answers_late(self, system: System) -> None:
        """To a step that is over once it is heard."""
        assert self.settings is not None
        late = replace(self.settings, apply_id="earlier")
        self.answer(system, late)

    @precondition(lambda self: self.settings is not None and self.settings.state != "disconnected")
    @rule(system=st.sampled_from(SYSTEMS), behind=st.booleans())
    def a_connector_reports(self, system: System, behind: bool) -> None:
        settings = self.settings
        assert settings is not None
        reason = self.refuses(system, settings)
        revision = settings.revision - behind
        told: dict[str, Any] = {"described_revision": revision, "provisioned_revision": revision}
        if reason is not None:
            told |= {"status": "needs_reconnect", "reason": reason, "described_revision": 0, "provisioned_revision": 0}
        self.cluster.tell(system, checked_revision=revision, **told)

    @precondition(lambda self: self.settings is not None and self.settings.trial is None)
    @rule(system=st.sampled_from(SYSTEMS))
    def a_connector_is_not_ready_for_a_new_file(self, system: System) -> None:
        settings = self.settings
        assert settings is not None
        if settings.apply_state in UNDER_WAY and settings.active_revision:
            said = Description(settings.tried, "too_many_properties")
            self.cluster.parts[f"acme/{system}/trial"] = IntegrationPart("acme", description=said)

    @rule(dies_after=st.integers(0, 4))
    def a_scheduler_decides(self, dies_after: int) -> None:
        """As far as it lives."""
        left = dies_after
        for _ in range(30):
            writes = self._decided()
            if not writes:
                return
            for write in writes:
                if left == 0:
                    return
                self.cluster.write(write)
                left -= 1

    @rule()
    def a_scheduler_settles(self) -> None:
        self.cluster.settle()

    # what holds

    @invariant()
    def what_is_in_force_and_proven_stays(self) -> None:
        settings = self.settings
        if settings is None or settings.state == "disconnected":
            self.in_force = None
            return
        if settings.active_revision == 0:
            return
        works_by = connects_by(settings)  # what is open at the connectors
        if works_by != self.in_force:
            assert not [system for system in SYSTEMS if self.refuses(system, settings)]
            self.in_force = works_by

    @invariant()
    def a_refusal_leaves_the_file_that_is_in_force(self) -> None:
        settings = self.settings
        if settings is None or settings.state == "disconnected":
            self.document = None
        elif settings.apply_state == "done":
            self.document = settings.document
        elif settings.apply_state == "failed":
            assert settings.document == self.document

    @invariant()
    def a_connection_is_numbered_anew_with_another_account_alone(self) -> None:
        settings, before = self.settings, self.before
        if settings is not None and before is not None and "disconnected" not in (settings.state, before.state):
            if settings.hubspot.account == before.hubspot.account:
                assert settings.connection == before.connection
            else:
                assert settings.connection > before.connection
        self.before = settings

    @invariant()
    def what_is_on_trial_is_the_newest_request_and_beside_something(self) -> None:
        settings = self.settings
        if settings is not None and settings.trial is not None:
            assert settings.active_revision > 0
            assert settings.apply_state in ("proving", "provisioning")
            assert settings.state in ("active", "paused")
            assert settings.fallback is None

    @invariant()
    def no_secret_stays_of_what_is_disconnected(self) -> None:
        settings = self.settings
        if settings is not None and settings.state == "disconnected":
            assert (settings.hubspot.secrets, settings.userflow.secrets) == ({}, {})
            assert (settings.trial, settings.fallback) == (None, None)

    @invariant()
    def decisions_come_to_an_end_and_do_not_depend_on_who_decides(self) -> None:
        assert self._decided() == self._decided()

    def teardown(self) -> None:
        """Whatever was asked last comes into force once nothing is refused any more."""
        self.granted = True
        self._asks(request(token="pat-new", key="ak_two"))  # noqa: S106 - of nobody
        self.cluster.settle()
        self.everybody_does_their_part(rounds=8)
        self.cluster.settle()
        assert self.settings is not None
        assert (self.settings.apply_state, self.settings.trial, self.settings.fallback) == ("done", None, None)
        assert dict(connects_by(self.settings)[1])["token"] == "pat-new"  # noqa: S105

    # and how

    @property
    def settings(self) -> IntegrationSettings | None:
        part = self.cluster.parts.get("acme/settings")
        return part.settings if part is not None else None

    def _asks(self, asked: DesiredIntegration) -> None:
        self.cluster.parts["acme/desired"] = IntegrationPart("acme", desired=asked)

    def _decided(self) -> Any:
        return decide(self.cluster.parts, self.cluster.mappings, PARTITIONS, Outside(same_secret=same_secret))


TestAsking = Asking.TestCase
TestAsking.settings = hypothesis_settings(max_examples=share(0.6), stateful_step_count=40, deadline=None)
