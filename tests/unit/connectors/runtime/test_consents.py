"""What becomes of a consent, whatever dies between two of its effects."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from connectors.contract.consent import ConsentCode, GrantedAccess
from connectors.contract.errors import ConnectorError, CredentialsRejected, Misconfigured, Transient
from connectors.contract.sink import OwnershipLost
from connectors.kafka.consumer import Taken
from connectors.runtime.consents import ConsentHooks, Consents
from connectors.runtime.exclusive import Exclusive
from schemas.configuration import (
    ConnectAnswer,
    ConnectLink,
    IntegrationSettings,
    IntegrationState,
    KeptGrant,
    Sections,
    SystemSettings,
)
from schemas.records import ConnectorRequest, Consent
from tests.unit.connectors.fake_clock import FakeClock
from tests.unit.connectors.runtime.runners import settings_part

ACME = "acme"  # also the number of its account here
LINK = ConnectLink("link-1", ("oauth",), 0, 600_000)
CODE = ConsentCode("code-1", "verifier", "https://sync.example.com/oauth/hubspot/callback")
DEADLINE_S = 10.0


class Died(BaseException):
    """The process is killed here."""


@dataclass
class Stage:
    """A connector's tables, its opener and its runner, as far as a consent needs them; what happened, in order."""

    done: list[str] = field(default_factory=list)
    link_there: ConnectLink | None = LINK
    kept: KeptGrant | None = None
    kept_for_trial: KeptGrant | None = None
    trial: Sections | None = None
    settled: bool = True
    told: ConnectAnswer | None = None
    account: str = ACME
    spent: bool = False
    unread_kept: KeptGrant | None = None
    errors: list[ConnectorError] = field(default_factory=list)
    dies_at: str = ""
    mine: bool = True
    state: IntegrationState = "active"
    disconnects_at: str = ""
    asked_at: int = 7
    gives_back: ConnectorError | None = None
    finished: int = 0
    failures: list[BaseException] = field(default_factory=list)
    clock: FakeClock = field(default_factory=FakeClock)

    def __post_init__(self) -> None:
        exclusive = Exclusive(self._let_go, lambda _: self.done.append("open again"))
        hooks = ConsentHooks(
            lambda _: self.mine, lambda _: self.mine, exclusive, self._reconnected, self.failures.append
        )
        here = cast(Any, self)
        self.consents = Consents(here, here, self.clock, lambda low, high: low, hooks)

    # the configuration

    def link(self, _: str) -> ConnectLink | None:
        return self.link_there

    def settings_of(self, name: str) -> IntegrationSettings | None:
        return settings_part(ACME, self.state).settings if name == ACME else None

    def consent(self, _: str) -> ConnectAnswer | None:
        return self.told

    def grant(self, _: str, key: str = "grant") -> KeptGrant | None:
        return self.grants(ACME).get(key)

    def grants(self, _: str) -> dict[str, KeptGrant]:
        kept = {"grant": self.kept, "trial-grant": self.kept_for_trial}
        return {key: grant for key, grant in kept.items() if grant is not None}

    def to_connect(self, _: str, settings: IntegrationSettings) -> IntegrationSettings | Sections:
        return self.trial or settings

    def asked_at_ms(self, _: str) -> int:
        return self.asked_at

    # the opener

    system = "hubspot"

    async def read_to_end(self) -> None:
        self.kept = self.unread_kept or self.kept

    def now_ms(self) -> int:
        return 7

    def opened_code(self, _: str, sealed: bytes) -> str:
        return sealed.decode()

    async def exchange(
        self, _: str, __: IntegrationSettings, section: SystemSettings, code: ConsentCode
    ) -> GrantedAccess:
        assert code == CODE
        assert self.trial is None or section == self.trial.hubspot
        if self.state == "disconnected":
            raise OwnershipLost("hubspot")
        if self.errors:
            self._happens("tried")
            raise self.errors.pop(0)
        if self.spent:
            raise CredentialsRejected("grant_rejected")
        self.spent = True
        self._happens("exchanged")
        return GrantedAccess("refresh-1", self.account, ("oauth",))

    async def keep_grant(self, _: str, __: SystemSettings, key: str, link: str, access: GrantedAccess) -> KeptGrant:
        grant = KeptGrant(access.account or "", b"sealed", access.scopes, "", link, 7)
        if key == "trial-grant":
            self.kept_for_trial = grant
        else:
            self.kept = grant
        self._happens("kept")
        return grant

    def is_settled(self, _: str, __: IntegrationSettings) -> bool:
        return self.settled

    async def settle(self, _: str, __: IntegrationSettings) -> None:
        self._happens("settled")

    async def give_back(self, _: str, __: IntegrationSettings, ___: SystemSettings, access: GrantedAccess) -> None:
        assert access.refresh_token == "refresh-1"  # noqa: S105 - of the exchange
        self._happens("given back")
        if self.gives_back is not None:
            raise self.gives_back

    async def publish_answer(self, _: str, answer: ConnectAnswer) -> None:
        self.told = answer
        self._happens("answered")

    # the runner

    async def _let_go(self, _: str) -> None:
        self.done.append("worker ended")

    async def _reconnected(self, _: str) -> None:
        self._happens("full sync")

    def _happens(self, what: str) -> None:
        self.done.append(what)
        if self.disconnects_at == what:
            self.state = "disconnected"
        if self.dies_at == what:
            raise Died(what)

    # a record comes

    async def takes(self, consent: Consent | None = None) -> None:
        """The record is taken, and all that follows is done."""

        def finished() -> None:
            self.finished += 1

        consent = consent or Consent(LINK.link, CODE.as_text().encode())
        record = ConnectorRequest(ACME, 1, "consent", "", consent=consent)
        self.consents.take(Taken("hubspot.requests", 0, 0, ACME, b"", finished), record)
        await until(self, lambda: not self.consents.under_way())

    def restarted(self) -> "Stage":
        """The next owner: it finds what the brokers have, and takes the record again."""
        return Stage(
            kept=self.kept,
            kept_for_trial=self.kept_for_trial,
            trial=self.trial,
            told=self.told,
            spent=self.spent,
            link_there=self.link_there,
        )


async def until(stage: Stage, good: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not good():
            await stage.clock.advance(1.0)
            await asyncio.sleep(0)


async def test_the_grant_is_kept_while_no_worker_runs_and_before_anybody_is_told() -> None:
    stage = Stage()
    await stage.takes()
    assert stage.done == ["exchanged", "worker ended", "kept", "open again", "full sync", "answered"]
    assert stage.told == ConnectAnswer(LINK.link, None, ACME, ("oauth",), 7)
    assert (stage.finished, stage.failures) == (1, [])


async def test_a_link_counts_once_however_often_it_comes() -> None:
    stage = Stage()
    for _ in range(3):
        await stage.takes()
    assert stage.done.count("exchanged") == stage.done.count("answered") == 1
    assert stage.finished == 3


async def test_access_to_what_is_on_trial_is_kept_apart_while_the_worker_goes_on() -> None:
    """What is in force has missed nothing, so that no full sync is asked for."""
    in_force, section = KeptGrant(ACME, b"former"), SystemSettings("2", {"client_id": "app"})
    stage = Stage(kept=in_force, account="2", trial=Sections("", section, section))
    await stage.takes()
    assert stage.done == ["exchanged", "kept", "answered"]
    assert (stage.kept, stage.kept_for_trial is not None) == (in_force, True)
    assert stage.told == ConnectAnswer(LINK.link, None, "2", ("oauth",), 7)


async def test_access_by_which_what_is_in_force_lives_is_put_aside_before_a_trial_keeps_its_own() -> None:
    section = SystemSettings("2", {"client_id": "app"})
    stage = Stage(account="2", trial=Sections("", section, section), settled=False)
    await stage.takes()
    assert stage.done == ["exchanged", "worker ended", "settled", "kept", "open again", "answered"]


@pytest.mark.parametrize("over", [False, True])
async def test_a_death_after_keeping_access_for_a_trial_costs_nothing_and_no_full_sync(over: bool) -> None:
    section = SystemSettings("2", {"client_id": "app"})
    stage = Stage(dies_at="kept", account="2", trial=Sections("", section, section))
    await stage.takes()
    after = stage.restarted()
    after.trial = None if over else after.trial  # it has passed meanwhile
    await after.takes()
    assert after.done == ["answered"]
    assert after.told is not None
    assert (after.told.reason, after.told.account) == (None, "2")


async def test_once_it_is_disconnected_no_code_is_exchanged() -> None:
    stage = Stage(state="disconnected")
    await stage.takes()
    assert stage.done == ["answered"]
    assert stage.told == ConnectAnswer(LINK.link, "disconnected", answered_at_ms=7)


@pytest.mark.parametrize(("moment", "kept"), [("exchanged", False), ("kept", True)])
async def test_a_disconnect_meanwhile_is_told_and_asks_for_no_full_sync(moment: str, kept: bool) -> None:
    stage = Stage(disconnects_at=moment)
    await stage.takes()
    assert "full sync" not in stage.done
    assert (stage.kept is not None) is kept
    assert stage.told == ConnectAnswer(LINK.link, "disconnected", answered_at_ms=7)


@pytest.mark.parametrize("fails", [None, Transient("http_503")])
async def test_a_grant_that_nobody_keeps_is_given_back_and_its_failure_costs_nothing(
    fails: ConnectorError | None,
) -> None:
    stage = Stage(disconnects_at="exchanged", gives_back=fails)
    await stage.takes()
    assert (stage.done, stage.finished) == (["exchanged", "given back", "answered"], 1)


async def test_no_request_leaves_a_second_after_a_disconnect() -> None:
    late = Stage(disconnects_at="exchanged", asked_at=7 - 1_000)
    await late.takes()
    assert late.done == ["exchanged", "answered"]
    away = Stage(disconnects_at="tried", errors=[Transient("http_503")] * 9)
    await away.takes()
    assert away.done == ["tried", "answered"]
    assert away.told == ConnectAnswer(LINK.link, "disconnected", answered_at_ms=7)
    assert away.failures == []


async def test_another_account_changes_nothing() -> None:
    stage = Stage(account="44120018")
    await stage.takes()
    assert stage.done == ["exchanged", "answered"]
    assert stage.told == ConnectAnswer(LINK.link, "wrong_account", "44120018", ("oauth",), 7)


async def test_a_refusal_is_told_with_its_reason() -> None:
    stage = Stage()
    await stage.takes(Consent(LINK.link, refusal="declined"))
    assert stage.done == ["answered"]
    assert stage.told is not None
    assert stage.told.reason == "declined"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (CredentialsRejected("grant_rejected"), "code_rejected"),
        (Misconfigured("oauth_app_rejected"), "oauth_app_rejected"),
    ],
)
async def test_a_code_that_is_refused_is_tried_once(error: ConnectorError, reason: str) -> None:
    stage = Stage(errors=[error])
    await stage.takes()
    assert stage.told is not None
    assert (stage.told.reason, stage.done) == (reason, ["tried", "answered"])


async def test_a_system_that_is_away_for_a_moment_is_asked_again_and_then_given_up() -> None:
    stage = Stage(errors=[Transient("http_503")] * 2)
    await stage.takes()
    assert stage.told is not None
    assert stage.told.reason is None
    away = Stage(errors=[Transient("http_503")] * 9)
    await away.takes()
    assert away.told is not None
    assert (away.told.reason, len(away.errors)) == ("unavailable", 5)


async def test_a_death_between_exchange_and_keeping_costs_a_new_link() -> None:
    stage = Stage(dies_at="exchanged")
    await stage.takes()
    assert (stage.kept, stage.told, stage.finished) == (None, None, 0)
    after = stage.restarted()
    await after.takes()
    assert after.told is not None
    assert (after.told.reason, after.kept, after.finished) == ("code_rejected", None, 1)


@pytest.mark.parametrize("moment", ["kept", "full sync"])
async def test_a_death_after_keeping_costs_nothing(moment: str) -> None:
    stage = Stage(dies_at=moment)
    await stage.takes()
    assert (stage.told, stage.finished) == (None, 0)
    after = stage.restarted()
    await after.takes()
    assert after.done == ["full sync", "answered"]
    assert after.told is not None
    assert after.told.reason is None
    assert after.kept == stage.kept


async def test_what_a_former_owner_kept_just_now_is_read_before_its_code_is_tried_again() -> None:
    stage = Stage(spent=True, unread_kept=KeptGrant(ACME, b"sealed", ("oauth",), "", LINK.link, 7))
    await stage.takes()
    assert stage.told is not None
    assert (stage.told.reason, stage.done) == (None, ["full sync", "answered"])


async def test_an_owner_no_more_spends_no_code() -> None:
    stage = Stage(mine=False)
    await stage.takes()
    assert (stage.done, stage.finished) == ([], 0)


async def test_a_link_that_is_no_more_is_let_go_in_time() -> None:
    stage = Stage(link_there=None)
    await stage.takes()
    assert (stage.done, stage.finished) == ([], 1)


async def test_nobody_opens_an_account_while_its_credentials_change() -> None:
    ended, may_end = asyncio.Event(), asyncio.Event()

    async def let_go(_: str) -> None:
        ended.set()
        await may_end.wait()

    exclusive = Exclusive(let_go, lambda _: None)

    async def change() -> None:
        async with exclusive.of(ACME):
            assert exclusive.holds(ACME)

    changing = asyncio.create_task(change())
    await ended.wait()
    assert exclusive.holds(ACME)
    assert not exclusive.holds("other")
    may_end.set()
    await changing
    assert not exclusive.holds(ACME)
