"""The allocator takes every setting, and a library without them is left as it is."""

import platform
import subprocess
import sys

import pytest

from pipeline import memory

BY_GLIBC = platform.libc_ver()[0] == "glibc"


@pytest.mark.skipif(not BY_GLIBC, reason="only glibc has these settings")
def test_glibc_takes_them() -> None:
    code = "from pipeline.memory import give_memory_back; print(give_memory_back())"  # not in this process: it lasts
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "True\n"


def test_another_library_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.memory.ctypes.CDLL", lambda _: object())
    assert not memory.give_memory_back()
