"""One object in a situation made by hand: both agents handle what happened, then it is explained."""

from collections.abc import Sequence
from dataclasses import replace

from pipeline.agents.configuration import IntegrationView
from pipeline.core.mapping import MappingView
from pipeline.explain.answer import Explanation, Named
from pipeline.explain.events import EventFacts, SeenEvent
from pipeline.explain.history import Seen
from pipeline.explain.judging import Facts, explanation
from pipeline.explain.look_now import Looked
from pipeline.explain.retained import Retained
from pipeline.explain.text import explanation_lines
from pipeline.explain.trace import Between, last_written
from schemas.configuration import ConnectorState
from schemas.records import ActivityEvent, Cause, ChangeEvent, Receipt
from schemas.topics import object_key, object_of
from schemas.values import System
from tests.unit.pipeline.core.given import CONTACT, EMAIL, INTEGRATION, USER, contact, mapping, user, written
from tests.unit.pipeline.middle import ALL_READ, Middle

VIEW = mapping()
EDIT = Cause("hubspot.notifications", 2, 4410, 1_500)
PLAN_EDIT = Cause("userflow.notifications", 2, 991, 1_600)
SECRETS = ("Dr", "Prof", "'pro'", EMAIL)
NOW_MS = 60_000
LOOKUP_INTERVAL_MS = 900_000


class Situation:
    """What happened to one pair, and what is asked about it."""

    def __init__(self, view: MappingView = VIEW, whole: frozenset[str] = ALL_READ) -> None:
        self.view = view
        self.whole = whole
        self.middle = Middle(view)
        self.middle.now_ms = NOW_MS
        self.seen: list[Seen] = []
        self.connectors: dict[System, ConnectorState] = {}
        self.between: list[Between] = []
        self.complete = True
        self.paused = False
        self.events: list[SeenEvent] = []
        self.waiting: set[str] = set()
        if whole is not ALL_READ:
            self.middle.view_as(view, crawled=whole)

    def happened(self, *records: ChangeEvent | Receipt, took_ms: int = 100) -> "Situation":
        """The agents handle them; each is retained on its topic."""
        for record in records:
            self.middle.feed(record)
            receipt = isinstance(record, Receipt)
            topic = "sync.receipts" if receipt else f"{record.system}.changes"
            at_ms = (record.caused_by.at_ms if record.caused_by is not None else 1_000) + took_ms * (len(self.seen) + 1)
            self.seen.append(Retained((topic, 2, len(self.seen)), at_ms, record))
        return self

    def did(self, *events: ActivityEvent, at_ms: int = 1_000) -> "Situation":
        """The agents handle them; each is retained."""
        for event in events:
            self.middle.feed(event)
            self.events.append(Retained(("userflow.activity", 1, len(self.events)), at_ms, event))
        return self

    def explained(self, system: System = "hubspot", object_id: str = CONTACT) -> Explanation:
        object_type = self.view.object_type(system)
        key = object_key(INTEGRATION, 1, system, object_type, object_id)
        row = self.middle.objects.get(key)
        matches = row.matches if row is not None else {}
        pairs = {
            name: (value, self.middle.pairs.get(f"{INTEGRATION}:1:{name}:{value}")) for name, value in matches.items()
        }
        view = IntegrationView(1, 1, True, {self.view.name: self.view}, self.whole)
        return explanation(
            Facts(
                NOW_MS,
                INTEGRATION,
                view,
                Named(system, object_type, object_id),
                key,
                2,
                row,
                pairs,
                LOOKUP_INTERVAL_MS,
                self.connectors,
                self.paused,
                self.seen,
                complete=self.complete,
                write=last_written(self.seen),
                between=self.between,
                events=EventFacts(
                    self.events,
                    rows={object_of(key): row for key, row in self.middle.objects.items()},
                    waiting=frozenset(self.waiting),
                ),
            )
        )

    def told(self, system: System = "hubspot", object_id: str = CONTACT, *looked: Looked) -> str:
        """The lines for a person, in which no value stands."""
        lines = "\n".join(explanation_lines(self.explained(system, object_id), looked=looked))
        assert not any(secret in lines for secret in SECRETS)
        return lines


def caused(record: ChangeEvent, cause: Cause) -> ChangeEvent:
    return replace(record, caused_by=cause)


def in_step(view: MappingView = VIEW) -> Situation:
    """A pair of which both fields were written: the job title after an edit, the plan after another."""
    return Situation(view).happened(
        caused(contact(1_000, {"jobtitle": "Dr", "tier": None}), EDIT),
        caused(user(1_000, {"title": None, "plan": "pro"}), PLAN_EDIT),
        caused(written("userflow", USER, 2_000, {"title": "Dr"}, spread_ms=999), EDIT),
        caused(written("hubspot", CONTACT, 2_118, {"tier": "pro"}), PLAN_EDIT),
    )


def words(told: Explanation) -> Sequence[str]:
    """How the fields of the only pair stand, Userflow's first."""
    return [one.word for one in told.pairs[0].fields]
