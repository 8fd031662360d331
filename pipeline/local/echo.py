"""What a terminal shows of the roles behind it: what is wrong, and what became of a role. Logs hold the rest."""

import re
from typing import Final, TextIO

_QUIET: Final = re.compile(r'\S+Z (?:DEBUG|INFO) |\{"at": "[^"]*", "level": "(?:DEBUG|INFO)"')
_LINE: Final = re.compile(r'\S+Z [A-Z]+ |\{"at": ')


class Echo:
    """Writes one role's lines with its name in front; lines below WARNING, and what belongs to them, are left out."""

    def __init__(self, terminal: TextIO, name: str, width: int) -> None:
        self._terminal = terminal
        self._front = f"{name:<{width}} | "
        self._quiet = False

    def __call__(self, line: str) -> None:
        if _LINE.match(line):
            self._quiet = bool(_QUIET.match(line))
        elif not line.startswith(" "):
            self._quiet = False  # no log line, and no further line of one
        if not self._quiet:
            self._terminal.write(f"{self._front}{line}\n")
            self._terminal.flush()
