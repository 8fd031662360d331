"""How a run is shown while it goes on: a live display on a terminal, lines where there is none, objects for scripts."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from pipeline.commands.output import say, say_object
from pipeline.full_sync.report import report
from pipeline.full_sync.rows import Run
from pipeline.full_sync.text import ending, ending_lines, lines, plain
from pipeline.observability.printable import drawing
from pipeline.visible import visible_lines

PLAIN_EVERY_S: Final = 2.0
BAR_WIDTH: Final = 40


class Display(Protocol):
    """Shows runs."""

    def show(self, run: Run, now_ms: int) -> None:
        """The run has come further."""

    def ended(self, run: Run, now_ms: int) -> None:
        """The run has ended."""

    def goes_on(self, run: Run, run_id: str, now_ms: int) -> None:
        """The run has ended, and the one of that id, which does what it was asked for, is shown from now on."""


@contextmanager
def display(shape: str) -> Iterator[Display]:
    """The display that fits the output."""
    if shape == "json":
        yield Nothing()
    elif shape == "jsonl":
        yield Objects()
    elif not sys.stdout.isatty():
        yield Lines()
    else:
        with Live(console=Console(file=drawing(sys.stdout)), refresh_per_second=4, transient=True) as live:
            yield Terminal(live)


class Nothing:
    """No word while it goes on: the one object tells of the end."""

    def show(self, run: Run, now_ms: int) -> None:
        pass

    def ended(self, run: Run, now_ms: int) -> None:
        pass

    def goes_on(self, run: Run, run_id: str, now_ms: int) -> None:
        pass


class Objects:
    """One object a line, the last one of the run's end."""

    def show(self, run: Run, now_ms: int) -> None:
        if run.under_way:
            say_object(report(run, now_ms))

    def ended(self, run: Run, now_ms: int) -> None:
        say_object(report(run, now_ms))

    def goes_on(self, run: Run, run_id: str, now_ms: int) -> None:
        self.ended(run, now_ms)


class Lines:
    """Plain lines, a few seconds apart, none twice in a row."""

    def __init__(self) -> None:
        self._last = ""
        self._told_at = float("-inf")

    def show(self, run: Run, now_ms: int) -> None:
        line = plain(run, now_ms)
        if run.under_way and line != self._last and time.monotonic() - self._told_at >= PLAIN_EVERY_S:
            self._last, self._told_at = line, time.monotonic()
            say(line)

    def ended(self, run: Run, now_ms: int) -> None:
        say(*ending_lines(run, now_ms))

    def goes_on(self, run: Run, run_id: str, now_ms: int) -> None:
        self._last, self._told_at = "", float("-inf")
        say(f"{ending(run, now_ms)}; watching run {run_id}")


class Terminal:
    """A bar and what each phase has come to, drawn again and again."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def show(self, run: Run, now_ms: int) -> None:
        told = report(run, now_ms)
        facts = Table.grid(padding=(0, 2))
        for word, text in lines(run, now_ms):
            facts.add_row(Text(word, style="bold"), Text(visible_lines(text)))
        percent = told["percent"]
        bar = ProgressBar(total=100, completed=percent or 0, width=BAR_WIDTH, pulse=percent is None)
        rate = f"  {told['rate_per_s']}/s" if told["rate_per_s"] else ""
        left = f"  about {told['eta_s']} s" if told["eta_s"] else ""
        head = Text(f"{told['integration']}: full sync {told['run']}: {told['phase']}{rate}{left}")
        self._live.update(Group(head, bar, facts))

    def ended(self, run: Run, now_ms: int) -> None:
        mark = "✓" if run.row.state == "completed" else "✗"
        for line in ending_lines(run, now_ms):
            self._live.console.print(Text(f"{mark} {visible_lines(line)}"))
            mark = " "

    def goes_on(self, run: Run, run_id: str, now_ms: int) -> None:
        self._live.console.print(Text(f"- {visible_lines(ending(run, now_ms))}; watching run {run_id}"))
