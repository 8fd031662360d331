"""What the receiver's tests share: a directory and a store in the test's hands, and both systems' signatures."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

import httpx

from connectors.receiver import AdmissionLimits, NotStored, Recipient, build_receiver
from schemas.records import Notification
from schemas.values import System
from tests.unit.connectors.simulation.simulated import sample

NOW_MS = 1_669_725_296_000  # the moment of the Userflow sample
PUBLIC_URL = "https://sync.acme.com"
HUBSPOT_URL = f"{PUBLIC_URL}/webhooks/hubspot"
APP_SECRET = sample("hubspot", "signature_vectors")["secret"]
OTHER_SECRET = APP_SECRET.replace("y", "z")
USERFLOW_SECRET = sample("userflow", "signature_vectors")["secret"]
DEADLINE_S = 3.0

ACME = Recipient("acme", "active", "62515", (APP_SECRET,), (USERFLOW_SECRET,))
BETA = Recipient("beta", "active", "777", (APP_SECRET,), ("beta-secret",))
OTHER_APP = Recipient("other-app", "active", "888", (OTHER_SECRET,))


@dataclass
class Book:
    """A Directory in memory."""

    recipients: Sequence[Recipient] = (ACME, BETA, OTHER_APP)

    def recipient(self, integration: str) -> Recipient | None:
        return next((one for one in self.recipients if one.integration == integration), None)

    def of_account(self, account: str) -> Sequence[Recipient]:
        return [one for one in self.recipients if one.account == account]

    def has_sealed(self) -> bool:
        return any(one.sealed for one in self.recipients)


@dataclass
class Shelf:
    """A store that acknowledges at once, refuses the integrations in `refuses`, or waits for `acknowledge`."""

    refuses: Sequence[str] = ()
    waits: bool = False
    trouble: str | None = None
    stored: list[Notification] = field(default_factory=list)
    acknowledge: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def store(self, notification: Notification) -> None:
        self.asked.set()
        if self.waits:
            await self.acknowledge.wait()
        if notification.integration in self.refuses:
            raise NotStored("topic: broker away")
        self.stored.append(notification)

    async def problem(self) -> str | None:
        return self.trouble

    @property
    def integrations(self) -> list[str]:
        return sorted(one.integration for one in self.stored)


@dataclass
class Bench:
    """A receiver with everything around it in the test's hands."""

    book: Book = field(default_factory=Book)
    shelf: Shelf = field(default_factory=Shelf)
    limits: AdmissionLimits | None = None
    public_url: str = PUBLIC_URL
    now_ms: Callable[[], int] = lambda: NOW_MS
    counted: Counter[tuple[System, str]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        def count(system: System, result: str, number: int = 1) -> None:
            self.counted[system, result] += number

        self.app = build_receiver(
            self.shelf,
            self.book,
            public_url=self.public_url,
            count=count,
            now_ms=self.now_ms,
            limits=self.limits,
        )

    async def call(
        self,
        path: str,
        body: bytes | AsyncIterator[bytes] = b"",
        headers: dict[str, str] | None = None,
        method: str = "POST",
        host: str = "receiver.internal:8080",
    ) -> httpx.Response:
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
            return await client.request(method, path, content=body, headers=headers or {})

    async def hubspot(self, body: bytes, headers: dict[str, str] | None = None) -> httpx.Response:
        return await self.call("/webhooks/hubspot", body, signed(body) if headers is None else headers)

    async def userflow(self, integration: str, body: bytes, header: str | None) -> httpx.Response:
        headers = {"Userflow-Signature": header} if header is not None else {}
        return await self.call(f"/webhooks/userflow/{integration}", body, headers)


def hubspot_signature(secret: str, url: str, body: bytes, timestamp_ms: int) -> str:
    """HubSpot's v3, written down here once more so that the receiver is not its own judge."""
    message = b"POST" + url.encode() + body + str(timestamp_ms).encode()
    return base64.b64encode(hmac.digest(secret.encode(), message, hashlib.sha256)).decode()


def signed(
    body: bytes, *, secret: str = APP_SECRET, url: str = HUBSPOT_URL, timestamp_ms: int = NOW_MS
) -> dict[str, str]:
    return {
        "X-HubSpot-Signature-v3": hubspot_signature(secret, url, body, timestamp_ms),
        "X-HubSpot-Request-Timestamp": str(timestamp_ms),
    }


def userflow_signature(secret: str, body: bytes, time_s: int = NOW_MS // 1000) -> str:
    return f"t={time_s},v1={hmac.digest(secret.encode(), b'%d.' % time_s + body, hashlib.sha256).hex()}"


def events(*accounts: int) -> bytes:
    return json.dumps(
        [{"portalId": account, "objectId": 1, "subscriptionType": "contact.creation"} for account in accounts]
    ).encode()


def code(response: httpx.Response) -> str:
    """The answer's error code; every refusal tells in a sentence what to do."""
    found = response.json()
    assert set(found) == {"error", "message"}
    assert len(found["message"]) > 10
    return str(found["error"])
