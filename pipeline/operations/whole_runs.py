"""Which full syncs read everything: they alone heal what was missed."""

from pipeline.integration_file.loader import read_document
from schemas.configuration import IntegrationSettings
from schemas.runs import RunProgress


def whole(run: RunProgress, settings: IntegrationSettings) -> bool:
    """True where it completed with every mapping that is in force now; a row under way or ended names all that it took.

    Raises ValueError where the stored integration file cannot be read.
    """
    in_force = {mapping.name for mapping in read_document(settings.document).mappings}
    failed = run.full_sync.failed if run.full_sync is not None else {}
    return run.state == "completed" and not failed and in_force <= set(run.mappings)
