"""The HubSpot project of an integration: its app, webhook subscriptions and event types, as files for HubSpot's CLI.

Follows HubSpot's pages "app configuration", "configure webhooks" and "app events reference" (platform 2026.03).
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from connectors.hubspot.event_types import EventType, event_types
from connectors.userflow.events import describe_events
from pipeline.integration_file.model import IntegrationFile
from pipeline.integration_file.names import is_custom_type, object_word
from pipeline.integration_file.problems import render
from pipeline.operations import OperationRefused
from pipeline.provisioning.custom_types import resolved
from pipeline.provisioning.scopes import needed_scopes, streams
from pipeline.provisioning.streams import check_events, streamed
from pipeline.provisioning.subscriptions import PRIVACY, TypeSubscriptions, subscriptions
from schemas.configuration import DescribedEvent, DescribedType, IntegrationPart
from schemas.integrations import connector_of, types_of

PLATFORM: Final = "2026.03"
REQUESTS_AT_ONCE: Final = 10
# JSON's own values are whatever its library takes
_Json = Any


class NoProject(OperationRefused):
    """The files cannot be written; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What is known of the events and types that a file names; `applied`: as described at the last apply."""

    events: tuple[DescribedEvent, ...]
    types: tuple[DescribedType, ...]
    applied: bool


def knowledge(file: IntegrationFile, parts: Mapping[str, IntegrationPart]) -> Knowledge:
    """From the configuration in force; where the integration is not in it, Userflow's own events and those named."""
    types, userflow = types_of(parts, file.integration), connector_of(parts, file.integration, "userflow")
    if userflow is not None and userflow.events:
        return Knowledge(userflow.events, types, True)
    own = describe_events()
    named = {name: None for mapping in file.mappings for name in _named(mapping.stream_events)}
    unknown = [name for name in named if name not in {event.name for event in own}]
    return Knowledge((*own, *(DescribedEvent(name, name) for name in unknown)), types, False)


def _named(stream_events: bool | tuple[str, ...]) -> tuple[str, ...]:
    return stream_events if isinstance(stream_events, tuple) else ()


def project_files(file: IntegrationFile, known: Knowledge, base_url: str) -> Mapping[str, str]:
    """Path below the project's folder -> text; equal for equal input. Raises NoProject."""
    by_webhooks = file.hubspot.source == "webhooks"
    if by_webhooks and urlsplit(base_url).scheme != "https":
        raise NoProject(
            f"HubSpot sends webhooks to https addresses only, not to {base_url}: "
            "set PAIRSTREAM_PUBLIC_URL to the address at which it reaches the receiver"
        )
    file = resolved(file, known.types)
    problems = check_events(file, known.events)
    if problems:
        raise NoProject(render(problems))
    files: dict[str, _Json] = {
        "hsproject.json": {"name": f"pairstream-{file.integration}", "srcDir": "src", "platformVersion": PLATFORM},
        "src/app/app-hsmeta.json": _app(file, base_url),
    }
    if by_webhooks:
        files["src/app/webhooks/webhooks-hsmeta.json"] = _webhooks(file, base_url)
    if file.hubspot.timeline == "app_events":
        types = sorted(event_types(streamed(file, known.events)), key=lambda type_: type_.name)
        files |= {f"src/app/app-events/{type_.name}-hsmeta.json": _app_event(type_) for type_ in types}
    return {path: json.dumps(content, indent=2, ensure_ascii=False) + "\n" for path, content in files.items()}


def _app(file: IntegrationFile, base_url: str) -> _Json:
    by_oauth = file.hubspot.oauth is not None
    auth: dict[str, _Json] = {"type": "oauth" if by_oauth else "static"}
    if by_oauth:
        auth["redirectUrls"] = [f"{base_url}/oauth/hubspot/callback"]
    auth |= {"requiredScopes": needed_scopes(file), "optionalScopes": [], "conditionallyRequiredScopes": []}
    # HubSpot accepts event types only from apps distributed through its marketplace
    listed = by_oauth and file.hubspot.timeline == "app_events" and streams(file)
    config = {
        "name": f"Pairstream {file.integration}",
        "description": "Keeps HubSpot and Userflow in step.",
        "distribution": "marketplace" if listed else "private",
        "auth": auth,
        "permittedUrls": {"fetch": ["https://api.hubapi.com"], "iframe": [], "img": []},
    }
    return {"uid": "pairstream_app", "type": "app", "config": config}


def _webhooks(file: IntegrationFile, base_url: str) -> _Json:
    wanted = subscriptions(file)
    of_types = [one for of_type in wanted for one in _subscribed(of_type)]
    privacy = any(PRIVACY in of_type.kinds for of_type in wanted)
    of_contacts = [{"subscriptionType": f"contact.{PRIVACY}", "active": True}] if privacy else []
    return {
        "uid": "pairstream_webhooks",
        "type": "webhooks",
        "config": {
            "settings": {"targetUrl": f"{base_url}/webhooks/hubspot", "maxConcurrentRequests": REQUESTS_AT_ONCE},
            "subscriptions": {"crmObjects": of_types, "legacyCrmObjects": [], "hubEvents": of_contacts},
        },
    }


def _subscribed(wanted: TypeSubscriptions) -> Iterator[Mapping[str, _Json]]:
    """One object type's subscriptions: its life cycle, and a change of each mapped property, targets too."""
    name = wanted.object_type if is_custom_type(wanted.object_type) else object_word(wanted.object_type)
    for kind in wanted.kinds:
        if kind != PRIVACY:
            yield {"subscriptionType": f"object.{kind}", "objectType": name, "active": True}
    for field in wanted.properties:
        yield {
            "subscriptionType": "object.propertyChange",
            "objectType": name,
            "propertyName": field,
            "active": True,
        }


def _app_event(type_: EventType) -> _Json:
    properties = type_.properties.values()
    return {
        "uid": type_.name,
        "type": "app-event",
        "config": {
            "name": type_.label,
            "objectType": type_.primary_object,
            "headerTemplate": _header(type_),
            "detailTemplate": "\n\n".join(
                f"{{{{#if {one.name}}}}}**{_plain(one.label)}**: {{{{{one.name}}}}}{{{{/if}}}}" for one in properties
            ),
            "properties": [{"name": one.name, "label": one.label, "type": one.type} for one in properties],
        },
    }


def _header(type_: EventType) -> str:
    """The event's name and that of what it is about: of the task rather than of its checklist."""
    names = [one.name for one in type_.properties.values() if one.name.endswith("_name")]
    about = max(names, key=lambda name: name.count("_"), default=None)
    return _plain(type_.label) + (f"{{{{#if {about}}}}}: {{{{{about}}}}}{{{{/if}}}}" if about else "")


def _plain(text: str) -> str:
    """A label without what a template would read as its own."""
    return re.sub(r"[{}*\[\]_`]", " ", text)


def summary(files: Iterable[str], known: Knowledge) -> list[str]:
    """What was written and from what, in words."""
    paths = list(files)
    events = sum("/app-events/" in path for path in paths)
    lines = [f"{len(paths)} files, {events} of them kinds of events"]
    if events and not known.applied:
        lines.append(
            "the integration is not applied yet: these are Userflow's own events and those that the file names; "
            "run this again after `pairstream apply` for attributes of your own"
        )
    if events:
        lines.append(
            "HubSpot takes event types from an app that it knows: leave src/app/app-events out of the first upload"
        )
    return lines
