"""Records made up for a look at our own code: what fails at these fails at all, whatever the records of others hold.

They are decided against no state and a mapping of their own: no input, file or row can make them fail.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pipeline.agents.configuration import IntegrationView
from pipeline.agents.rows import MemoryRows, Rows
from pipeline.agents.state import Output, Overlay
from pipeline.agents.step import Incoming, Stage
from pipeline.core.mapping import MappingView
from schemas.records import ChangeEvent, FieldRule, MatchedChange, ObjectMapping, StampedValue
from schemas.topics import HUBSPOT_CHANGES, MATCHES, USERFLOW_CHANGES
from schemas.values import System

INTEGRATION: Final = "made-up"
MAPPING: Final = "people"
EMAIL: Final = "ada@example.com"
AT_MS: Final = 1_700_000_000_000

_RULES: Final = (
    FieldRule("to_userflow", "jobtitle", "string", "title", "string"),
    FieldRule("to_hubspot", "plan", "string", "tier", "string"),
)
_RECORD: Final = ObjectMapping(INTEGRATION, 1, 1, MAPPING, "contacts", "users", "email", "email", "refuse", _RULES)
_READ: Final = frozenset({"hubspot.contacts", "userflow.users"})
_VIEW: Final = IntegrationView(1, 1, True, {MAPPING: MappingView(_RECORD)}, _READ)
_CONTACT: Final = {
    "email": StampedValue(EMAIL, AT_MS),
    "jobtitle": StampedValue("Countess", AT_MS),
    "tier": StampedValue(None, AT_MS),
}
_USER: Final = {
    "email": StampedValue(EMAIL, AT_MS),
    "plan": StampedValue("gold", AT_MS),
    "title": StampedValue(None, AT_MS),
}

CHANGES: Final = (
    (
        USERFLOW_CHANGES,
        ChangeEvent(INTEGRATION, 1, 1, "userflow", "users", "u1", "upserted", AT_MS, 0, "webhook", _USER),
    ),
    (
        HUBSPOT_CHANGES,
        ChangeEvent(INTEGRATION, 1, 1, "hubspot", "contacts", "1", "upserted", AT_MS, 0, "webhook", _CONTACT),
    ),
)
"""A user and a contact of one email address are seen: each leads to a change of their pair."""


def _joined(system: System, object_type: str, object_id: str, fields: Mapping[str, StampedValue]) -> MatchedChange:
    pair = INTEGRATION, 1, 1, MAPPING, EMAIL
    return MatchedChange(*pair, system, object_type, object_id, "joined", AT_MS, 0, "webhook", fields)


MATCHED: Final = (
    (MATCHES, _joined("userflow", "users", "u1", _USER)),
    (MATCHES, _joined("hubspot", "contacts", "1", _CONTACT)),
)
"""Both are of one pair, which leads to a write on each side. Of a contact alone a pair would keep no fields."""


def view_of(_: str) -> IntegrationView:
    """The integration that the records are of, in place of any."""
    return _VIEW


def decided(stage: Stage[Any], records: Sequence[tuple[str, Any]]) -> tuple[Output, ...]:
    """What the stage makes of the records; raises whatever it raises at one of them."""
    overlay: Overlay[Any] = Overlay(Rows(MemoryRows()))
    outputs = list[Output]()
    for offset, (topic, record) in enumerate(records):
        outputs += stage.decide(Incoming(topic, 0, offset, INTEGRATION, b"", record), overlay).outputs
    return tuple(outputs)
