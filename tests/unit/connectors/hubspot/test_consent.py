"""The exchange of a code: no request leaves once the connection is over, and what was granted is told all the same."""

from dataclasses import dataclass, field, replace

import pytest

from connectors.contract.catalog import Catalog
from connectors.contract.consent import ConsentCode, GrantedAccess
from connectors.contract.sink import OwnershipLost
from connectors.http.messages import Request, Response
from connectors.http.ownership import OwnedTransport
from connectors.hubspot.consent import granted
from tests.unit.connectors.hubspot.account import OAUTH, opening

CODE = ConsentCode("code-1", "verifier", "https://sync.example.com/oauth/hubspot/callback")
GRANT = b'{"access_token": "a", "refresh_token": "r", "hub_id": 62515, "scopes": ["oauth"]}'
TOLD = b'{"active": true, "hub_id": 62515, "scopes": ["oauth", "crm.objects.contacts.read"]}'


@dataclass
class Vendor:
    """Exchanges and tells; the connection ends once `ends_after` requests have left."""

    ends_after: int
    sent: list[Request] = field(default_factory=list)

    @property
    def goes_on(self) -> bool:
        return len(self.sent) < self.ends_after

    async def send(self, request: Request) -> Response:
        self.sent.append(request)
        return Response(200, body=TOLD if request.path.endswith("/introspect") else GRANT)

    async def exchange(self) -> GrantedAccess:
        given = replace(opening(Catalog(), secrets=OAUTH), owned=lambda: self.goes_on)
        return await granted(given, CODE, OwnedTransport(self, given.owned, "hubspot", reads_too=True))


async def test_what_the_system_tells_of_the_access_counts() -> None:
    assert await Vendor(9).exchange() == GrantedAccess("r", "62515", ("oauth", "crm.objects.contacts.read"))


async def test_a_connection_that_ended_before_sends_nothing() -> None:
    vendor = Vendor(0)
    with pytest.raises(OwnershipLost):
        await vendor.exchange()
    assert vendor.sent == []


async def test_a_grant_of_a_connection_that_ended_meanwhile_is_told_to_whoever_gives_it_up() -> None:
    vendor = Vendor(1)
    assert (await vendor.exchange()).refresh_token == "r"  # noqa: S105 - of the answer
    assert len(vendor.sent) == 1
