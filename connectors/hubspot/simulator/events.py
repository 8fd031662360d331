"""Apps' events on timelines: app events (declared, deduplicated) and custom events (neither)."""

from collections.abc import Callable, Mapping, Sequence

from connectors.hubspot.simulator.errors import ErrorAnswer, Fault, invalid, invalid_properties, not_found
from connectors.hubspot.simulator.settings import HubSpotSettings
from connectors.simulation.calls import Json
from connectors.simulation.clock import epoch_ms_of, iso_z

MAX_ID_BYTES, MAX_PROPERTY_BYTES, MAX_CUSTOM_LENGTH, MAX_CUSTOM_PROPERTIES = 500, 510_000, 256, 50
CUSTOM_BATCH = 500


class AppEvents:
    """Occurrences by id; `exists(object type such as CONTACT, id)` tells whether the record exists."""

    def __init__(self, settings: Callable[[], HubSpotSettings], exists: Callable[[str, str], bool]) -> None:
        self._settings, self._exists = settings, exists
        self.received: list[Json] = []
        self._ids: set[str] = set()

    def send(self, events: Sequence[Mapping[str, Json]], now_ms: int) -> list[Json]:
        """Store all or none of the events: Refusal 400 for an invalid one, 409 for an id used before."""
        if len(events) > self._settings().timeline_batch_size:
            raise invalid(f"at most {self._settings().timeline_batch_size} events in a batch")
        for event in events:
            self._check(event)
        ids = [str(event["id"]) for event in events]
        repeated = sorted({one for one in ids if one in self._ids or ids.count(one) > 1})
        if repeated:
            raise ErrorAnswer(409, "CONFLICT", f"Events already exist: {repeated}", context={"ids": repeated})
        self._ids.update(ids)
        kept = [{**event, "timestamp": _moment(event.get("timestamp"), now_ms)} for event in events]
        self.received += [{"via": "app_events", "received_at": now_ms, **event} for event in kept]
        return kept

    def _check(self, event: Mapping[str, Json]) -> None:
        missing = [name for name in ("eventTypeName", "id", "properties") if event.get(name) is None]
        if missing:
            raise invalid(f"Some required fields were not set: {missing}")
        self._check_type(event)
        if len(str(event["id"]).encode()) > MAX_ID_BYTES:
            raise invalid(f"id is longer than {MAX_ID_BYTES} bytes")
        self._check_properties(str(event["eventTypeName"]), event["properties"])
        if not any(event.get(name) for name in ("objectId", "email", "utk")):
            raise invalid("one of objectId, email, utk is needed")
        types = self._object_types(event)
        if event.get("objectId") and not any(self._exists(one, str(event["objectId"])) for one in types):
            raise invalid(f"The object of event {event['id']} does not exist")

    def _check_properties(self, type_name: str, properties: Mapping[str, Json]) -> None:
        declared = (self._settings().timeline_event_properties or {}).get(type_name)
        faults = [
            Fault(name, "PROPERTY_DOESNT_EXIST", f"{type_name} has no property {name}")
            for name in properties
            if declared is not None and name not in declared
        ]
        faults += [
            Fault(name, "INVALID_STRING", f"not a string of at most {MAX_PROPERTY_BYTES} bytes")
            for name, value in properties.items()
            if not isinstance(value, str) or len(value.encode()) > MAX_PROPERTY_BYTES
        ]
        if faults:
            raise invalid_properties(faults, self._settings().error_details)

    def _check_type(self, event: Mapping[str, Json]) -> None:
        declared = self._settings().timeline_event_types
        if declared is not None and event["eventTypeName"] not in declared:
            raise invalid(f"Unknown event type {event['eventTypeName']}")
        if not set(self._object_types(event)) <= set(self._settings().timeline_object_types):
            raise invalid(f"{self._object_types(event)} take no app events")

    def _object_types(self, event: Mapping[str, Json]) -> Sequence[str]:
        """The possible types of the record: as the event says, as its event type declares, or any."""
        declared = (self._settings().timeline_event_types or {}).get(str(event["eventTypeName"]))
        said = event.get("objectTypeFullyQualifiedName") or declared
        return [str(said).upper()] if said else self._settings().timeline_object_types


class CustomEvents:
    """Definitions made by API, and completions, each stored however often it arrives."""

    def __init__(self, settings: Callable[[], HubSpotSettings]) -> None:
        self._settings = settings
        self.definitions: dict[str, Json] = {}
        self.received: list[Json] = []

    def define(self, wire: Mapping[str, Json], now_ms: int) -> Json:
        """A new definition with its full name `pe<account>_<name>`; Refusal 409 if one exists."""
        name = wire.get("name") or str(wire["label"]).lower().replace(" ", "_")
        full = f"pe{self._settings().portal_id}_{name}"
        if full in self.definitions:
            raise ErrorAnswer(409, "OBJECT_ALREADY_EXISTS", f"Event definition {full} already exists")
        properties = [{"archived": False, **each} for each in wire.get("propertyDefinitions", ())]
        labels = {"singular": wire.get("label", name), "plural": wire.get("label", name)}
        definition = {
            "id": str(1000 + len(self.definitions)),
            "name": name,
            "fullyQualifiedName": full,
            "objectTypeId": f"6-{1000 + len(self.definitions)}",
            "primaryObject": wire.get("primaryObject", "CONTACT"),
            "labels": labels,
            "properties": properties,
            "description": wire.get("description", ""),
            "createdAt": iso_z(now_ms),
            "archived": False,
        }
        self.definitions[full] = definition
        return definition

    def define_property(self, full_name: str, wire: Mapping[str, Json]) -> Json:
        """Add a property to a definition; Refusal 404 without the definition, 409 if it has one of that name."""
        definition = self.definitions.get(full_name)
        if definition is None:
            raise not_found()
        if any(each["name"] == wire["name"] for each in definition["properties"]):
            raise ErrorAnswer(409, "OBJECT_ALREADY_EXISTS", f"Property {wire['name']} already exists")
        definition["properties"].append({"archived": False, **wire})
        return definition["properties"][-1]

    def send(self, events: Sequence[Mapping[str, Json]], now_ms: int) -> None:
        """Store every completion; Refusal 400 if one is invalid."""
        if len(events) > CUSTOM_BATCH:
            raise invalid(f"at most {CUSTOM_BATCH} events in a batch")
        for event in events:
            self._check(event)
        self.received += [{"via": "custom_events", "received_at": now_ms, **event} for event in events]

    def _check(self, event: Mapping[str, Json]) -> None:
        definition = self.definitions.get(str(event.get("eventName")))
        if definition is None:
            raise invalid(f"No event definition named {event.get('eventName')}")
        if not any(event.get(name) for name in ("objectId", "email", "utk")):
            raise invalid("one of objectId, email, utk is needed")
        properties = event.get("properties") or {}
        known = {each["name"] for each in definition["properties"]}
        unknown = sorted(name for name in properties if name not in known and not name.startswith("hs_"))
        too_long = [name for name, value in properties.items() if len(str(value)) > MAX_CUSTOM_LENGTH]
        faults = [Fault(name, "PROPERTY_DOESNT_EXIST", "no such property") for name in unknown]
        faults += [Fault(name, "INVALID_STRING", f"longer than {MAX_CUSTOM_LENGTH}") for name in too_long]
        if faults:
            raise invalid_properties(faults, self._settings().error_details)
        if len(properties) > MAX_CUSTOM_PROPERTIES:
            raise invalid(f"at most {MAX_CUSTOM_PROPERTIES} properties in an event")


def _moment(value: Json, now_ms: int) -> str:
    try:
        return iso_z(now_ms if value is None else epoch_ms_of(str(value)))
    except ValueError:
        raise invalid(f"timestamp {value} is not valid") from None
