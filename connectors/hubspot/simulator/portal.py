"""The simulated account: applies each write to records, whoever makes it, and reports it to the webhooks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from connectors.hubspot.simulator.associations import Associations, plain_type, primary_type
from connectors.hubspot.simulator.definitions import Definitions, ObjectType, Property
from connectors.hubspot.simulator.errors import ErrorAnswer, Fault, invalid_properties
from connectors.hubspot.simulator.settings import HubSpotSettings
from connectors.hubspot.simulator.standard import LIFECYCLE_STAGES, OWNER
from connectors.hubspot.simulator.store import Record, Source, Store, Version, combined
from connectors.hubspot.simulator.values import as_webhook_value, stored
from connectors.hubspot.simulator.webhooks import NEVER_SENT, Happening
from connectors.simulation.calls import Json

PERSON = Source("CRM_UI", "userId:98499705")
_REQUIRED = {
    "0-1": (("email", "firstname", "lastname"),),
    "0-2": (("name", "domain"),),
    "0-3": (("dealname",), ("dealstage",)),
}


class Portal:
    """Records, definitions and associations of one account; `tell` takes each happening that subscribers may hear."""

    def __init__(
        self, settings: Callable[[], HubSpotSettings], now_ms: Callable[[], int], tell: Callable[[Happening], None]
    ) -> None:
        self._settings, self._now_ms, self._tell = settings, now_ms, tell
        self.definitions = Definitions(settings().portal_id)
        self.store = Store()
        self.associations = Associations()

    @property
    def app(self) -> Source:
        """The source of the API's writes."""
        return Source("INTEGRATION", str(self._settings().app_id), "api")

    def checked(
        self, kind: ObjectType, properties: Mapping[str, Json], source: Source, record: Record | None = None
    ) -> dict[str, str]:
        """The values to store; Refusal 400 names every property that cannot be written so."""
        faults: list[Fault] = []
        values: dict[str, str] = {}
        for name, value in properties.items():
            result = self._checked_one(kind, name, value, source, record)
            if isinstance(result, Fault):
                faults.append(result)
            else:
                values[name] = result
        if faults:
            raise invalid_properties(faults, self._settings().error_details)
        return values

    def shown(self, kind: ObjectType, definition: Property) -> Property:
        """A definition as the account's settings distort it."""
        settings = self._settings()
        if definition.type == "bool" and settings.checkbox_type == "enumeration":
            definition = replace(definition, type="enumeration", options=(("true", "Yes"), ("false", "No")))
        return replace(
            definition, external=definition.external or f"{kind.name}.{definition.name}" in settings.external_options
        )

    def readable(self, kind: ObjectType, names: Sequence[str]) -> list[str]:
        """The names that exist and may be read."""
        hidden = self._settings().unreadable
        return [
            name
            for name in names
            if self.definitions.get(kind, name) is not None and f"{kind.name}.{name}" not in hidden
        ]

    def unknown(self, kind: ObjectType, names: Sequence[str]) -> list[Fault]:
        """A fault for each name without a property."""
        missing = [name for name in names if self.definitions.get(kind, name) is None]
        return [Fault(name, "PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist') for name in missing]

    def create(
        self,
        kind: ObjectType,
        properties: Mapping[str, Json],
        source: Source,
        *,
        record_id: str | None = None,
        silent: bool = False,
        created_ms: int | None = None,
    ) -> Record:
        """A new record; the API must name the type's required properties and may not repeat a unique value."""
        values = self.checked(kind, properties, source)
        if source.label == "api":
            self._require(kind, values)
            self._refuse_taken(kind, values, None)
        now_ms = self._now_ms() if created_ms is None else created_ms
        record = Record(record_id or self.store.new_id(), kind.type_id, now_ms, source.label)
        system = {kind.created: str(now_ms), "hs_object_id": record.record_id}
        own = {name: value for name, value in values.items() if name not in kind.system_properties}
        stamped = self.checked(kind, {**system, kind.modified: str(now_ms)}, PERSON)
        for name, value in {**own, **stamped}.items():
            record.write(name, Version(now_ms, value, source))
        self.store.add(record)
        if not silent:
            self._tell_creation(kind, record, own, source)
        return record

    def update(
        self, kind: ObjectType, record: Record, properties: Mapping[str, Json], source: Source, *, silent: bool = False
    ) -> None:
        """Write values to a record; equal ones are ignored unless `noop_write_counts`."""
        values = self.checked(kind, properties, source, record)
        if source.label == "api":
            self._refuse_taken(kind, values, record)
        counted = self._settings().noop_write_counts
        fresh = {name: value for name, value in values.items() if counted or (record.value(name) or "") != value}
        if fresh:
            self._store(kind, record, fresh, self._now_ms(), source, silent=silent)

    def run_workflows(self, kind: ObjectType, record: Record, written: Sequence[str]) -> None:
        """Let the account's workflows rewrite the API's latest values."""
        rules = self._settings().workflows
        values = {name: rules[key] for name in written if (key := f"{kind.name}.{name}") in rules}
        changed = {name: value for name, value in values.items() if record.value(name) != value}
        if changed:
            source = Source("AUTOMATION_PLATFORM", "enrollmentId:1;actionExecutionIndex:0")
            # a moment later, so that the two versions are ordered
            self._store(kind, record, changed, self._now_ms() + 1, source, silent=False)

    def archive(self, kind: ObjectType, record: Record, source: Source, *, silent: bool = False) -> None:
        """Move a record into the recycling bin."""
        record.archived_ms = self._now_ms()
        if not silent:
            self._say("deletion", kind, record.record_id, source, {"changeFlag": "DELETED"})

    def forget(self, kind: ObjectType, record: Record) -> None:
        """A privacy deletion: the record is gone for good, and two webhooks report it."""
        self.store.remove(record)
        for action in ("privacyDeletion", "deletion"):
            self._say(action, kind, record.record_id, PERSON, {"changeFlag": "DELETED"})

    def restore(self, kind: ObjectType, record: Record, *, silent: bool = False) -> None:
        """Move a record out of the recycling bin."""
        record.archived_ms = None
        if not silent:
            self._say("restore", kind, record.record_id, PERSON, {"changeFlag": "RESTORED"})

    def merge(self, kind: ObjectType, first: Record, other: Record, source: Source, *, silent: bool = False) -> Record:
        """Merge two records into one, with a new id unless `merge_makes_new_record` is off."""
        now_ms = self._now_ms()
        new_id = self.store.new_id() if self._settings().merge_makes_new_record else first.record_id
        survivor = combined(first, other, new_id, now_ms, source)
        moved = sum(1 for name, value in survivor.values().items() if value != (first.value(name) or ""))
        merged_ids = ";".join((first.record_id, other.record_id))
        for record in (first, other):
            self.associations.move(kind, record.record_id, new_id, self.definitions.all_types())
        self.store.merge(first, other, survivor)
        stamp = self.checked(kind, {kind.modified: str(now_ms), "hs_object_id": new_id}, PERSON)
        self.store.write(survivor, {**stamp, "hs_merged_object_ids": merged_ids}, now_ms, source)
        if not silent:
            extra = {
                "primaryObjectId": int(first.record_id),
                "mergedObjectIds": [int(other.record_id)],
                "newObjectId": int(new_id),
                "numberOfPropertiesMoved": moved,
            }
            self._say("merge", kind, new_id, source, extra)
        return survivor

    def associate(
        self,
        ends: tuple[ObjectType, str, ObjectType, str],
        source: Source,
        *,
        primary: bool = False,
        silent: bool = False,
    ) -> None:
        """Join two records; no record's modified time moves."""
        self.associations.link(*ends, primary=primary)
        if not silent:
            self._tell_association(ends, source, primary=primary, removed=False)

    def dissociate(
        self, ends: tuple[ObjectType, str, ObjectType, str], source: Source, *, silent: bool = False
    ) -> None:
        """Separate two records."""
        if self.associations.unlink(*ends) and not silent:
            self._tell_association(ends, source, primary=False, removed=True)

    def _checked_one(
        self, kind: ObjectType, name: str, value: Json, source: Source, record: Record | None
    ) -> str | Fault:
        definition = self.definitions.get(kind, name)
        if definition is None:
            return self.unknown(kind, [name])[0]
        if definition.read_only and source.label == "api":
            return Fault(name, "READ_ONLY_VALUE", f'"{name}" is a read only property; its value cannot be set.')
        current = None if record is None else record.value(name)
        if name == "hs_merged_object_ids":
            return str(value)
        text = stored(definition, value, self._settings().normalise.get(f"{kind.name}.{name}", ""), current)
        if isinstance(text, Fault):
            return text
        outside = self._outside(kind, definition, text)
        return outside or (self._taken(kind, name, text, current or "") if source.label == "api" else text)

    def _outside(self, kind: ObjectType, definition: Property, text: str) -> Fault | None:
        """A fault if a property with options kept elsewhere gets a value outside them."""
        if definition.name != OWNER or not text or text in self._settings().owners:
            return None
        return Fault(definition.name, "INVALID_OPTION", f"{text} was not one of the allowed options")

    def _taken(self, kind: ObjectType, name: str, text: str, current: str) -> str | Fault:
        """The value stored for the API's write, or its fault: some writes are ignored without an error."""
        settings = self._settings()
        if f"{kind.name}.{name}" in settings.ignored_writes:
            return current
        if name != "lifecyclestage" or not _goes_back(current, text) or settings.lifecycle_backwards == "taken":
            return text
        if settings.lifecycle_backwards == "refused":
            return Fault(name, "INVALID_LIFECYCLE_STAGE", f"{name} may not go back to {text}.")
        return current

    def _store(
        self, kind: ObjectType, record: Record, values: Mapping[str, str], now_ms: int, source: Source, *, silent: bool
    ) -> None:
        stamp = self.checked(kind, {kind.modified: str(now_ms)}, PERSON)
        self.store.write(record, {**values, **stamp}, now_ms, source)
        if not silent:
            self._tell_changes(kind, record, values, now_ms, source)

    def _require(self, kind: ObjectType, values: Mapping[str, str]) -> None:
        needed = [*_REQUIRED.get(kind.type_id, ()), *((name,) for name in kind.schema.get("requiredProperties", ()))]
        lacking = [names[0] for names in needed if not any(values.get(name) for name in names)]
        if lacking:
            text = f"Error creating {kind.word.upper()}. Some required properties were not set."
            raise ErrorAnswer(400, "VALIDATION_ERROR", text, [{"message": text, "context": {"properties": lacking}}])

    def _refuse_taken(self, kind: ObjectType, values: Mapping[str, str], own: Record | None) -> None:
        for name, value in values.items():
            definition = self.definitions.get(kind, name)
            unique = definition is not None and (definition.unique or (kind.type_id, name) == ("0-1", "email"))
            if not unique or not value:
                continue
            for holder in self.store.find_by(kind.type_id, name, value):
                if holder is not own and holder.is_live():
                    text = f"{kind.word.capitalize()} already exists. Existing ID: {holder.record_id}"
                    raise ErrorAnswer(409, "CONFLICT", text)

    def _say(self, action: str, kind: ObjectType, record_id: str, source: Source, extra: Mapping[str, Json]) -> None:
        self._tell(Happening(action, kind, record_id, self._now_ms(), source, extra))

    def _tell_creation(self, kind: ObjectType, record: Record, values: Mapping[str, str], source: Source) -> None:
        flag = {"changeFlag": self._settings().webhook_created_flag}
        self._tell(Happening("creation", kind, record.record_id, record.created_ms, source, flag))
        if self._settings().creation_fires_property_changes:
            self._tell_changes(kind, record, values, record.created_ms, source)

    def _tell_changes(
        self, kind: ObjectType, record: Record, values: Mapping[str, str], now_ms: int, source: Source
    ) -> None:
        settings = self._settings()
        for name, value in values.items():
            definition = self.definitions.get(kind, name)
            calculated = definition is not None and definition.calculated and not settings.calculated_fire_webhooks
            chosen = settings.webhook_properties
            hidden = f"{kind.name}.{name}" in settings.unreadable
            if hidden or name in NEVER_SENT or calculated or (chosen is not None and name not in chosen):
                continue
            shown = as_webhook_value(definition, value, settings.webhook_dates_as_epoch)
            extra = {"propertyName": name, "propertyValue": shown}
            self._tell(Happening("propertyChange", kind, record.record_id, now_ms, source, extra))

    def _tell_association(
        self, ends: tuple[ObjectType, str, ObjectType, str], source: Source, *, primary: bool, removed: bool
    ) -> None:
        from_type, from_id, to_type, to_id = ends
        back = (to_type, to_id, from_type, from_id)
        for one, one_id, other, other_id in (ends, back):
            marked = primary_type(one, other) if primary else None
            for type_id in [*([marked] if marked else []), plain_type(one, other)]:
                extra = {
                    "associationType": f"{one.word}_TO_{other.word}".upper(),
                    "fromObjectId": int(one_id),
                    "toObjectId": int(other_id),
                    "associationRemoved": removed,
                    "isPrimaryAssociation": type_id == marked,
                    "associationTypeId": type_id,
                    "fromObjectTypeId": one.type_id,
                    "toObjectTypeId": other.type_id,
                }
                self._tell(Happening("associationChange", one, None, self._now_ms(), source, extra))


def _goes_back(current: str, text: str) -> bool:
    order = LIFECYCLE_STAGES
    return current in order and text in order and order.index(text) < order.index(current)
