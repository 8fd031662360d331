"""What a refused apply means, in the same words wherever it is told: what is in force still, what to mend, and how."""

from collections.abc import Mapping

from pipeline.integration_file.export import PLACEHOLDERS
from pipeline.integration_file.loader import read_document
from pipeline.provisioning.remedies import problem
from pipeline.provisioning.state_machine import VENDOR_REFUSAL
from schemas.configuration import IntegrationPart, IntegrationSettings


def paused(name: str) -> str:
    """What a pause means for what is in force."""
    return f"{name} is paused: nothing is written before `pairstream integration resume {name}`"


def stays(name: str, settings: IntegrationSettings) -> str:
    """What is in force beside a request that is not; empty: nothing is."""
    if not settings.active_revision or settings.state == "disconnected":
        return ""
    if settings.state == "paused":
        return f"revision {settings.active_revision} stays in force; {paused(name)}"
    return f"revision {settings.active_revision} stays in force and goes on"


def refusal_of(name: str, settings: IntegrationSettings, parts: Mapping[str, IntegrationPart]) -> str:
    """Why the newest apply was refused; of refused credentials their key, its variable in an exported file, the fix."""
    reason, asked = settings.reason or "refused", parts.get(f"{name}/desired")
    refused = VENDOR_REFUSAL.fullmatch(reason)
    desired = asked.desired if asked is not None else None
    if refused is None or desired is None or desired.apply_id != settings.apply_id:
        return reason
    file = read_document(desired.document)
    one = problem(file.positions, "hubspot" if refused[1] == "hubspot" else "userflow", refused[2])
    variable = PLACEHOLDERS.get(one.path.rpartition(".")[2])
    stands = f" (`{variable}` in an exported file)" if variable else ""
    fix = one.fix.replace("`pairstream connect`", f"`pairstream connect {name}`")
    return f"{one.path}{stands}: {one.message}. Fix: {fix}. Then: `pairstream apply FILE`"
