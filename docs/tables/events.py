"""The log events: every sentence that the code logs, by the stable name that JSON lines give it."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from docs.tables.markdown import code, table
from pipeline.observability.events import event_name

ROOT: Final = Path(__file__).parents[2]
LEVELS: Final = ("debug", "info", "warning", "error", "critical", "exception")
LOGGERS: Final = ("log", "_log", "LOGGER", "logger", "logging")


def page() -> str:
    """Name, level and sentence of every event."""
    rows = sorted({(code(name), level, code(sentence)) for name, level, sentence in events()})
    return table(("Event", "Level", "Sentence"), rows)


def events() -> Iterator[tuple[str, str, str]]:
    """Name, level and sentence of each call that logs."""
    for module, call in calls():
        sentence = call.args[0]
        assert isinstance(call.func, ast.Attribute)
        if not isinstance(sentence, ast.Constant) or not isinstance(sentence.value, str):
            raise ValueError(f"{module}:{call.lineno} logs what is no sentence: pass it as an argument of `%s`")
        yield event_name(module, sentence.value), call.func.attr, sentence.value


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Each call that logs, with its module."""
    for folder in ("connectors", "pipeline", "schemas"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _logs(node.func):
                    yield module, node


def _logs(method: ast.Attribute) -> bool:
    return method.attr in LEVELS and isinstance(method.value, ast.Name) and method.value.id in LOGGERS
