"""Encoded rows in RocksDB, for state that memory does not hold; made anew from the state topic when in doubt."""

import json
import logging
import shutil
import time
import typing
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from rocksdict import BlockBasedOptions, Cache, Options, Rdict, WriteBatch

from pipeline.agents.state import StoreFailed

log = logging.getLogger(__name__)

BELIEVED_S: Final = 3_600.0  # far less than compaction keeps a deletion: none that another owner wrote is missed
CACHE_BYTES: Final = 32 * 1024 * 1024  # of blocks, for all partitions of a process
BUFFER_BYTES: Final = 4 * 1024 * 1024  # of what is not on disk yet, for each partition, twice
OPEN_FILES: Final = 64
BLOOM_BITS: Final = 10
ABOUT: Final = b"about"
ROW: Final = b"row:"


class DiskRows:
    """One partition's rows below one folder; `identity` names the topic on its brokers, whatever its name.

    Rows and the offset up to which they reach are written as one batch. Nothing waits for the disk: after a power
    failure the store is as it was a moment before, and the topic is read from there.
    """

    def __init__(
        self, folder: Path, identity: str, cache: Cache | None = None, now_s: Callable[[], float] = time.time
    ) -> None:
        self._folder = folder
        self._doubt = folder.with_name(f"{folder.name}.doubt")
        self._identity = identity
        self._cache = cache
        self._now_s = now_s
        self.next_offset = 0
        self._rows = self._sound() if folder.exists() else None
        if self._rows is None:
            self._rows = self._made_anew()

    def get(self, key: str) -> bytes | None:
        """Raises StoreFailed."""
        found: bytes | None = self._guarded(lambda rows: rows.get(ROW + key.encode()))
        return found

    def keys(self) -> Iterable[str]:
        """Raises StoreFailed."""
        found: list[str] = self._guarded(_keys)
        return found

    def put(self, rows: Mapping[str, bytes | None], next_offset: int) -> None:
        """Raises StoreFailed."""
        batch = WriteBatch(raw_mode=True)
        for key, value in rows.items():
            if value is None:
                batch.delete(ROW + key.encode())
            else:
                batch.put(ROW + key.encode(), value)
        batch.put(ABOUT, json.dumps([self._identity, next_offset, self._now_s()]).encode())
        self._guarded(lambda held: held.write(batch))
        self.next_offset = next_offset

    def close(self) -> None:
        if self._rows is not None:
            self._rows.close()
            self._rows = None

    def _guarded(self, use: Callable[[Rdict], Any]) -> Any:
        if self._rows is None:
            raise StoreFailed(f"{self._folder.name}: the store is closed")
        try:
            return use(self._rows)
        except Exception as error:  # the binding raises Exception itself for whatever RocksDB says
            self._doubt.touch()
            raise StoreFailed(
                f"{self._folder.name}: {type(error).__name__}; it is made anew by the next start"
            ) from error

    def _sound(self) -> Rdict | None:
        """The store as it was left, unless there is a doubt about it."""
        rows, why = self._opened()
        if rows is not None and why is None:
            return rows
        if rows is not None:
            rows.close()
        log.info("%s: the rows on disk are read from the topic again: %s", self._folder.name, why)
        return None

    def _opened(self) -> tuple[Rdict | None, str | None]:
        """The store, where it opens, and the reason to doubt it."""
        if self._doubt.exists():
            return None, "a read or a write failed"
        try:
            rows = Rdict(str(self._folder), self._options())
        except Exception as error:  # noqa: BLE001 - the binding raises Exception itself for whatever RocksDB says
            return None, f"it does not open ({type(error).__name__})"
        return rows, self._reason_to_doubt(rows)

    def _reason_to_doubt(self, rows: Rdict) -> str | None:
        try:
            identity, next_offset, at_s = json.loads(rows.get(ABOUT) or b"null")
        except Exception:  # noqa: BLE001 - whatever is wrong with it, it is not as `put` left it
            return "it does not say what it holds"
        if identity != self._identity:
            return "the topic is another one"
        if not 0 <= self._now_s() - at_s <= BELIEVED_S:
            return f"it was not written for {BELIEVED_S:.0f} s, or the clock was set back"
        self.next_offset = int(next_offset)
        return None

    def _made_anew(self) -> Rdict:
        """An empty store. Raises StoreFailed."""
        try:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder.mkdir(parents=True)
            self._doubt.unlink(missing_ok=True)
            return Rdict(str(self._folder), self._options())
        except Exception as error:  # the binding raises Exception itself for whatever RocksDB says
            raise StoreFailed(f"{self._folder}: no store can be made there: {type(error).__name__}") from error

    def _options(self) -> Options:
        options, table = Options(raw_mode=True), BlockBasedOptions()
        table.set_bloom_filter(BLOOM_BITS, False)
        table.set_cache_index_and_filter_blocks(True)
        if self._cache is not None:
            table.set_block_cache(self._cache)
        options.set_block_based_table_factory(table)
        options.create_if_missing(True)
        options.set_write_buffer_size(BUFFER_BYTES)
        options.set_max_write_buffer_number(2)
        options.set_max_open_files(OPEN_FILES)
        options.set_keep_log_file_num(1)
        return options


def _keys(rows: Rdict) -> list[str]:
    found = (typing.cast(bytes, key) for key in rows.keys(from_key=ROW))
    return [key[len(ROW) :].decode() for key in found if key.startswith(ROW)]


def shared_cache() -> Cache:
    """One cache of blocks for all partitions of a process."""
    return Cache(CACHE_BYTES)
