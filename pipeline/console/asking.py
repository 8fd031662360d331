"""Who asks for what is being done: each answer is given in a context of its own, so that two never mix."""

from contextvars import ContextVar
from typing import Final

ASKED_BY: Final = ContextVar("asked_by", default="console")
"""The name of whoever is signed in, for the audit."""
