"""The pictures of the page of results, and the environment of what only benchmarks need.

It is an environment of its own, since quixstreams wants an older confluent-kafka than Pairstream.
"""

import json
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from pipeline.local.jars import cache_root

RIVALS: Final = Path(__file__).with_name("rivals")
PICTURES: Final = Path(__file__).with_name("pictures")


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines over numbers; `name` is that of the picture's file."""

    name: str
    title: str
    x: str
    y: str
    series: Mapping[str, Mapping[int, float]]


def drawn(charts: Sequence[Chart]) -> list[str]:
    """Draw them beside the page; returns the lines of it that show them."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pairstream-bench-") as folder:
        data = Path(folder) / "charts.json"
        data.write_text(json.dumps([asdict(one) for one in charts]))
        subprocess.run([bench_python(), RIVALS / "draw.py", data, PICTURES], check=True)
    return ["", *(f"![{one.title}]({PICTURES.name}/{one.name}.svg)" for one in charts)]


def bench_python() -> Path:
    """The Python of an environment with exactly the packages of `rivals/requirements.lock`; made on first use."""
    lock = RIVALS / "requirements.lock"
    home = cache_root(os.environ) / f"benchmarks-{sys.version_info[0]}.{sys.version_info[1]}"
    python, installed = home / "bin" / "python", home / "installed.lock"
    if not installed.exists() or installed.read_text() != lock.read_text():
        venv.create(home, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "--require-hashes", "-r", lock], check=True)
        installed.write_text(lock.read_text())
    return python
