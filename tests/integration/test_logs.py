"""What a console reads as it comes is, at every step, what the commands read from the beginning."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest_asyncio

from connectors.kafka.admin import Admin
from connectors.kafka.producer import Publisher
from connectors.kafka.table import TableReader, until_read
from pipeline.commands.audit_actions import read
from pipeline.commands.audit_log import AuditLog
from pipeline.commands.explain_desk import ExplainDesk
from pipeline.commands.letter_desk import LetterDesk
from pipeline.commands.letter_log import LetterLog
from pipeline.config import load_settings
from pipeline.explain.answer import Named
from pipeline.process import Process
from schemas.configuration import IntegrationPart, IntegrationSettings, SystemSettings
from schemas.operating import AuditEntry
from schemas.topics import (
    AUDIT,
    DEAD_LETTERS,
    INTEGRATIONS,
    LETTER_MARKS,
    MAPPINGS,
    OBJECTS_STATE,
    PAIRS_STATE,
)
from tests.kafka import Kafka, fresh_prefix
from tests.unit.pipeline.core.given import BOTH_WAYS, CONTACT, EMAIL, USER, contact, mapping, receipt, user, written
from tests.unit.pipeline.middle import Middle

PARTITIONS = 2


class Running:
    """An installation whose roles are this test."""

    def __init__(self, process: Process, tables: TableReader, publisher: Publisher) -> None:
        self.tables = tables
        self.desk = LetterDesk(process, tables, lambda: "ada@build-7")
        self.log = LetterLog(process, tables, self.desk)
        self.audit_log, self.process = AuditLog(process), process
        self.objects = ExplainDesk(process, tables)
        self.publisher = publisher
        self.middle = Middle(mapping())

    async def feed(self, *records: Any) -> None:
        """Handle records as the worker does: its rows, and the letters."""
        left = self.middle.feed(*records)
        for letter in left.letters:
            await self.publisher.send(DEAD_LETTERS, letter.key, letter)
        for topic, rows in ((OBJECTS_STATE, self.middle.objects), (PAIRS_STATE, self.middle.pairs)):
            for key, row in rows.items():
                await self.publisher.send(topic, key, row)

    def read_audit(self) -> list[AuditEntry]:
        return read(self.process, None, None, 0)

    def words(self) -> list[str]:
        """How the letters stand, as both see it."""
        told = self.log.told()
        assert told == self.desk.told(self.desk.letters())
        return [one.now.word for one in told]


@pytest_asyncio.fixture
async def it(kafka: Kafka, tmp_path: Path) -> AsyncIterator[Running]:
    environment = {
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "PAIRSTREAM_PREFIX": fresh_prefix(),
        "PAIRSTREAM_STATE_DIR": str(tmp_path),
        "PAIRSTREAM_PARTITIONS": str(PARTITIONS),
    }
    process = Process.open(load_settings(environment), makes_key=False)
    Admin(process.cluster).apply_topics(PARTITIONS, 1)
    publisher = Publisher(process.cluster, process.codec)
    systems = (SystemSettings("1"), SystemSettings("production"))
    settings = IntegrationSettings(1, 1, 1, "active", "a1", "done", None, "", *systems)
    await publisher.send(MAPPINGS, "acme/people", mapping().record)
    await publisher.send(INTEGRATIONS, "acme/settings", IntegrationPart("acme", settings=settings))
    tables = process.tables(LETTER_MARKS)
    process.start(tables, records=False)
    try:
        yield Running(process, tables, publisher)
    finally:
        await publisher.close()
        tables.stop()


async def test_letters_read_as_they_come_are_those_read_anew(it: Running) -> None:
    assert it.words() == []
    await it.feed(contact(1_000, {"jobtitle": "Dr"}), user(1_000, {"title": None, "plan": "pro"}))
    await it.feed(receipt("userflow", USER, {"title": "Dr"}))
    assert it.words() == ["refused"]
    await it.feed(receipt("hubspot", CONTACT, {"tier": "pro"}))
    assert it.words() == ["refused", "refused"]
    await it.feed(user(3_000, {"plan": "free"}), written("hubspot", CONTACT, 4_000, {"tier": "free"}))
    assert it.words() == ["refused", "mended"]  # a row that changed, and no letter
    letters = [one.letter for one in it.log.told()]
    await it.desk.mark(it.publisher, letters[:1], "known")
    await until_read(LETTER_MARKS, lambda: it.tables.get(LETTER_MARKS, letters[0].id) is not None)
    assert it.words() == ["discarded", "mended"]
    await it.desk.give_back(it.publisher, letters[:1])
    await until_read(LETTER_MARKS, lambda: it.tables.get(LETTER_MARKS, letters[0].id).state == "open")
    assert it.words() == ["refused", "mended"]
    await it.desk.mark(it.publisher, letters[:1], "known after all")
    await until_read(LETTER_MARKS, lambda: it.tables.get(LETTER_MARKS, letters[0].id).state == "discarded")
    await it.publisher.send(DEAD_LETTERS, letters[1].letter.key, replace(letters[1].letter, redrives=1))
    assert it.words() == ["discarded", "mended"] and it.log.told()[1].letter.times == 2
    await it.publisher.send(MAPPINGS, "acme/people", mapping(BOTH_WAYS[0]).record)
    await until_read(MAPPINGS, lambda: len(it.tables.get(MAPPINGS, "acme/people").rules) == 1)
    assert it.words() == ["discarded", "gone"]  # no rule writes it any more


async def test_the_audit_read_as_it_comes_is_that_read_anew(it: Running) -> None:
    assert it.audit_log.entries() == it.read_audit() == []
    for number in range(3):
        await it.publisher.send(AUDIT, "acme", AuditEntry(number, "acme", "pause", "ada", "here", str(number)))
        assert it.audit_log.entries() == it.read_audit()
    assert len(it.audit_log.entries()) == 3


async def test_an_object_is_found_by_id_or_match_value_and_is_as_it_is_by_now(it: Running) -> None:
    named = Named("hubspot", "contacts", CONTACT)

    def word() -> str:
        about = ExplainDesk(it.process, it.tables).explained("acme", named)  # one of its own: none is kept from before
        assert about is not None
        return about.pairs[0].word if about.pairs else about.word

    assert word() == "never_seen"
    await it.feed(contact(1_000, {"jobtitle": "Dr"}))
    assert word() == "unmatched"
    await it.feed(user(2_000, {"plan": "pro"}))
    assert word() == "paired"
    assert it.objects.found("acme", f" {EMAIL.upper()} ") == [named, Named("userflow", "users", USER)]
    assert it.objects.found("acme", USER) == [Named("userflow", "users", USER)]
    assert it.objects.found("acme", "nobody") == it.objects.found("globex", USER) == []
    assert it.objects.explained("acme", Named("hubspot", "deals", "1")) is None
