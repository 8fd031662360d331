"""One call of every verb of HubSpot's protocol, and answers made by hand."""

import json
from typing import Any

from connectors.http.messages import Call, Headers, Request, Response
from connectors.hubspot import protocol as hubspot
from connectors.hubspot.protocol import (
    AppEvent,
    CustomEvent,
    EventDefinition,
    EventProperty,
    Filter,
    JournalSubscription,
    OAuthApp,
    ObjectUpdate,
    Property,
    PropertyGroup,
    Search,
)

APP = OAuthApp("client", "app-secret")
UPDATE = ObjectUpdate("7", {"city": "Oslo", "phone": ""})
SUBSCRIPTION = JournalSubscription("OBJECT", "0-1", frozenset({"UPDATE"}), frozenset({"email"}), account="42")
APP_EVENT = AppEvent("flow_started", "e1", "7", {"flow_name": "Tour"}, 1_700_000_000_123)
CUSTOM_EVENT = CustomEvent("pe1_flow_started", "7", {"flow_name": "Tour"}, 1_700_000_000_123, "u1")
SEARCH = Search(((Filter("email", "IN", values=("a@b.c",)),),), ("email",), sort="lastmodifieddate", after="200")

CALLS: dict[str, Call[Any]] = {
    "account_details": hubspot.account_details(),
    "client_credentials": hubspot.client_credentials(APP, ["developer.webhooks_journal.read"]),
    "create_event_definition": hubspot.create_event_definition(EventDefinition("flow_started", "Flow Started")),
    "create_event_property": hubspot.create_event_property("pe1_flow_started", EventProperty("flow_name")),
    "create_property": hubspot.create_property("contacts", Property("city", "string", "text", group="userflow")),
    "create_property_group": hubspot.create_property_group("contacts", PropertyGroup("userflow", "Userflow")),
    "delete_journal_subscription": hubspot.delete_journal_subscription("7"),
    "earliest_entry": hubspot.earliest_entry("42"),
    "exchange_code": hubspot.exchange_code(APP, "code", "https://example.com/callback"),
    "get_object": hubspot.get_object("contacts", "7", ["email"]),
    "introspect_token": hubspot.introspect_token(APP, "access"),
    "list_associations": hubspot.list_associations("companies", "7", "contacts", after="9"),
    "list_event_definitions": hubspot.list_event_definitions(),
    "list_journal_subscriptions": hubspot.list_journal_subscriptions(),
    "list_objects": hubspot.list_objects("contacts", ["email", "city"], after="9", archived=True),
    "list_owners": hubspot.list_owners(),
    "list_pipelines": hubspot.list_pipelines("deals"),
    "list_properties": hubspot.list_properties("contacts"),
    "list_schemas": hubspot.list_schemas(),
    "next_entry": hubspot.next_entry("42", "8b3e"),
    "put_journal_subscription": hubspot.put_journal_subscription(SUBSCRIPTION),
    "read_associations": hubspot.read_associations("contacts", "companies", ["7", "8"]),
    "read_objects": hubspot.read_objects("contacts", ["a@b.c"], ["email"], id_property="email"),
    "refresh_token": hubspot.refresh_token(APP, "refresh"),
    "revoke_token": hubspot.revoke_token(APP, "refresh"),
    "search_objects": hubspot.search_objects("contacts", SEARCH),
    "send_app_events": hubspot.send_app_events([APP_EVENT]),
    "send_custom_events": hubspot.send_custom_events([CUSTOM_EVENT]),
    "update_objects": hubspot.update_objects("contacts", [UPDATE]),
}


def answer(status: int, content: object, headers: dict[str, str] | None = None) -> Response:
    return Response(status, Headers((headers or {}).items()), json.dumps(content).encode())


def body_of(request: Request) -> Any:
    return json.loads(request.body or b"null")
