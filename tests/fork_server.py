"""Runs `python -m pipeline.cli` for the end-to-end tests, in forks of a process that has imported all of it once.

Imports are most of what a command or a role costs until it works: four tenths of a second of CPU, and the tests start
some five hundred. Each fork is a process of its own, with its pid, session, environment and output, that runs the same
module as `python -m` does; only the imports are there already. It has no thread, no loop and no client when it forks.

A request comes with three files: output, errors, and where the pid is told, and later how the process ended.
"""

import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import sys
from typing import Any, Final

MODULE: Final = "pipeline.cli"
PACKAGES: Final = ("schemas", "connectors", "pipeline")
HEADER: Final = 4
"""Bytes of a request's length, which come before it."""
FILES: Final = 3


def serve(requests: socket.socket) -> list[str] | None:
    """Fork for each request until there are no more; in each fork, the arguments of the command that it is to run."""
    woken, wakes = socket.socketpair()
    for end in (woken, wakes):
        end.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wakes.fileno())
    running: dict[int, socket.socket] = {}
    while True:
        ready, _, _ = select.select([requests, woken], [], [])
        if woken in ready:
            woken.recv(1024)
            _tell_ends(running)
        if requests in ready:
            header, files, _, _ = socket.recv_fds(requests, HEADER, FILES)
            if not header:
                return None
            request = json.loads(_exactly(requests, int.from_bytes(header, "big")))
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                for end in (requests, woken, wakes, *running.values()):
                    end.close()
                _become(request, files)
                return list(request["words"])
            told = socket.socket(fileno=files.pop())
            told.sendall(pid.to_bytes(HEADER, "big"))
            running[pid] = told
            for number in files:
                os.close(number)


def _exactly(requests: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        found += requests.recv(size - len(found))
    return found


def _tell_ends(running: dict[int, socket.socket]) -> None:
    """Several may end under one signal."""
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        with running.pop(pid) as told:
            try:
                told.sendall(os.waitstatus_to_exitcode(status).to_bytes(HEADER, "big", signed=True))
            except OSError:
                continue  # nobody asks how it ended


def _become(request: dict[str, Any], files: list[int]) -> None:
    """What a start by the operating system gives a process: session, input, output, environment, place, signals."""
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    output, errors, told = files
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (output, 1), (errors, 2)):
        os.dup2(source, target)
    for number in (nothing, output, errors, told):
        os.close(number)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    os.nice(request["nicer"])


def import_everything() -> None:
    """Every module of the product but the one that is run: it must be new to the process that runs it."""
    for package in PACKAGES:
        for found in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            if found.name != MODULE and not found.name.endswith("__main__"):
                importlib.import_module(found.name)
    gc.collect()
    gc.freeze()  # a fork that searches what was imported copies all its pages


if __name__ == "__main__":
    import_everything()
    words = serve(socket.socket(fileno=int(sys.argv[1])))
    if words is not None:
        sys.argv = [MODULE, *words]
        runpy.run_module(MODULE, run_name="__main__", alter_sys=True)
