"""Pages from templates: everything is escaped, and nothing but these names is known to them."""

import hashlib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from pipeline.console import drawing, words
from pipeline.counting import counted
from pipeline.visible import isolated

LIVE: Final = "live_"
BASE: Final = "_base.html"
HEADED: Final = "_integration.html"
"""What pages, and those of one integration, begin with; states change there too."""
TYPES: Final[Mapping[str, str]] = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
FOREVER: Final = "public, max-age=31536000, immutable"


@cache
def _held() -> Mapping[str, bytes]:
    """The files of `static/`, read once: a stranger's name for one is never looked for on disk, nor remembered."""
    there = (files("pipeline.console") / "static").iterdir()
    return {path.name: path.read_bytes() for path in there if path.name.rpartition(".")[2] in TYPES}


def static(name: str) -> bytes | None:
    """A file of `static/`; None where there is none."""
    return _held().get(name)


@cache
def static_path(name: str) -> str:
    """Its address, which changes with what it holds, so that browsers may keep it for ever."""
    held = static(name)
    assert held is not None, name
    return f"/static/{hashlib.sha256(held).hexdigest()[:16]}/{name}"


@cache
def environment() -> Environment:
    made = Environment(
        loader=PackageLoader("pipeline.console"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(
        static_path=static_path,
        meter=drawing.meter,
        spark=drawing.spark,
        histogram=drawing.histogram,
        columns=drawing.columns,
        span=drawing.span,
        number=words.number,
        rate=words.rate,
        seconds=words.seconds,
        counted=counted,
    )
    made.filters["coded"] = coded
    made.filters["sent"] = escape
    """What a form sends back is as it came: escaped, and not made visible."""
    macros = made.get_template("_m.html").module
    made.globals.update({name: macro for name, macro in vars(macros).items() if not name.startswith("_")})
    return made


# Any: what templates print


def shown(value: Any) -> Any:
    """What a template prints: text of a file or a vendor turns nothing around it, and hides nothing in it.

    A time that is printed by itself is an element.
    """
    if isinstance(value, words.Moment):
        return value.element
    return isolated(value) if type(value) is str else value  # markup was made of text that was printed already


def coded(text: str) -> Markup:
    """A sentence in which what stands between backticks is a command, or a name that machines read."""
    parts = isolated(str(text)).split("`")
    if len(parts) % 2 == 0:  # one that is not closed is a mark like any other
        return escape("`".join(parts))
    marked = (Markup("<code>{}</code>").format(part) if at % 2 else escape(part) for at, part in enumerate(parts))
    return Markup().join(marked)


# Any: what templates take


def page(template: str, facts: Mapping[str, Any]) -> str:
    return environment().get_template(template).render(facts)


def regions(template: str, facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The parts of a page that change while one looks: the id of each, and its HTML."""
    for source in (template, BASE, *((HEADED,) if "head" in facts else ())):
        made = environment().get_template(source)
        context = made.new_context(dict(facts))
        for name, block in made.blocks.items():
            if name.startswith(LIVE):
                yield name, "".join(block(context))
