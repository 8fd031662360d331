"""A crawl tells when a whole type was shown, and only then."""

from dataclasses import dataclass, field

from connectors.contract.errors import ConnectorError, Refused, Transient
from connectors.contract.source import ObjectPage, Seen
from connectors.inbound.crawl import crawl, unseen
from schemas.records import ChangeEvent, ConnectorRequest
from tests.unit.connectors.fake_clock import InstantClock
from tests.unit.connectors.session.contexts import Told, context_of

REQUEST = ConnectorRequest("acme", 1, "crawl", "users", run_id="run-1")


@dataclass
class Source:
    """Three pages of one user each; an error comes before the page that it stands for."""

    errors: dict[str | None, ConnectorError] = field(default_factory=dict)

    async def page(self, object_type: str, cursor: str | None) -> ObjectPage:
        error = self.errors.pop(cursor, None)
        if error is not None:
            raise error
        number = int(cursor or 0)
        return ObjectPage([Seen(f"u-{number}", {}, 1, 0)], str(number + 1) if number < 2 else None)


async def crawled(source: Source) -> tuple[Told, list[str]]:
    """What a crawl published, and the types that it told to be complete."""
    context, told = context_of("userflow", InstantClock(), source=source)
    completed: list[str] = []

    async def complete(object_type: str) -> None:
        assert len([one for one in told.published if isinstance(one, ChangeEvent)]) == 3
        completed.append(object_type)

    await crawl(context, REQUEST, None, complete)
    return told, completed


async def test_it_is_complete_once_every_page_was_published() -> None:
    told, completed = await crawled(Source())
    assert completed == ["users"]
    assert [one.object_id for one in told.published if isinstance(one, ChangeEvent)] == ["u-0", "u-1", "u-2"]


async def test_a_page_that_failed_is_read_again() -> None:
    _, completed = await crawled(Source({"1": Transient("http_500")}))
    assert completed == ["users"]


async def test_a_crawl_that_is_refused_is_not_complete() -> None:
    _, completed = await crawled(Source({"1": Refused("invalid_request")}))
    assert completed == []


def test_after_it_all_of_its_type_that_it_did_not_see_is_to_be_read() -> None:
    context, _ = context_of("userflow", InstantClock(), source=Source())
    command = unseen(context, REQUEST, None)
    assert (command.stage, command.kind, command.run_id) == ("objects", "sweep", "run-1")
    assert command.object_key == "acme:1:userflow:users:"
