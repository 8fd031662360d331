"""The model -> the text of an integration file, with a placeholder for every secret."""

from collections.abc import Mapping
from typing import Any, Final

from pipeline.integration_file.model import HubSpotSection, IntegrationFile, MappingSpec, OAuth, Rule
from pipeline.integration_file.written import yaml_of

MAPS_NOTHING: Final = "mappings: []\n"
"""How the file of an integration ends that maps nothing yet."""
PLACEHOLDERS: Final = {
    "app_secret": "${HUBSPOT_APP_SECRET}",
    "token": "${HUBSPOT_TOKEN}",
    "client_secret": "${HUBSPOT_CLIENT_SECRET}",
    "refresh_token": "${HUBSPOT_REFRESH_TOKEN}",
    "api_key": "${USERFLOW_API_KEY}",
}

# YAML's own values are whatever its library takes
_Keys = Mapping[str, Any]


def to_yaml(file: IntegrationFile) -> str:
    """Text that loads back equal where the environment holds the secrets that its placeholders name.

    HUBSPOT_APP_SECRET, HUBSPOT_TOKEN, HUBSPOT_CLIENT_SECRET, HUBSPOT_REFRESH_TOKEN, USERFLOW_API_KEY.
    """
    keys = {
        "integration": _text(file.integration),
        "hubspot": _hubspot(file.hubspot),
        "userflow": {
            "environment": _text(file.userflow.environment),
            "region": file.userflow.region,
            "api_key": PLACEHOLDERS["api_key"],
            **({"source": file.userflow.source} if file.userflow.source != "webhooks" else {}),
        },
        "mappings": [_mapping(mapping) for mapping in file.mappings],
    }
    return yaml_of(keys)


def _hubspot(section: HubSpotSection) -> _Keys:
    return _present(
        {
            "account": section.account,
            "app_id": section.app_id,
            "app_secret": section.app_secret and PLACEHOLDERS["app_secret"],
            "oauth": section.oauth and _oauth(section.oauth),
            "token": section.token and PLACEHOLDERS["token"],
            "source": section.source,
            "timeline": section.timeline,
        }
    )


def _oauth(oauth: OAuth) -> _Keys:
    return _present(
        {
            "client_id": _text(oauth.client_id),
            "client_secret": PLACEHOLDERS["client_secret"],
            "refresh_token": oauth.refresh_token and PLACEHOLDERS["refresh_token"],
        }
    )


def _mapping(mapping: MappingSpec) -> _Keys:
    events = mapping.stream_events
    return _present(
        {
            "name": _text(mapping.name),
            "hubspot": _text(mapping.hubspot_type),
            "userflow": _text(mapping.userflow_type),
            "match": {"hubspot": _text(mapping.match_hubspot), "userflow": _text(mapping.match_userflow)},
            "on_several": mapping.on_several,
            "to_userflow": [_rule(rule) for rule in mapping.to_userflow] or None,
            "to_hubspot": [_rule(rule) for rule in mapping.to_hubspot] or None,
            "stream_events": [_text(event) for event in events] if isinstance(events, tuple) else events,
        }
    )


def _rule(rule: Rule) -> _Keys | str:
    if not rule.explicit_target and rule.on_empty == "clear":
        return _text(rule.source)
    return _present(
        {
            "from": _text(rule.source),
            "to": _text(rule.target) if rule.explicit_target else None,
            "on_empty": rule.on_empty if rule.on_empty != "clear" else None,
        }
    )


def _text(text: str) -> str:
    return text.replace("${", "$${")


def _present(keys: _Keys) -> _Keys:
    return {key: value for key, value in keys.items() if value is not None}
