"""The same join three times on the same brokers' software: Pairstream, quixstreams, Kafka Streams; runs take turns.

Each program starts on a fresh broker that holds the load. Its rate is the changes by the time from the first record
that it wrote anywhere to the last one: so neither start nor idle commits count, whatever the program.
"""

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined] # confluent_kafka does not list what it exports
    AdminClient,
    OffsetSpec,
)

from connectors.kafka.admin import Admin
from connectors.kafka.cluster import Cluster
from connectors.kafka.groups import PASSING
from pipeline.local.broker import BrokerSettings, LocalBroker
from pipeline.local.jars import fetch, find_java
from pipeline.local.process import last_lines
from schemas.registry import packaged_history
from schemas.topics import HUBSPOT_CHANGES, USERFLOW_CHANGES, VITALS, WORKER_GROUP
from tests.benchmarks.load import publish
from tests.benchmarks.pictures import RIVALS, bench_python
from tests.benchmarks.processes import cpu_s, load
from tests.benchmarks.throughput import PARTITIONS, start_worker

CHANGES: Final = int(os.environ.get("BENCH_RIVAL_CHANGES", "50000"))
PAIRS: Final = int(os.environ.get("BENCH_RIVAL_PAIRS", "10000"))
PROCESSES: Final = 2
INPUTS: Final = frozenset({HUBSPOT_CHANGES, USERFLOW_CHANGES})
BEGUN: Final = 100  # records written: a program that only registers itself has not begun
LOOK_S: Final = 0.1
QUIET_S: Final = 8.0  # without a record written: the load is through
START_S: Final = 90.0
DEADLINE_S: Final = 240.0

Start = Callable[[str, Path], "list[subprocess.Popen[bytes]]"]


@dataclass(frozen=True, slots=True)
class Joined:
    """One run: processor seconds for 1,000 changes, of the program and of the broker."""

    changes_per_s: float
    cpu_per_1000: float
    broker_cpu_per_1000: float
    patches: int
    load: float


def turns(number: int, kept: Path) -> Mapping[str, Sequence[Joined]]:
    """Every program so often, in turns, so that none has the machine's quieter minutes to itself.

    `kept` holds the runs that were made; a measurement that was cut off goes on behind them.
    """
    rows = json.loads(kept.read_text()) if kept.exists() else []
    order = [name for _ in range(number) for name in PROGRAMS]
    for name in order[len(rows) :]:
        rows.append([name, asdict(run(name))])
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(rows))
    kept.unlink()
    return {name: [Joined(**made) for other, made in rows if other == name] for name in PROGRAMS}


def run(name: str) -> Joined:
    """One program on a broker of its own. Raises RuntimeError where it does not get through the load."""
    with (
        tempfile.TemporaryDirectory(prefix="pairstream-bench-") as folder,
        LocalBroker(BrokerSettings(Path(folder) / "broker")) as broker,
    ):
        servers = broker.bootstrap_servers
        Admin(Cluster({"bootstrap.servers": servers})).apply_topics(PARTITIONS, 1)
        publish(servers, CHANGES, PAIRS)
        processes = PROGRAMS[name](servers, Path(folder))
        try:
            joined = _watched(servers, [one.pid for one in processes], broker.pid)
            read = sum(Admin(Cluster({"bootstrap.servers": servers})).committed(GROUPS[name], INPUTS).values())
            if read < CHANGES:
                raise RuntimeError(f"it got through {read} changes of {CHANGES}")
            return joined
        except RuntimeError as error:
            told = "\n".join(last_lines(log) for log in Path(folder).glob("*.log"))
            raise RuntimeError(f"{name}: {error}\n{told}") from error
        finally:
            for one in processes:
                one.terminate()
            for one in processes:
                _ended(one)


def _ended(process: "subprocess.Popen[bytes]") -> None:
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@dataclass(frozen=True, slots=True)
class _Seen:
    at: float
    cpu_s: float
    broker_s: float
    written: int
    load: float


def _watched(servers: str, pids: Sequence[int], broker_pid: int) -> Joined:
    """From the first record written to the last."""
    ends = _ends(servers)
    before = sum(_outside(ends()).values())
    began, first, last = time.monotonic(), None, None
    while True:
        time.sleep(LOOK_S)
        now, found = time.monotonic(), ends()
        written = sum(_outside(found).values()) - before
        if written >= BEGUN and (last is None or written > last.written):
            last = _Seen(now, sum(map(cpu_s, pids)), cpu_s(broker_pid), written, load())
            first = first or last
        if last is None and now - began > START_S:
            raise RuntimeError(f"nothing was written within {START_S:.0f} s")
        if last is not None and now - last.at > QUIET_S and _patches(found):
            break
        if now - began > DEADLINE_S:
            raise RuntimeError(f"the load was not through after {DEADLINE_S:.0f} s")
    assert first is not None
    patches = _patches(found)
    return Joined(
        CHANGES / (last.at - first.at),
        (last.cpu_s - first.cpu_s) / CHANGES * 1000,
        (last.broker_s - first.broker_s) / CHANGES * 1000,
        patches,
        last.load,
    )


def _patches(ends: Mapping[str, int]) -> int:
    return sum(number for topic, number in ends.items() if topic.endswith(".field-patches"))


def _outside(ends: Mapping[str, int]) -> dict[str, int]:
    """What a program wrote: its input, figures of vital signs and Kafka's own topics aside."""
    return {topic: end for topic, end in ends.items() if topic not in INPUTS and topic != VITALS and topic[:2] != "__"}


def _ends(servers: str) -> Callable[[], dict[str, int]]:
    """Asks where each topic ends, records of open transactions among them.

    One request for all of them: asked one by one they were six hundred a second, charged to whoever is watched.
    """
    admin = AdminClient({"bootstrap.servers": servers})

    def ask() -> dict[str, int]:
        while True:
            try:
                return told()
            except KafkaException as error:
                if error.args[0].code() not in PASSING:
                    raise
            time.sleep(LOOK_S)  # a topic that is being made has no leader yet

    def told() -> dict[str, int]:
        topics = admin.list_topics(timeout=15).topics
        places = [TopicPartition(topic, number) for topic, known in topics.items() for number in known.partitions]
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        answers = admin.list_offsets(dict.fromkeys(places, latest), request_timeout=15)
        found: Counter[str] = Counter()
        for place, answer in answers.items():
            found[place.topic] += answer.result().offset
        return found

    return ask


def _pairstream(servers: str, folder: Path) -> "list[subprocess.Popen[bytes]]":
    return [start_worker(servers, folder, ordinal) for ordinal in range(PROCESSES)]


def _quix(servers: str, folder: Path) -> "list[subprocess.Popen[bytes]]":
    schemas, patch_id = _schemas(folder, java=False)
    argv = [str(bench_python()), str(RIVALS / "quix_join.py"), servers]
    return [
        _begun([*argv, str(folder / f"quix-{number}"), str(schemas), str(patch_id)], folder / f"quix-{number}.log")
        for number in range(PROCESSES)
    ]


def _streams(servers: str, folder: Path) -> "list[subprocess.Popen[bytes]]":
    jars, classes = fetch(RIVALS / "pom.xml", "copy-dependencies"), folder / "classes"
    java = find_java(os.environ)
    compiler = shutil.which("javac") or "javac"
    subprocess.run([compiler, "-d", str(classes), "-cp", f"{jars}/*", str(RIVALS / "Join.java")], check=True)
    schemas, patch_id = _schemas(folder, java=True)
    argv = [java, "-cp", f"{classes}:{jars}/*", "Join", servers, str(folder / "streams"), str(PROCESSES)]
    return [_begun([*argv, str(schemas), str(patch_id)], folder / "streams.log")]


PROGRAMS: Final[Mapping[str, Start]] = {
    "Pairstream, both agents, 2 workers": _pairstream,
    "quixstreams, a plain dict join, exactly once, 2 processes": _quix,
    "Kafka Streams, exactly once v2, 2 threads": _streams,
}


GROUPS: Final = dict(zip(PROGRAMS, (WORKER_GROUP, "rival-quix", "rival-streams"), strict=True))


def _begun(argv: Sequence[str], log: Path) -> "subprocess.Popen[bytes]":
    with log.open("wb") as out:
        return subprocess.Popen(argv, stdout=out, stderr=subprocess.STDOUT)


def _schemas(folder: Path, *, java: bool) -> tuple[Path, int]:
    """A folder with the schemas that the rivals read, and the id of the patches' own."""
    made = folder / "schemas"
    made.mkdir(exist_ok=True)
    newest: dict[str, tuple[int, Any]] = {}
    for schema_id, (record, _) in sorted(packaged_history().items()):
        newest[record] = (schema_id, _text_of(record))
    for record in ("ChangeEvent", "FieldPatch"):
        schema = newest[record][1]
        (made / f"{record}.avsc").write_text(json.dumps(_with_java_strings(schema) if java else schema))
    return made, newest["FieldPatch"][0]


def _text_of(record: str) -> Any:
    return json.loads((Path(__file__).parents[2] / "schemas" / "avro" / f"{record}.avsc").read_text())


def _with_java_strings(schema: Any) -> Any:
    """The schema with Java's own strings: the program compares and looks up by them."""
    if schema == "string":
        return {"type": "string", "avro.java.string": "String"}
    if isinstance(schema, list):
        return [_with_java_strings(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {"type", "items", "values"}
    made = {key: _with_java_strings(value) if key in inner else value for key, value in schema.items()}
    if "fields" in schema:
        made["fields"] = [{**one, "type": _with_java_strings(one["type"])} for one in schema["fields"]]
    if schema.get("type") == "map":
        made["avro.java.string"] = "String"
    return made
