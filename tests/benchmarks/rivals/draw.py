"""Draws charts as SVG, in the environment of the benchmarks' own packages. Arguments: a file with the charts, a folder.

The file holds `[{"name", "title", "x", "y", "series": {name: {x: y}}}]`; lines, both axes from zero or logarithmic.
"""

import json
import sys
from pathlib import Path

import pygal
from pygal.style import CleanStyle


def main() -> None:
    charts, folder = sys.argv[1:]
    for chart in json.loads(Path(charts).read_text()):
        drawn = pygal.XY(
            title=chart["title"],
            x_title=chart["x"],
            y_title=chart["y"],
            style=CleanStyle(),
            width=720,
            height=420,
            js=(),
            no_prefix=True,
            logarithmic=chart.get("logarithmic", False),
        )
        for name, points in chart["series"].items():
            drawn.add(name, [(float(x), y) for x, y in points.items()])
        (Path(folder) / f"{chart['name']}.svg").write_bytes(drawn.render())


if __name__ == "__main__":
    main()
