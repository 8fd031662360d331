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


def spark(values: Sequence[int], label: str, kind: str = "", wide: int = 96) -> Markup:
    """A line of two figures or more, the newest last."""
    high, tall = max(*values, 1) * 1.08, 24
    points = [
        (at * (wide - 4) / (len(values) - 1) + 1, tall - 2 - value / high * (tall - 4))
        for at, value in enumerate(values)
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    x, y = points[-1]
    return Markup(
        '<svg class="spark {}" width="{}" height="{}" viewBox="0 0 {} {}" role="img" aria-label="{}">'
        '<polygon class="ar" points="1,{} {} {:.1f},{}"/><polyline class="ln" points="{}"/>'
        '<circle class="dt" cx="{:.1f}" cy="{:.1f}" r="2"/></svg>'
    ).format(kind, wide, tall, wide, tall, label, tall - 1, line, x, tall - 1, line, x, y)


def histogram(values: Sequence[int], label: str) -> Markup:
    """Bars of figures, the newest last."""
    high, width = max(*values, 1), 1000 / len(values)
    drawn = Markup()
    for at, value in enumerate(values):
        top = 80 - max(1.5, value / high * 76)
        drawn += Markup('<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
            at * width + 0.75, top, width - 1.5, 80 - top
        )
    shape = '<svg class="hist" viewBox="0 0 1000 80" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>'
    return Markup(shape).format(label, drawn)


def columns(values: Sequence[Sequence[tuple[int, str]]], label: str) -> Markup:
    """Bars of figures in parts, each with the class that colours it, the first part at the bottom; the newest last."""
    high, width = max((sum(part for part, _ in bar) for bar in values), default=0) or 1, 1000 / max(len(values), 1)
    drawn = Markup()
    for at, bar in enumerate(values):
        bottom = 80.0
        for part, kind in bar:
            tall = part / high * 78
            bottom -= tall
            drawn += Markup('<rect class="{}" x="{:.1f}" y="{:.2f}" width="{:.1f}" height="{:.2f}"/>').format(
                kind, at * width + 0.75, bottom, width - 1.5, tall
            )
    shape = '<svg class="hist" viewBox="0 0 1000 80" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>'
    return Markup(shape).format(label, drawn)


def span(begin: int, thin: int, thick: int, total: int) -> Markup:
    """A part of a time: from `begin` on thin, then thick, of `total`. The table that it stands in says the same."""
    k = 1000 / max(total, 1)
    return Markup(
        '<svg viewBox="0 0 1000 12" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="bg" width="1000" height="12"/><rect class="b2" x="{:.1f}" y="3" width="{:.1f}" height="6"/>'
        '<rect class="b1" x="{:.1f}" width="{:.1f}" height="12"/></svg>'
    ).format(
        *(min(begin * k, 998), max(thin * k, 2)),
        *(min((begin + thin) * k, 997), max(thick * k, 3) if thick or not thin else 0),
    )
