"""Where a request differs from what is in force, one line for each difference and never a secret."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

from pipeline.integration_file.model import IntegrationFile, MappingSpec, Rule
from pipeline.provisioning.claims import same_accounts
from pipeline.provisioning.resolve import unchanged
from pipeline.secrets import NoKeyFits
from schemas.configuration import DesiredIntegration, IntegrationSettings, SystemSettings, secret_place
from schemas.records import FieldRule, ObjectMapping
from schemas.values import System

Kind = Literal["added", "changed", "removed", "unchanged"]
Opener = Callable[[bytes, str], str]
"""A seal and its place -> the text."""

_NO_SETTING: Final = frozenset({"claim"})  # a hash of the key; `check_claims` reports a changed claim
_NO_WORD: Final = "-"


@dataclass(frozen=True, slots=True)
class MappingChange:
    """One mapping, and what about it changes."""

    name: str
    kind: Kind
    details: tuple[str, ...] = ()


def setting_changes(
    integration: str, request: DesiredIntegration, settings: IntegrationSettings | None, open_seal: Opener
) -> Iterator[str]:
    """Accounts, plain settings and which secrets; `settings` None: nothing is in force."""
    if settings is None:
        account, environment = request.hubspot.account, request.userflow.account
        yield f"new: HubSpot account {account} with Userflow environment {environment}"
        return
    if not same_accounts(request, settings):
        yield "another account or environment: this disconnects the former, and every pair starts anew"
    if settings.state != request.state:
        yield f"state: {settings.state} -> {request.state}"
    sides: tuple[tuple[System, SystemSettings, SystemSettings], ...] = (
        ("hubspot", settings.hubspot, request.hubspot),
        ("userflow", settings.userflow, request.userflow),
    )
    for system, before, after in sides:
        former = {"account": before.account, **before.options}
        wanted = {"account": after.account, **after.options}
        yield from (f"{system}.{line}" for line in _changed(former, wanted, _NO_SETTING))
        opened = partial(_opened, partial(secret_place, integration, system), open_seal)
        yield from (f"{system}.{name}: {what}" for name, what in _secrets(before, after, opened))


def _changed(
    before: Mapping[str, str], after: Mapping[str, str], without: frozenset[str] = frozenset()
) -> Iterator[str]:
    for name in dict.fromkeys((*before, *after)):
        old, new = before.get(name, _NO_WORD), after.get(name, _NO_WORD)
        if old != new and name not in without:
            yield f"{name}: {old} -> {new}"


def _opened(place: Callable[[str], str], open_seal: Opener, name: str, sealed: bytes) -> str:
    return open_seal(sealed, place(name))


def _secrets(
    before: SystemSettings, after: SystemSettings, opened: Callable[[str, bytes], str]
) -> Iterator[tuple[str, str]]:
    for name in dict.fromkeys((*before.secrets, *after.secrets)):
        old, new = before.secrets.get(name), after.secrets.get(name)
        if old is None or new is None:
            yield name, "added" if old is None else "removed"
            continue
        try:
            if opened(name, old) != opened(name, new):
                yield name, "another value"
        except NoKeyFits:
            yield name, "PAIRSTREAM_SECRET_KEY does not open the one in force"


def file_changes(file: IntegrationFile, before: IntegrationFile | None) -> Iterator[MappingChange]:
    """Mapping by mapping as the two files have it, where the fields' types are not known."""
    wanted = {mapping.name: mapping for mapping in file.mappings}
    present = {mapping.name: mapping for mapping in before.mappings} if before is not None else {}
    for name in dict.fromkeys((*wanted, *present)):
        old, new = present.get(name), wanted.get(name)
        yield _change(name, _spec_lines(old), _spec_lines(new), same=old == new)


def record_changes(
    wanted: Mapping[str, ObjectMapping], present: Mapping[str, ObjectMapping]
) -> Iterator[MappingChange]:
    """Mapping by mapping with every type resolved; revisions are not compared."""
    for name in dict.fromkeys((*wanted, *present)):
        old, new = present.get(name), wanted.get(name)
        same = new is not None and unchanged(old, new)
        yield _change(name, _record_lines(old), _record_lines(new), same=same)


def _change(name: str, old: Mapping[str, str], new: Mapping[str, str], *, same: bool) -> MappingChange:
    if not old:
        return MappingChange(name, "added", tuple(f"{key}: {text}" for key, text in new.items()))
    if not new:
        return MappingChange(name, "removed")
    if same:
        return MappingChange(name, "unchanged")
    return MappingChange(name, "changed", tuple(_changed(old, new)) or ("what a system says of its fields",))


def _spec_lines(spec: MappingSpec | None) -> dict[str, str]:
    if spec is None:
        return {}
    events = spec.stream_events
    lines = {
        "objects": f"HubSpot {spec.hubspot_type}, Userflow {spec.userflow_type}",
        "match": f"HubSpot {spec.match_hubspot} = Userflow {spec.match_userflow}",
        "on several": spec.on_several,
        "timeline events": ", ".join(events) if isinstance(events, tuple) else "all" if events else "none",
    }
    rules: tuple[tuple[str, tuple[Rule, ...]], ...] = (("Userflow", spec.to_userflow), ("HubSpot", spec.to_hubspot))
    for system, of_side in rules:
        for rule in of_side:
            lines[f"{system} {rule.target}"] = f"from {rule.source}{_kept(rule.on_empty)}"
    return lines


def _record_lines(mapping: ObjectMapping | None) -> dict[str, str]:
    if mapping is None:
        return {}
    events = ", ".join(mapping.event_names) or "all"
    lines = {
        "objects": f"HubSpot {mapping.hubspot_type}, Userflow {mapping.userflow_type}",
        "match": f"HubSpot {mapping.match_hubspot} = Userflow {mapping.match_userflow}",
        "on several": mapping.on_several,
        "timeline events": events if mapping.stream_events else "none",
    }
    for rule in mapping.rules:
        system = "Userflow" if rule.direction == "to_userflow" else "HubSpot"
        lines[f"{system} {rule.target}"] = _rule_line(rule)
    return lines


def _rule_line(rule: FieldRule) -> str:
    types = rule.source_type if rule.source_type == rule.target_type else f"{rule.source_type} as {rule.target_type}"
    options = f", one of {len(rule.target_options)} options" if rule.target_options else ""
    return f"from {rule.source} ({types}{options}){_kept(rule.on_empty)}"


def _kept(on_empty: str) -> str:
    return ", kept where that is empty" if on_empty == "keep" else ""
