"""Fetches Java programs with Maven into a cache, once per version, and finds the Java to run them."""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from pipeline.local.errors import FetchFailed, JavaMissing

MIN_JAVA = 17
_FETCH_DEADLINE_S = 600
_POM = "{http://maven.apache.org/POM/4.0.0}"

Goal = Literal["copy-dependencies", "unpack-dependencies"]


def cache_root(env: Mapping[str, str]) -> Path:
    """`$XDG_CACHE_HOME/pairstream`, or `~/.cache/pairstream`."""
    base = env.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "pairstream"


def cache_name(pom: bytes) -> str:
    """`<artifact>-<version>-<digest>`: a changed pom gets a directory of its own, running programs keep theirs."""
    root = ElementTree.fromstring(pom)
    artifact, version = root.findtext(f"{_POM}artifactId"), root.findtext(f"{_POM}version")
    return f"{artifact}-{version}-{hashlib.sha256(pom).hexdigest()[:8]}"


def parse_java_version(output: str) -> int | None:
    """The major version out of `java -version`, None if it is not there. "1.8.0_392" is 8."""
    found = re.search(r'version "(?:1\.)?(\d+)', output)
    return int(found.group(1)) if found else None


def find_java(env: Mapping[str, str]) -> str:
    """The java program of JAVA_HOME or of PATH; raises JavaMissing if there is none of version 17 or newer."""
    home = env.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java", path=env.get("PATH"))
    if java is None:
        raise JavaMissing("no `java` on PATH")
    try:
        answer = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise JavaMissing(f"{java} does not run ({error})") from error
    version = parse_java_version(answer.stderr + answer.stdout)
    if version is None or version < MIN_JAVA:
        raise JavaMissing(f"{java} is version {version or 'unknown'}")
    return java


def fetch(pom: Path, goal: Goal, env: Mapping[str, str] = os.environ) -> Path:
    """The cache directory holding what `pom` names, fetched now if it is not there.

    Safe against concurrent callers (file lock) and interruption (written aside, then renamed).
    Raises JavaMissing without Maven, FetchFailed if Maven fails.
    """
    content = pom.read_bytes()
    target = cache_root(env) / cache_name(content)
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with _locked(target.with_suffix(target.suffix + ".lock")):
        if not target.exists():
            _fetch_into(target, content, goal, env)
    return target


def _fetch_into(target: Path, pom: bytes, goal: Goal, env: Mapping[str, str]) -> None:
    maven = shutil.which("mvn", path=env.get("PATH"))
    if maven is None:
        raise JavaMissing("no `mvn` on PATH, and the jars are not in the cache yet")
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as aside:
        work = Path(aside)
        (work / "pom.xml").write_bytes(pom)
        _run_maven(maven, work, goal, env)
        (work / "jars").rename(target)


def _run_maven(maven: str, work: Path, goal: Goal, env: Mapping[str, str]) -> None:
    argv = [maven, "-q", "-B", "-f", str(work / "pom.xml"), f"dependency:{goal}"]
    argv += ["-DincludeScope=runtime", f"-DoutputDirectory={work / 'jars'}"]
    try:
        result = subprocess.run(argv, env=dict(env), capture_output=True, text=True, timeout=_FETCH_DEADLINE_S)
    except subprocess.TimeoutExpired as error:
        raise FetchFailed(f"Maven did not finish within {_FETCH_DEADLINE_S} s") from error
    if result.returncode != 0:
        lines = (result.stdout + result.stderr).strip().splitlines()[-15:]
        raise FetchFailed("Maven could not fetch the jars:\n" + "\n".join(lines))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
