"""Work of the console in a process of its own: a pickled job goes in, a pickled answer comes out."""

import asyncio
import os
import pickle
import sys
from collections.abc import Callable
from typing import Any, Final

from pipeline.config import load_settings
from pipeline.process import Process

NICER: Final = 10
"""It gives way to what moves live traffic: it is one process among theirs."""


Opened = Callable[[], Process]
"""How the child opens its process, from the environment."""


async def answer_of(work: Callable[[Opened, Any], Any], job: object, failed: Callable[[], Exception]) -> Any:
    """What `work`, a module's function, makes of a job in a child, which ends with whoever waits for it.

    Raises what `failed` makes where the child ended without an answer.
    """
    argv, pipe = (sys.executable, "-m", __name__), asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(*argv, stdin=pipe, stdout=pipe)
    try:
        said, _ = await child.communicate(pickle.dumps((work, job)))
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode:
        raise failed()
    return pickle.loads(said)


def _opened() -> Process:
    return Process.open(load_settings(os.environ), makes_key=False)


if __name__ == "__main__":
    # the work comes by name: its module is imported, not run, so that its classes are those of the job
    os.nice(NICER)
    told, its_job = pickle.load(sys.stdin.buffer)
    sys.stdout.buffer.write(pickle.dumps(told(_opened, its_job)))
