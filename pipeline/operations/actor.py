"""Who does something by a command: the user and the machine, as marks and the audit tell it."""

import getpass
import os
import socket


def who() -> str:
    """`ada@build-7`; a user without a name, as in a container, is told by its number."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # no such user in the machine's list: Python 3.11 raises KeyError, 3.13 OSError
        user = f"uid-{os.getuid()}"
    return f"{user}@{socket.gethostname()}"
