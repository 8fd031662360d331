"""The integration files that pages look into, each read once: those in force, and those of former revisions."""

from functools import lru_cache
from typing import Final

from pipeline.integration_file.loader import read_document
from pipeline.integration_file.model import IntegrationFile
from pipeline.operations import OperationRefused

FILES_KEPT: Final = 48


class NotReadable(OperationRefused):
    """A file was stored by a build that wrote it otherwise; the message says what to do."""


def file_of(document: str) -> IntegrationFile:
    """The file that a stored text is; a large one takes a while. Raises NotReadable."""
    found = _read(document)
    if isinstance(found, str):
        raise NotReadable(found)
    return found


@lru_cache(FILES_KEPT)
def _read(document: str) -> IntegrationFile | str:
    """Or why it is none that this build reads: that is kept too."""
    try:
        return read_document(document)
    except ValueError as error:
        return str(error)
