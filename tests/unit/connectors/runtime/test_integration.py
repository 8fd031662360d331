"""How long a worker is the right one, and how it ends: at once, or the process with it."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from connectors.clock import SystemClock
from connectors.contract.errors import Misconfigured
from connectors.kafka.consumer import Taken
from connectors.runtime.integration import IntegrationWorker, WorkerDeps
from connectors.runtime.state_report import StateReport
from schemas.configuration import ConnectorState, SystemSettings
from schemas.records import ConnectorRequest
from tests.unit.connectors.session.contexts import Told, context_of

DEADLINE_S = 10.0


class Account:
    """A system without anything to read, write or set up."""

    source = sink = SimpleNamespace(read_size=1, batch_size=1, in_flight=1)
    setup = timeline = associated = None

    async def close(self) -> None:
        """Nothing was open."""


class DeafMonitor:
    """Goes on when it is cancelled, until it may end."""

    def __init__(self, deaf: bool) -> None:
        self.may_end = asyncio.Event()
        self._deaf = deaf

    async def run(self) -> None:
        while not self.may_end.is_set():
            try:
                await self.may_end.wait()
            except asyncio.CancelledError:
                if not self._deaf:
                    raise


def worker_of(
    monitor: DeafMonitor, failed: Callable[[BaseException], None], report: StateReport | None = None, **section: Any
) -> IntegrationWorker:
    context, _ = context_of("userflow", SystemClock(), account=Account())
    nothing, kept = cast(Any, None), cast(Any, monitor)
    deps = WorkerDeps(
        report=report or nothing, command=_command, letters=nothing, failed=failed, broken=failed, open_again=nothing
    )
    return IntegrationWorker(context, kept, SystemSettings("production", **section), deps)


async def closed(monitor: DeafMonitor) -> list[BaseException]:
    failures: list[BaseException] = []
    worker = worker_of(monitor, failures.append)
    worker.start()
    await asyncio.sleep(0)
    async with asyncio.timeout(DEADLINE_S):
        assert await worker.close() == []
    monitor.may_end.set()
    await asyncio.sleep(0)
    return failures


async def _command(_: Any) -> None:
    raise AssertionError("nothing is to be derived again")


def unseal(sealed: bytes, name: str) -> str:
    """What two seals of one secret have in common."""
    key, _, secret = sealed.partition(b":")
    if key == b"lost":
        raise Misconfigured("pairstream_secret_key_does_not_open_it")
    return secret.decode()


@pytest.mark.parametrize(
    ("connection", "section", "fits"),
    [
        (1, {"secrets": {"api_key": b"once:ak"}}, True),
        (1, {"secrets": {"api_key": b"again:ak"}, "fields": {"users": ("plan",)}}, True),
        (1, {"secrets": {"api_key": b"again:another"}}, False),
        (1, {"secrets": {"api_key": b"lost:ak"}}, False),
        (1, {"secrets": {"api_key": b"once:ak"}, "options": {"region": "eu"}}, False),
        (2, {"secrets": {"api_key": b"once:ak"}}, False),
    ],
)
async def test_only_another_connection_account_or_secret_needs_another_worker(
    connection: int, section: dict[str, Any], fits: bool
) -> None:
    failures: list[BaseException] = []
    worker = worker_of(DeafMonitor(deaf=False), failures.append, secrets={"api_key": b"once:ak"})
    assert worker.fits(connection, SystemSettings("production", **section), unseal) is fits


async def test_a_worker_that_closes_lets_all_its_work_end() -> None:
    assert await closed(DeafMonitor(deaf=False)) == []


async def test_work_that_does_not_end_ends_the_process_instead_of_holding_up_the_others() -> None:
    (failure,) = await closed(DeafMonitor(deaf=True))
    assert "DeafMonitor.run" in str(failure)


async def test_who_comes_in_place_of_an_erased_contact_is_paired_anew() -> None:
    """State knows nothing of the user any more, so users are not known whole: the new contact asks for him."""
    state = ConnectorState(1, 1, 1, "ok", whole={"users/people": 1, "companies/firms": 1})
    report, finished = (
        StateReport("acme", "userflow", state, Told().publish, lambda text, _: text.encode()),
        list[bool](),
    )
    worker = worker_of(DeafMonitor(deaf=False), lambda _: None, report)
    erase = ConnectorRequest("acme", 1, "erase", "users", ("u-1",), mapping="people")
    await worker.take(Taken("userflow.requests", 0, 0, "acme", b"", lambda: finished.append(True)), erase)
    assert (report.state.whole, finished) == ({"companies/firms": 1}, [True])
