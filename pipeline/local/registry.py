"""A real schema registry for tests: Apicurio Registry in memory, with Confluent's API, as a child process.

Only tests use it. Without SCHEMA_REGISTRY_URL Pairstream needs no registry, and production brings its own.
"""

import os
from pathlib import Path
from types import TracebackType
from typing import Self

from pipeline.local.errors import StartFailed
from pipeline.local.jars import fetch, find_java
from pipeline.local.orphan_guard import OrphanGuard
from pipeline.local.ports import LOOPBACK, free_port
from pipeline.local.process import ChildProcess
from pipeline.local.readiness import answers, wait_until

POM = Path(__file__).with_name("registry.pom.xml")
START_DEADLINE_S = 120.0
STOP_DEADLINE_S = 5.0
_JVM = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


class LocalSchemaRegistry:
    """Runs while the context is open; forgets every schema afterwards. Its log goes to `directory`."""

    def __init__(self, directory: Path) -> None:
        self._log = directory / "registry.log"
        self._port = free_port()
        self._guard: OrphanGuard | None = None
        self._process: ChildProcess | None = None

    @property
    def url(self) -> str:
        """What SCHEMA_REGISTRY_URL is set to."""
        return f"http://{LOOPBACK}:{self._port}/apis/ccompat/v7"

    def start(self) -> None:
        """Start and wait until it answers; raises JavaMissing, FetchFailed or StartFailed."""
        java, program = find_java(os.environ), fetch(POM, "unpack-dependencies")
        (jar,) = program.glob("*-runner.jar")
        listen = (f"-Dquarkus.http.host={LOOPBACK}", f"-Dquarkus.http.port={self._port}")
        self._guard = OrphanGuard()
        self._process = ChildProcess([java, *_JVM, *listen, "-jar", str(jar)], log=self._log, guard=self._guard)
        failure = wait_until(lambda: answers(f"{self.url}/subjects"), self._process, START_DEADLINE_S)
        if failure:
            tail = self._process.last_lines()
            self.stop()
            raise StartFailed(f"The schema registry {failure}; the end of {self._log}:\n{tail}")

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop(STOP_DEADLINE_S)
            self._process = None
        if self._guard is not None:
            self._guard.close()
            self._guard = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
