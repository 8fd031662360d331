"""Client of a simulator's control API: the demo and the tests edit and read records as a person would."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote

import httpx

FIELDS: Final = {"hubspot": "properties", "userflow": "attributes"}


class SimulatorControl:
    """One simulator's control API; JSON in and out, httpx.HTTPStatusError for what it refuses."""

    def __init__(self, system: str, url: str) -> None:
        self._fields = FIELDS[system]
        # a connection kept as long as the server keeps it (5 s) is used, now and then, when it was just closed
        limits = httpx.Limits(keepalive_expiry=1)
        self._http = httpx.AsyncClient(base_url=f"{url}/_simulator", timeout=60, limits=limits, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def create(self, object_type: str, fields: Mapping[str, Any], object_id: str | None = None) -> str:
        """A new object as a person makes one; returns its id."""
        body = {self._fields: dict(fields)} | ({"id": object_id} if object_id else {})
        return str((await self._call("POST", f"/objects/{object_type}", body))["id"])

    async def edit(self, object_type: str, object_id: str, fields: Mapping[str, Any]) -> None:
        await self._call("PATCH", _path(object_type, object_id), {self._fields: dict(fields)})

    async def delete(self, object_type: str, object_id: str) -> None:
        await self._call("DELETE", _path(object_type, object_id))

    async def forget(self, object_type: str, object_id: str) -> None:
        """Delete an object of HubSpot for privacy."""
        await self._call("POST", f"{_path(object_type, object_id)}/forget")

    async def restore(self, object_type: str, object_id: str) -> None:
        """Restore an object from HubSpot's recycling bin."""
        await self._call("POST", f"{_path(object_type, object_id)}/restore")

    async def merge(self, object_type: str, object_id: str, other_id: str) -> str:
        """Merge the other object into the first; returns the id of the one that is left, which may be a new one."""
        merged = await self._call("POST", f"{_path(object_type, object_id)}/merge", {"other_id": other_id})
        return str(merged["id"])

    async def associate(
        self, object_type: str, object_id: str, to_type: str, to_id: str, *, primary: bool = False
    ) -> None:
        await self._call("PUT", _joined(object_type, object_id, to_type, to_id), {"primary": primary})

    async def dissociate(self, object_type: str, object_id: str, to_type: str, to_id: str) -> None:
        await self._call("DELETE", _joined(object_type, object_id, to_type, to_id))

    async def track(self, event: Mapping[str, Any]) -> str:
        """Track an event of a Userflow user or company; returns its id."""
        return str((await self._call("POST", "/events", event))["id"])

    async def events(self) -> list[dict[str, Any]]:
        """Userflow's tracked events, or what HubSpot has on its timelines, oldest first."""
        return list((await self._call("GET", "/events"))["results"])

    async def seed(self, seed: Mapping[str, Any]) -> None:
        """Fill the store from the JSON of a seed file, silently."""
        await self._call("POST", "/seed", seed)

    async def fields(self, object_type: str, object_id: str) -> dict[str, Any]:
        """The object's fields as the vendor stores them."""
        found = await self._call("GET", _path(object_type, object_id))
        return dict(found[self._fields])

    async def objects(self, object_type: str) -> dict[str, dict[str, Any]]:
        """Every object's fields by id."""
        return {str(row["id"]): dict(row[self._fields]) for row in await self.rows(object_type)}

    async def rows(self, object_type: str) -> list[dict[str, Any]]:
        """Every object with its history: who created it, who wrote each field last."""
        return list((await self._call("GET", f"/objects/{object_type}"))["results"])

    async def bulk(self, operations: list[dict[str, Any]], *, same_time: bool = False) -> None:
        """Apply operations in order; with `same_time` all in one instant of the vendor's clock."""
        await self._call("POST", "/bulk", {"operations": operations, "same_time": same_time})

    async def requests(self, last: int = 0) -> dict[str, Any]:
        """The calls received, counted; the newest `last` of them in full."""
        return dict(await self._call("GET", f"/requests?last={last}"))

    async def add_faults(self, *rules: Mapping[str, Any]) -> None:
        await self._call("POST", "/faults", {"rules": [dict(rule) for rule in rules]})

    async def clear_faults(self) -> None:
        await self._call("DELETE", "/faults")

    async def set(self, **settings: Any) -> None:
        await self._call("PUT", "/settings", settings)

    async def define(self, definitions: Mapping[str, Any]) -> None:
        await self._call("POST", "/definitions", dict(definitions))

    async def deliveries(self) -> dict[str, Any]:
        return dict(await self._call("GET", "/deliveries"))

    async def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        answer = await self._http.request(method, path, json={} if body is None and method == "POST" else body)
        answer.raise_for_status()
        return answer.json() if answer.content else None


def _path(object_type: str, object_id: str) -> str:
    return f"/objects/{object_type}/{quote(object_id, safe='')}"


def _joined(object_type: str, object_id: str, to_type: str, to_id: str) -> str:
    return f"/associations/{object_type}/{quote(object_id, safe='')}/{to_type}/{quote(to_id, safe='')}"
