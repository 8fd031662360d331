"""Configuration topics in memory, where a test asks as a command does and reports as a connector does."""

import uuid
from dataclasses import replace

from pipeline.integration_file.loader import load
from pipeline.integration_file.model import IntegrationFile
from pipeline.operations.apply import desired
from pipeline.provisioning.state_machine import Outside, decide
from pipeline.provisioning.writes import ConfigurationWrite
from schemas.configuration import (
    ConnectorState,
    DescribedEvent,
    DescribedField,
    Description,
    DesiredIntegration,
    IntegrationPart,
    IntegrationSettings,
)
from schemas.records import ObjectMapping, StateCommand
from schemas.topics import INTEGRATIONS
from schemas.values import System

PARTITIONS = 2
FILE = """\
integration: {name}
hubspot:
  account: {account}
  app_secret: s3cret-s3cret
  token: {token}
userflow:
  environment: production
  api_key: {key}
mappings:
  - name: people
    hubspot: contacts
    userflow: users
    match: {{hubspot: {match}, userflow: email}}
    to_userflow: [jobtitle]
    to_hubspot: [{attribute}]
    stream_events: {streams}
"""
UNCHANGED = {
    "account": "1",
    "token": "pat-secret",
    "key": "ak_one",
    "attribute": "plan",
    "streams": "false",
    "match": "email",
}
HUBSPOT_FIELDS = (
    DescribedField("contacts", "email", "Email", "string", unique=True),
    DescribedField("contacts", "jobtitle", "Job title", "string"),
)
USERFLOW_FIELDS = (
    DescribedField("users", "id", "Id", "string", read_only=True),
    DescribedField("users", "email", "Email", "string"),
    DescribedField("users", "plan", "Plan", "string"),
    DescribedField("users", "seats", "Seats", "number"),
)
EVENTS = (DescribedEvent("flow_started", "Flow Started"), DescribedEvent("flow_ended", "Flow Ended"))


class Cluster:
    """Configuration topics in memory: asks, decides and reports as scheduler and connectors do."""

    def __init__(self) -> None:
        self.parts: dict[str, IntegrationPart] = {}
        self.mappings: dict[str, ObjectMapping] = {}
        self.order: list[str] = []
        self.commands: list[StateCommand] = []

    def ask(self, request: DesiredIntegration, name: str = "acme") -> None:
        self.parts[f"{name}/desired"] = IntegrationPart(name, desired=request)
        self.settle()

    def settle(self) -> None:
        """Carry out decisions until there are none."""
        for _ in range(20):
            writes = decide(self.parts, self.mappings, PARTITIONS, Outside(same_secret=same_secret))
            if not writes:
                return
            for write in writes:
                self.order.append(write.key)
                self.write(write)
        raise AssertionError("decisions do not come to an end")

    def write(self, write: ConfigurationWrite) -> None:
        match write.record:
            case IntegrationPart():
                self.parts[write.key] = write.record
            case ObjectMapping():
                self.mappings[write.key] = write.record
            case StateCommand():
                assert write.key == f"partition-{write.partition}"
                self.commands.append(write.record)
            case None:
                (self.parts if write.topic == INTEGRATIONS else self.mappings).pop(write.key, None)

    def report(self, system: System, name: str = "acme", **changes: object) -> None:
        """What a connector says of the revision that is asked for, everything fine unless told otherwise."""
        self.tell(system, name, **changes)
        self.settle()

    def tell(self, system: System, name: str = "acme", **changes: object) -> None:
        """The same, and nobody decides on it yet."""
        settings = self.settings(name)
        fields = HUBSPOT_FIELDS if system == "hubspot" else USERFLOW_FIELDS
        state = ConnectorState(
            settings.connection, settings.revision, settings.revision, "ok", settings.revision, None, fields
        )
        if system == "userflow":
            state = replace(state, events=EVENTS)
        self.parts[f"{name}/{system}"] = IntegrationPart(name, connector=replace(state, **changes))  # type: ignore[arg-type]

    def answer_trial(self, name: str = "acme", **reasons: str) -> None:
        """What both connectors say of a step of a trial: why each does not work, nothing unless told otherwise."""
        settings = self.settings(name)
        if settings.trial is None:
            return
        of_userflow = Description(settings.tried, reasons.get("userflow"), USERFLOW_FIELDS, EVENTS)
        of_hubspot = Description(settings.tried, reasons.get("hubspot"), HUBSPOT_FIELDS)
        self.parts[f"{name}/hubspot/trial"] = IntegrationPart(name, description=of_hubspot)
        self.parts[f"{name}/userflow/trial"] = IntegrationPart(name, description=of_userflow)
        self.settle()

    def settings(self, name: str = "acme") -> IntegrationSettings:
        found = self.parts[f"{name}/settings"].settings
        assert found is not None
        return found

    def connect(self, name: str = "acme", **changes: str) -> None:
        self.ask(request(name, **changes), name)
        self.answer_trial(name)  # of its fields
        self.answer_trial(name)  # of what is to be made
        for system in ("hubspot", "userflow"):
            self.report(system, name)


def request(name: str = "acme", **changes: str) -> DesiredIntegration:
    return desired(file_asked(name, **changes), seal, 1)


def file_asked(name: str = "acme", **changes: str) -> IntegrationFile:
    file = load(text_asked(name, **changes), "acme.yaml", {})
    assert isinstance(file, IntegrationFile), file
    return file


def text_asked(name: str = "acme", **changes: str) -> str:
    return FILE.format_map({"name": name, **UNCHANGED, **changes})


def seal(text: str, _: str) -> bytes:
    """No two seals of one secret are alike."""
    return f"{text} {uuid.uuid4()}".encode()


def same_secret(one: bytes, other: bytes, _: str) -> bool:
    return one.split()[0] == other.split()[0]
