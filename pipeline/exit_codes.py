"""What the exit code of a command or role means."""

from typing import Final

DONE: Final = 0
REFUSED: Final = 1
CHANGES: Final = 2
MISTYPED: Final = 64
STOPPED_BY_ITSELF: Final = 70
INTERRUPTED: Final = 130
READER_GONE: Final = 141

EXIT_CODES: Final[tuple[tuple[int, str], ...]] = (
    (DONE, "done; of `plan`: nothing would change; of `doctor` and `topics check`: nothing is wrong"),
    (REFUSED, "refused, with the reason and the fix; of `doctor` and `topics check`: something is wrong"),
    (CHANGES, "`plan` only: applying the file, or the replay, would change something"),
    (MISTYPED, "a mistyped command, option or argument"),
    (STOPPED_BY_ITSELF, "a role stopped itself before it acknowledged anything: start it again"),
    (INTERRUPTED, "Ctrl-C"),
    (READER_GONE, "whoever read the output had seen enough, as `head` has: 128 and SIGPIPE, as of every Unix tool"),
)
