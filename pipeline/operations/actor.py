"""Who does something, and from where, as marks and the audit tell it."""

import getpass
import os
import socket


def user() -> str:
    """The user; one without a name, as in a container, is told by its number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no such user in the machine's list: Python 3.11 raises KeyError, 3.13 OSError
        return f"uid-{os.getuid()}"


def machine() -> str:
    """This machine, or container, by its name."""
    return socket.gethostname()


def who() -> str:
    """`ada@build-7`."""
    return f"{user()}@{machine()}"
