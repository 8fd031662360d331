"""A command that changes something: says what it would do, asks, and tells what it did as text or as one object."""

import sys
from typing import Any

import click

from pipeline.commands.options import Way
from pipeline.commands.output import say, say_object
from pipeline.commands.session import confirm
from pipeline.exit_codes import DONE
from pipeline.process import now_ms
from pipeline.visible import visible_lines

# Any: JSON
Json = Any


class Change:
    """One change: its object has the same keys however it ends."""

    def __init__(self, action: str, way: Way, **facts: Json) -> None:
        """`facts` are all that its object holds beside `at_ms`, `action`, `dry_run`, `done` and `told`."""
        self._action = action
        self._way = way
        self._facts = facts
        self._told: list[str] = []

    def agree(self, would: str, question: str, *, unasked: bool = True) -> None:
        """Say what would be done and ask; ends here where only that was wanted, or the answer is no.

        `unasked`: where nobody can answer it goes on.
        """
        if self._way.dry_run:
            self.say(would)
            self.end(done=False)
            sys.exit(DONE)
        click.echo(visible_lines(would), err=True)  # the output is what was done
        if not self._way.yes:
            confirm(question, unasked=unasked)

    def say(self, sentence: str) -> None:
        """A line of text, or of the object's `told`."""
        if self._way.shape == "json":
            self._told.append(sentence)
        else:
            say(sentence)

    def end(self, *, done: bool = True, **facts: Json) -> None:
        """Print the object, with these facts in place of those from the beginning."""
        assert facts.keys() <= self._facts.keys(), "an object's keys are the same however it ends"
        if self._way.shape == "json":
            head = {"at_ms": now_ms(), "action": self._action, "dry_run": self._way.dry_run, "done": done}
            say_object({**head, **self._facts, **facts, "told": self._told})
