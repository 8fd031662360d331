"""Pictures as inline SVG, made of numbers alone; each says in words what it shows. Pure."""

from collections.abc import Sequence

from markupsafe import Markup

Part = tuple[float, str]
"""Percent, and the class that colours it."""


def meter(parts: Sequence[Part], label: str, tall: bool = False) -> Markup:
    """A bar of parts, from the left."""
    at, drawn = 0.0, Markup()
    for share, kind in parts:
        width = min(max(share, 0.0), 100.0 - at)
        drawn += Markup('<rect class="{}" x="{:.2f}%" width="{:.2f}%" height="100%"/>').format(kind, at, width)
        at += width
    shape = "meter tall" if tall else "meter"
    return Markup('<svg class="{}" role="img" aria-label="{}">{}</svg>').format(shape, label, drawn)
