"""Pages written by hand agree with the code: commands, settings, paths, names, links and examples are looked up."""

import ast
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import click
import pytest
import yaml

from pipeline.cli import main
from pipeline.config import Settings, secret_variables
from pipeline.integration_file.loader import load
from pipeline.integration_file.model import IntegrationFile
from pipeline.integration_file.problems import render
from pipeline.secret_files import SUFFIX
from pipeline.setting_words import variable

ROOT: Final = Path(__file__).parents[2]
README: Final = ROOT / "README.md"
EXAMPLES: Final = sorted((ROOT / "pipeline/integration_file/examples").glob("*.yaml"))
DECISIONS: Final = sorted((ROOT / "pipeline/decisions").glob("*.md"))
DOCS: Final = ROOT / "docs"
PAGES: Final = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "[!.]*/README.md", "connectors/*/README.md", "pipeline/*/*.md")
    for path in ROOT.glob(pattern)
)
README_BYTES: Final = 6_000
# One word per thing in the whole house; the glossary says what each stands for.
HOUSE_WORDS: Final = (
    *("system", "object", "object type", "object key", "field", "connector", "source", "sink", "receiver", "simulator"),
    *("integration", "mapping", "field rule", "match field", "match value", "snapshot", "change", "pair", "patch"),
    *("timeline event", "receipt", "dead letter", "derive", "convert", "translate", "outcome", "reason", "echo"),
    *("ambiguous", "stale", "replay", "redrive", "rederive", "full sync", "run", "crawl", "lookup"),
)
SYSTEMS: Final = ("hubspot", "userflow")
PLACE: Final = re.compile(
    r"`((?:connectors|pipeline|schemas|tests|\.ci)/[^`\s]*|[\w<>./-]+/[\w<>.-]+\.(?:py|md|yaml|avsc))`"
)
LINK: Final = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE: Final = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
COMMAND: Final = re.compile(r"^(?:\$ )?(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?(pairstream .*)$")
INLINE_COMMAND: Final = re.compile(r"`(pairstream [^`]+)`")
MAKE: Final = re.compile(r"(?:^|`)make ([a-z]+)\b", re.MULTILINE)
VARIABLE: Final = re.compile(
    r"\b(?:(?:PAIRSTREAM|KAFKA|SCHEMA_REGISTRY)_[A-Z0-9_]*[A-Z0-9]|(?:HUBSPOT|USERFLOW)_API_(?:URL|VERSION))\b"
)
NAME_IN_FILE: Final = re.compile(r"`(\w+)` in `([\w/]+\.py)`")
ROW: Final = re.compile(r"^\| (?!-)(.*) \|$", re.MULTILINE)

# A path or package index of one machine; neither exists on others. Home directories of `ada` are examples.
FOREIGN: Final = re.compile(
    r"(?<![\w.~$}/-])/(?:home|Users|root|work|mnt)/(?!ada\b)[\w.-]+"
    r"|(?:extra-)?index-url[ =]+https?:|registry-url[ =]+https?:"
    r"|\b[\w.-]*(?:artifactory|nexus|verdaccio|devpi|artifact-registry|packages)[\w-]*\.[\w.-]+\.(?:com|net|org|io|dev|cloud)\b"
    r"|https?://[\w.-]+\.(?:corp|intranet|lan)\b"
)


def rows(page: Path, title: str) -> list[list[str]]:
    """The cells of every row below a heading, the heads of its table left out."""
    text = page.read_text()
    assert f"\n## {title}\n" in text, f"{page.name} has no section {title}"
    below = text.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]
    return [[cell.strip() for cell in row.split(" | ")] for row in ROW.findall(below)[1:]]


def fences(page: Path, *languages: str) -> list[str]:
    return [body for language, body in FENCE.findall(page.read_text()) if language in languages]


def commands(page: Path) -> Iterator[str]:
    """Every `pairstream ...` line in a page's shell and console blocks."""
    for block in fences(page, "sh", "console"):
        for line in block.splitlines():
            if found := COMMAND.match(line.strip()):
                yield found[1]


SHOWN_COMMANDS: Final = [(page, command) for page in PAGES for command in commands(page)]


@dataclass(frozen=True)
class Found:
    """The command that a line names, the words that name it, and its arguments."""

    command: click.Command
    words: tuple[str, ...]
    rest: tuple[str, ...]


def look_up(line: str) -> Found:
    """The command that a line names. Raises UsageError at the first word that is not a command."""
    command: click.Command = main
    words = shlex.split(line, comments=True)[1:]
    taken: list[str] = []
    while isinstance(command, click.Group):
        name = words[len(taken)] if len(taken) < len(words) else ""
        found = command.get_command(click.Context(command), name)
        if found is None:
            raise click.UsageError(f"no command `{' '.join((*taken, name))}`")
        command = found
        taken.append(name)
    return Found(command, tuple(taken), tuple(words[len(taken) :]))


def check(line: str) -> None:
    """Raises UsageError for a command, option or argument that does not exist; files need not be there."""
    found = look_up(line)
    parameters = [copy(parameter) for parameter in found.command.params]
    for parameter in parameters:
        if isinstance(parameter.type, click.Path):
            parameter.type = click.STRING
    click.Command(found.words[-1], params=parameters).make_context(found.words[-1], list(found.rest))
    # options named only in the comment after the command
    known = {option for parameter in parameters for option in parameter.opts}
    for option in re.findall(r"(?<=[ (])--[a-z][a-z-]*", line):
        if option not in known:
            raise click.NoSuchOption(option)


@pytest.mark.parametrize(("page", "command"), SHOWN_COMMANDS, ids=[command for _, command in SHOWN_COMMANDS])
def test_shown_commands_exist(page: Path, command: str) -> None:
    try:
        check(command)
    except click.ClickException as error:
        pytest.fail(f"{page.relative_to(ROOT)}: {command}: {error.format_message()}")


@pytest.mark.parametrize(
    "line",
    [
        "pairstream later",
        "pairstream up --sim",
        "pairstream doctor # or --yes",
        "pairstream apply",
        "pairstream run connector x",
    ],
)
def test_the_check_refuses_what_does_not_exist(line: str) -> None:
    with pytest.raises(click.ClickException):
        check(line)


def test_the_readme_is_one_page() -> None:
    assert len(README.read_bytes()) <= README_BYTES


def test_what_is_not_built_does_not_exist() -> None:
    for line in INLINE_COMMAND.findall((DOCS / "not-built-yet.md").read_text().split("Until then")[1]):
        with pytest.raises(click.ClickException):
            check(line)


def test_shown_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"demo", "test"} <= set(MAKE.findall(README.read_text()))
    shown_targets = {target for page in PAGES for target in MAKE.findall(page.read_text())}
    assert {"check", "docs", "bench", "lock"} <= shown_targets <= targets


# the changelog names settings that are gone
@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=lambda page: str(page.relative_to(ROOT))
)
def test_named_settings_exist(page: Path) -> None:
    files = {f"{name}{SUFFIX}" for name in secret_variables()}
    assert set(VARIABLE.findall(page.read_text())) <= {variable(name) for name in Settings.model_fields} | files


def test_every_setting_has_an_effect() -> None:
    code = "\n".join(
        path.read_text() for folder in ("pipeline", "connectors") for path in (ROOT / folder).rglob("*.py")
    )
    # the brokers' security settings are read by prefix
    names = [name for name in Settings.model_fields if not name.startswith("kafka_s")]
    unused = {variable(name) for name in names if not re.search(rf"\b(?:settings|self)\.{name}\b", code)}
    assert unused == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_named_paths_exist(page: Path) -> None:
    missing = [
        place
        for name in PLACE.findall(page.read_text())
        for system in (SYSTEMS if "<system>" in name else ("",))
        if "<" not in (place := name.replace("<system>", system))
        and not any(list(base.glob(place)) for base in (ROOT, page.parent))
    ]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_named_modules_exist(page: Path) -> None:
    there = {path.name for path in tracked()}
    assert set(re.findall(r"`(\w+\.py)`", page.read_text())) <= there


def test_the_map_names_paths() -> None:
    found = rows(DOCS / "where.md", "Changes and questions")
    assert len(found) > 20
    assert [row for row in found if not PLACE.search(" ".join(row)) and not LINK.search(" ".join(row))] == []


def test_twelve_questions_are_answered_by_what_stands_in_the_files() -> None:
    found = rows(DOCS / "where.md", "Twelve questions of a newcomer")
    assert len(found) == 12
    assert [question for question, answer in found if not PLACE.search(answer)] == []
    named = [match for _, answer in found for match in NAME_IN_FILE.findall(answer)]
    assert len(named) >= 6
    for name, file in named:
        assert re.search(rf"^(?:class |def )?{name}\b", (ROOT / file).read_text(), re.MULTILINE), f"{name} in {file}"


def code_names() -> set[str]:
    """Every class, function and constant that the code declares at the top of a module or class."""
    names: set[str] = set()
    for path in (path for folder in ("schemas", "connectors", "pipeline") for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                    names.add(name)
                case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
                    names.add(name)
    return names


def test_the_glossary_names_what_there_is() -> None:
    glossary = DOCS / "glossary.md"
    named = {name for name in re.findall(r"`(\w+)`", glossary.read_text()) if not name.islower() or "_" in name}
    assert len(named) > 50
    assert named - code_names() == set()


def test_the_glossary_has_every_word() -> None:
    words = " ".join(
        cell for line in ROW.findall((DOCS / "glossary.md").read_text()) for cell in [line.split(" | ")[0]]
    )
    assert [word for word in HOUSE_WORDS if not re.search(rf"\b{word}\b", words)] == []


def anchors(page: Path) -> set[str]:
    """The anchors that a page's headings make."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_resolve(page: Path) -> None:
    for link in LINK.findall(FENCE.sub("", page.read_text())):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_decision_is_numbered_and_titled() -> None:
    numbers = [path.name[:4] for path in DECISIONS]
    # given out before they are written, so that one may lack for a while
    assert len(set(numbers)) == len(numbers)
    assert all(number.isdecimal() for number in numbers)
    assert all(path.read_text().startswith(f"# {path.name[:4]}: ") for path in DECISIONS)


def problems(text: str) -> str:
    environment = dict.fromkeys(re.findall(r"\$\{(\w+)\}", text), "secret")
    found = load(text, "example.yaml", environment)
    return "" if isinstance(found, IntegrationFile) else render(found)


INTEGRATIONS_SHOWN: Final = [text for page in PAGES for text in fences(page, "yaml") if "integration:" in text]


@pytest.mark.parametrize("text", INTEGRATIONS_SHOWN)
def test_integration_files_in_the_pages_load(text: str) -> None:
    assert problems(text) == ""


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_examples_load(path: Path) -> None:
    assert problems(path.read_text()) == ""


def test_there_are_examples_to_load() -> None:
    assert EXAMPLES and INTEGRATIONS_SHOWN


def test_compose_runs_only_commands_that_exist() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    ours = {
        name: service for name, service in services.items() if str(service.get("command", "")).startswith("pairstream")
    }
    assert ours
    for service in ours.values():
        check(service["command"])


def test_compose_sets_settings_that_exist() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    known = {variable(name) for name in Settings.model_fields}
    for service in services.values():
        if str(service.get("command", "")).startswith("pairstream"):
            assert set(service["environment"]) <= known


@cache
def tracked() -> tuple[Path, ...]:
    """Every file that git tracks, except this one, which spells what it looks for."""
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, env={**os.environ, "LC_ALL": "C"}
    )
    if listing.returncode != 0:
        pytest.skip("not a git checkout")
    names = filter(None, listing.stdout.decode().split("\0"))
    return tuple(path for name in names if (path := ROOT / name).is_file() and path != Path(__file__))


def test_nothing_tells_of_one_machine() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in tracked()
        if path.suffix != ".bin"
        for match in FOREIGN.finditer(path.read_text(errors="replace"))
    ]
    assert not found


def test_what_tells_of_one_machine_is_recognised() -> None:
    home, index = (
        "/".join(("", "home", "annie", "pairstream")),
        "pip install --index-url https" + "://packages.example.com",
    )
    assert FOREIGN.search(f"see {home}") and FOREIGN.search(index)
    assert not FOREIGN.search("https://api.hubapi.com/crm, ~/.local/state, /var/lib/kafka/data, /opt/kafka")
