"""Every reason code in the code has a sentence, and every sentence a code that is used."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final, get_args

import pytest

from pipeline.core.conversion import MEANING, ConversionReason
from pipeline.provisioning.remedies import EITHER, REMEDIES
from schemas.reasons import KINDS, REASONS, ReasonKind

ROOT: Final = Path(__file__).parents[2]
DECLARED_IN: Final = ROOT / "schemas" / "reasons.py"
MODULES: Final = {
    path: ast.parse(path.read_text())
    for folder in ("schemas", "connectors", "pipeline")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if "simulat" not in path.relative_to(ROOT).as_posix() and path != DECLARED_IN
}
# what makes a reason, and which of its arguments it is
MAKERS: Final = {
    "Refused": 0,
    "Transient": 0,
    "UnknownResult": 0,
    "CredentialsRejected": 0,
    "Misconfigured": 0,
    "RefusedEvent": 1,
    "RefusedFields": 2,
    "letter_about": 2,
    "keep_withdrawn": 0,
    "_dead_letter": 1,
    "_incident": 0,
}
# functions whose result is a reason
GIVERS: Final = frozenset({"stable", "_forbidden", "_unwritable"})


def texts(node: ast.expr | None) -> Iterator[str]:
    """The texts that an expression may be, as far as it spells them out."""
    match node:
        case ast.Constant(value=str() as text):
            yield text
        case ast.IfExp(body=body, orelse=orelse):
            yield from texts(body)
            yield from texts(orelse)
        case ast.Dict(values=values):
            for value in values:
                yield from texts(value)


def constants(module: ast.Module) -> dict[str, ast.expr]:
    """The module's own constants by name."""
    found: dict[str, ast.expr] = {}
    for node in module.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            found[node.target.id] = node.value
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = node.value
    return found


def given(module: ast.Module) -> Iterator[str]:
    """Every reason code that a module spells out."""
    known = constants(module)
    yield from texts(known.get("_REASONS"))
    for node in ast.walk(module):
        match node:
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in MAKERS:
                for argument in node.args[MAKERS[name] : MAKERS[name] + 1]:
                    yield from texts(known.get(argument.id) if isinstance(argument, ast.Name) else argument)
            case ast.keyword(arg="reason", value=value):
                # an apply that was refused says why in a sentence instead
                told = texts(known.get(value.id) if isinstance(value, ast.Name) else value)
                yield from (text for text in told if " " not in text)
            case ast.Assign(targets=[ast.Name(id="reason")], value=value):
                yield from texts(value)
            case ast.FunctionDef(name=name) if name in GIVERS:
                for returned in ast.walk(node):
                    if isinstance(returned, ast.Return):
                        yield from texts(returned.value)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_code_has_a_sentence(path: Path) -> None:
    assert set(given(MODULES[path])) - REASONS.keys() == set()


def test_codes_are_found() -> None:
    found = {code for module in MODULES.values() for code in given(module)}
    assert {
        "not_unique",
        "unauthorized",
        "timed_out",
        "undecodable",
        "unknown_event_type",
        "too_large",
        "records_lost",
    } <= found
    assert list(given(ast.parse("raise Refused('made_up')"))) == ["made_up"]


def test_every_sentence_is_of_a_code_that_is_used() -> None:
    used = {node.value for module in MODULES.values() for node in ast.walk(module) if isinstance(node, ast.Constant)}
    assert REASONS.keys() - used == set()


def test_every_kind_and_conversion_has_a_sentence() -> None:
    assert set(get_args(ReasonKind)) == KINDS.keys()
    assert set(get_args(ConversionReason)) == MEANING.keys()


def test_remedies_are_for_reasons_that_exist() -> None:
    assert {reason for of_system in REMEDIES.values() for reason in of_system} | EITHER.keys() <= REASONS.keys()
