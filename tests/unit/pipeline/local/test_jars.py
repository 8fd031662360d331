"""Finding Java and fetching with Maven, with shell scripts in the place of both."""

import threading
from pathlib import Path

import pytest

from pipeline.local import broker, registry
from pipeline.local.errors import FetchFailed, JavaMissing
from pipeline.local.jars import cache_name, cache_root, fetch, find_java, parse_java_version

# Finds -DoutputDirectory= among its arguments and puts one jar there; counts its runs.
MAVEN = """#!/bin/sh
echo run >> "$COUNT"
sleep 0.2
for argument; do case $argument in -DoutputDirectory=*) out=${argument#*=};; esac; done
mkdir -p "$out" && touch "$out/kafka.jar"
"""


def program(directory: Path, name: str, script: str) -> None:
    directory.mkdir(exist_ok=True)
    path = directory / name
    path.write_text(script)
    path.chmod(0o755)


def environment(tmp_path: Path) -> dict[str, str]:
    return {
        "PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "COUNT": str(tmp_path / "count"),
    }


@pytest.mark.parametrize(
    ("output", "major"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('openjdk version "21" 2023-09-19', 21),
        ('java version "1.8.0_392"', 8),
        ('openjdk version "25-ea" 2025-09-16', 25),
        ("command not found", None),
    ],
)
def test_java_versions(output: str, major: int | None) -> None:
    assert parse_java_version(output) == major


def test_without_java_the_message_names_both_ways_out(tmp_path: Path) -> None:
    with pytest.raises(JavaMissing) as raised:
        find_java({"PATH": str(tmp_path)})
    assert "install Java 17 or newer and Maven" in str(raised.value)
    assert "docker compose up" in str(raised.value)
    assert "KAFKA_BOOTSTRAP_SERVERS" in str(raised.value)


def test_an_old_java_is_refused_with_its_version(tmp_path: Path) -> None:
    program(tmp_path / "bin", "java", "#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    with pytest.raises(JavaMissing, match="version 11"):
        find_java(environment(tmp_path))


def test_java_home_goes_before_path(tmp_path: Path) -> None:
    program(tmp_path / "bin", "java", "#!/bin/sh\necho 'openjdk version \"21.0.1\"' >&2\n")
    assert find_java({"PATH": "/nowhere", "JAVA_HOME": str(tmp_path)}) == str(tmp_path / "bin" / "java")


def test_without_maven_only_what_is_cached_works(tmp_path: Path) -> None:
    env = {"PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    with pytest.raises(JavaMissing, match="no `mvn` on PATH"):
        fetch(broker.POM, "copy-dependencies", env)
    cached = cache_root(env) / cache_name(broker.POM.read_bytes())
    cached.mkdir(parents=True)
    assert fetch(broker.POM, "copy-dependencies", env) == cached


def test_callers_at_the_same_time_fetch_once(tmp_path: Path) -> None:
    program(tmp_path / "bin", "mvn", MAVEN)
    env = environment(tmp_path)
    found: list[Path] = []
    threads = [
        threading.Thread(target=lambda: found.append(fetch(broker.POM, "copy-dependencies", env))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [sorted(path.name for path in directory.iterdir()) for directory in found] == [["kafka.jar"]] * 4
    assert (tmp_path / "count").read_text().count("run") == 1


def test_a_failed_fetch_leaves_nothing_and_shows_why(tmp_path: Path) -> None:
    program(tmp_path / "bin", "mvn", "#!/bin/sh\necho '[ERROR] no such artifact'\nexit 1\n")
    env = environment(tmp_path)
    with pytest.raises(FetchFailed, match="no such artifact"):
        fetch(broker.POM, "copy-dependencies", env)
    assert not [path for path in cache_root(env).iterdir() if path.is_dir()]


@pytest.mark.parametrize(("pom", "name"), [(broker.POM, "kafka-4."), (registry.POM, "apicurio-registry-2.6.13.Final-")])
def test_the_cache_is_named_by_version_and_content(pom: Path, name: str) -> None:
    content = pom.read_bytes()
    assert cache_name(content).startswith(name)
    assert cache_name(content + b"\n") != cache_name(content)


def test_poms_name_no_registry_host() -> None:
    for pom in (broker.POM, registry.POM):
        assert "<repositor" not in pom.read_text()
