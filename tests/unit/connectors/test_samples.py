"""Every recorded wire sample is understood by the protocols: errors by their kind, webhooks without a rest."""

import json
from pathlib import Path
from typing import Any

import pytest

from connectors.contract.errors import ConnectorError, CredentialsRejected, Misconfigured, Missing, RateLimited, Refused
from connectors.http.messages import Response
from connectors.hubspot import protocol as hubspot
from connectors.userflow import protocol as userflow

SAMPLES = Path(__file__).parents[2] / "samples"


def _sample(system: str, name: str) -> Any:
    """The JSON of a sample; a sample that also tells its status keeps the answer under `body`."""
    return json.loads((SAMPLES / system / f"{name}.json").read_text())


def _body(system: str, name: str) -> Any:
    return (sample := _sample(system, name)).get("body", sample)


def _names(system: str, pattern: str) -> list[str]:
    return sorted(path.stem for path in (SAMPLES / system).glob(f"{pattern}.json"))


def _answer(content: object, status: int = 200) -> Response:
    return Response(status, body=json.dumps(content).encode())


HUBSPOT_ERRORS: dict[str, tuple[type[ConnectorError], str]] = {
    "400_unknown_property": (Refused, "unknown_field"),
    "401_expired": (CredentialsRejected, "unauthorized"),
    "403_missing_scopes": (Misconfigured, "missing_scopes"),
    "404": (Missing, "missing"),
    "409_app_event": (Refused, "conflict"),
    "409_contact_exists": (Refused, "conflict"),
    "409_property_exists": (Refused, "already_exists"),
    "429_burst": (RateLimited, "burst"),
    "429_daily": (RateLimited, "daily"),
    "429_search": (RateLimited, "search"),
}


@pytest.mark.parametrize("name", [name for name in _names("hubspot", "4*") if name != "400_bad_refresh_token"])
def test_hubspot_errors(name: str) -> None:
    sample = _sample("hubspot", name)
    call = hubspot.update_objects("contacts", [hubspot.ObjectUpdate("1", {})])
    with pytest.raises(ConnectorError) as caught:
        call.parse(_answer(sample["body"], sample["status"]))
    error = caught.value
    assert (type(error), error.policy if isinstance(error, RateLimited) else error.reason) == HUBSPOT_ERRORS[name]


@pytest.mark.parametrize("name", _names("hubspot", "webhook_*"))
def test_hubspot_webhooks(name: str) -> None:
    sample = _sample("hubspot", name)
    batch = hubspot.parse_notifications(json.dumps(sample).encode())
    assert (len(batch.events), batch.unreadable) == (len(sample), ())
    assert all(event.happening != "other" and event.object_id and event.occurred_at_ms for event in batch.events)


@pytest.mark.parametrize("name", _names("hubspot", "record*"))
def test_hubspot_records(name: str) -> None:
    sample = _body("hubspot", name)
    record = hubspot.get_object("contacts", "1", []).parse(_answer(sample))
    assert record is not None
    assert (record.id, record.fields, record.archived) == (sample["id"], sample["properties"], sample["archived"])
    assert None not in (record.created_at_ms, record.updated_at_ms)


def test_hubspot_partial_batches() -> None:
    read = hubspot.read_objects("contacts", ["1"], []).parse(_answer(_body("hubspot", "batch_read_207"), 207))
    assert read.results
    assert [error.reason for error in read.errors if error.ids] == ["missing"]
    update = hubspot.update_objects("contacts", [hubspot.ObjectUpdate("1", {})])
    written = update.parse(_answer(_body("hubspot", "batch_update_207"), 207))
    assert written.results
    assert all(error.ids and error.reason for error in written.errors)


@pytest.mark.parametrize("name", _names("userflow", "4*"))
def test_userflow_errors(name: str) -> None:
    sample = _sample("userflow", name)
    expected = {400: Refused, 404: Missing, 429: RateLimited}[sample["status"]]
    with pytest.raises(expected):
        userflow.upsert_object("users", "1", {}).parse(_answer(sample["body"], sample["status"]))


@pytest.mark.parametrize("name", _names("userflow", "notification_*"))
def test_userflow_notifications(name: str) -> None:
    sample = _sample("userflow", name)
    (found,) = userflow.parse_notifications(json.dumps(sample).encode())
    assert (found.id, found.topic) == (sample["id"], sample["topic"])
    assert (found.record is None) != (found.event is None)
    assert bool(found.updated) == ("updated" in name)


def test_userflow_pages() -> None:
    page = userflow.list_objects("users").parse(_answer(_body("userflow", "list_page")))
    last = userflow.list_objects("users").parse(_answer(_body("userflow", "list_last_page")))
    assert page.records
    assert page.next_cursor == page.records[-1].id
    assert last.next_cursor is None
