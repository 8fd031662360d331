"""The plain join of `make bench` as a quixstreams program: exactly once, Avro in and out, a changelog, one repartition.

Runs in an environment of its own, for quixstreams wants an older confluent-kafka than Pairstream.
Arguments: brokers, state folder, folder with ChangeEvent.avsc and FieldPatch.avsc, the patch's schema id.
"""

import io
import json
import struct
import sys
from pathlib import Path
from typing import Any

import fastavro
from quixstreams import Application
from quixstreams.models import Deserializer, Serializer

HEADER = struct.Struct(">bI")
FIELDS = 4
TARGETS = {"hubspot": ("h", "hubspot_contact_h", "userflow"), "userflow": ("u", "userflow_user_u", "hubspot")}


class Avro(Deserializer, Serializer):  # type: ignore[misc] # not installed where this is checked
    """Bodies behind the header of Confluent's wire format, as plain dicts."""

    def __init__(self, schema: Any, schema_id: int) -> None:
        super().__init__()
        self._schema, self._header = schema, HEADER.pack(0, schema_id)

    def __call__(self, value: Any, ctx: Any) -> Any:
        if isinstance(value, bytes):
            return fastavro.schemaless_reader(io.BytesIO(value[HEADER.size :]), self._schema)
        body = io.BytesIO()
        fastavro.schemaless_writer(body, self._schema, value)
        return self._header + body.getvalue()


def main() -> None:
    servers, folder, schemas, patch_id = sys.argv[1:]
    change = Avro(fastavro.parse_schema(json.loads((Path(schemas) / "ChangeEvent.avsc").read_text())), 0)
    patch = Avro(fastavro.parse_schema(json.loads((Path(schemas) / "FieldPatch.avsc").read_text())), int(patch_id))
    app = Application(
        broker_address=servers,
        consumer_group="rival-quix",
        processing_guarantee="exactly-once",
        auto_offset_reset="earliest",
        commit_interval=0.5,  # what was repartitioned is read once it is committed: the default waits five seconds
        state_dir=folder,
        loglevel="WARNING",
    )
    read = {"value_deserializer": change, "key_deserializer": "str"}
    both = app.dataframe(app.topic("hubspot.changes", **read)).concat(
        app.dataframe(app.topic("userflow.changes", **read))
    )
    pairs = both.group_by(_email, name="by-email").apply(_joined, stateful=True, expand=True)
    for system in TARGETS:
        topic = app.topic(f"{system}.field-patches", value_serializer=patch, key_serializer="str")
        pairs[pairs["system"] == system].to_topic(topic, key=lambda value: value["integration"])
    app.run()


def _email(change: dict[str, Any]) -> str:
    return str(change["fields"]["email"]["value"]).lower()


def _joined(change: dict[str, Any], state: Any) -> list[dict[str, Any]]:
    """Keep the newest change of each side, and write to the other side what differs there."""
    own, target, other = TARGETS[change["system"]]
    before = state.get(change["system"])
    if before is not None and before["at_ms"] > change["at_ms"]:
        return []
    state.set(change["system"], change)
    there = state.get(other)
    if there is None:
        return []
    fields, known = change["fields"], there["fields"]
    differing = {}
    for n in range(FIELDS):
        value = fields[f"{own}{n}"]["value"]
        if value != (known.get(f"{target}{n}") or {}).get("value"):
            differing[f"{target}{n}"] = value
    if not differing:
        return []
    kept = {name: change[name] for name in ("integration", "connection", "revision")}
    there_is = {name: there[name] for name in ("system", "object_type", "object_id")}
    return [{**kept, **there_is, "mapping": "people", "match_value": _email(change), "fields": differing}]


if __name__ == "__main__":
    main()
