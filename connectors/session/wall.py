"""The wall around each thing: an error that nobody foresaw costs the record or request that met it, and nothing else.

Three heights. Of a record or an object: `Unforeseen`, a `Refused`, so a dead letter like every refusal. Of an
integration, where no record is known: its worker ends and is opened again (`connectors/runtime/runner.py`). Of the
process: `ENDS_PROCESS` passes every wall, for without brokers or schemas no outcome can be told.
"""

from collections.abc import Awaitable
from typing import Final, TypeVar

from connectors.contract.errors import ConnectorError, Unforeseen
from connectors.contract.sink import OwnershipLost
from connectors.kafka.producer import PublishFailed
from schemas.registry import UnknownSchema

T = TypeVar("T")

ENDS_PROCESS: Final = (PublishFailed, UnknownSchema)
FORESEEN: Final = (ConnectorError, OwnershipLost, *ENDS_PROCESS)


async def contained(work: Awaitable[T]) -> T:
    """The work's result, or its error if that was foreseen. Raises Unforeseen in place of every other error."""
    try:
        return await work
    except FORESEEN:
        raise
    except Exception as error:
        raise Unforeseen(error) from error
