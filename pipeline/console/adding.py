"""What the form that adds an integration says, as the integration file it stands for. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pipeline.console.form import Form
from pipeline.integration_file.loader import load
from pipeline.integration_file.model import IntegrationFile
from pipeline.integration_file.problems import Problem
from pipeline.integration_file.written import yaml_of

SHOWN: Final = ("integration", "environment", "region", "account", "how", "client_id", "source")
"""What a form that comes back shows again; the others are secrets, and typed anew."""
VARIABLES: Final[Mapping[str, str]] = {
    "api_key": "USERFLOW_API_KEY",
    "client_secret": "HUBSPOT_CLIENT_SECRET",
    "token": "HUBSPOT_TOKEN",
    "app_secret": "HUBSPOT_APP_SECRET",
}
_PASTED: Final[Mapping[str, str]] = {
    "api_key": "an API key of the environment",
    "client_secret": "the app's client secret",
    "token": "the token of a private app",
}
_INPUTS: Final[Mapping[str, str]] = {
    "integration": "integration",
    "userflow.environment": "environment",
    "userflow.region": "region",
    "userflow.api_key": "api_key",
    "hubspot.account": "account",
    "hubspot.oauth.client_id": "client_id",
    "hubspot.oauth.client_secret": "client_secret",
    "hubspot.token": "token",
    "hubspot.app_secret": "app_secret",
    "hubspot.source": "source",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody typed."""

    shown: Mapping[str, str]
    secrets: Mapping[str, str] = field(repr=False)

    @property
    def by_oauth(self) -> bool:
        return self.shown["how"] != "token"


def asked_in(form: Form) -> Asked:
    """Spaces around what was pasted do not count."""
    shown = {name: form.one(name).strip() for name in SHOWN}
    return Asked(shown, {name: form.one(name).strip() for name in VARIABLES})


def file_of(asked: Asked) -> IntegrationFile | dict[str, str]:
    """The integration file without a mapping yet; or what is wrong, by the input that it stands in."""
    lacking = _lacking(asked)
    if lacking:
        return lacking
    environment = {VARIABLES[name]: text for name, text in asked.secrets.items() if text}
    if asked.by_oauth:  # HubSpot signs its webhooks with the app's client secret
        environment.setdefault(VARIABLES["app_secret"], environment[VARIABLES["client_secret"]])
    found = load(yaml_of(_keys(asked, environment)), "", environment)
    return found if isinstance(found, IntegrationFile) else by_input(found)


def by_input(problems: tuple[Problem, ...]) -> dict[str, str]:
    """The first problem of each input; the key is empty where it is of the whole."""
    told: dict[str, str] = {}
    for one in problems:
        told.setdefault(_INPUTS.get(one.path, ""), f"{one.message}. Fix: {one.fix}.")
    return told


def _lacking(asked: Asked) -> dict[str, str]:
    needed = {"integration": "a name", "environment": "the environment's name", "account": "the account's number"}
    told = {name: f"Write {what}." for name, what in needed.items() if not asked.shown[name]}
    if asked.by_oauth and not asked.shown["client_id"]:
        told["client_id"] = "Write the app's client ID."
    keys = ("api_key", "client_secret" if asked.by_oauth else "token")
    return told | {name: f"Paste {_PASTED[name]}." for name in keys if not asked.secrets[name]}


# YAML's own values are whatever its library takes
def _keys(asked: Asked, environment: Mapping[str, str]) -> dict[str, Any]:
    shown = {name: text.replace("${", "$${") for name, text in asked.shown.items()}
    reference = {name: f"${{{variable}}}" for name, variable in VARIABLES.items()}
    hubspot: dict[str, Any] = {"account": shown["account"]}
    if VARIABLES["app_secret"] in environment:
        hubspot["app_secret"] = reference["app_secret"]
    if asked.by_oauth:
        hubspot["oauth"] = {"client_id": shown["client_id"], "client_secret": reference["client_secret"]}
    else:
        hubspot["token"] = reference["token"]
    if shown["source"]:
        hubspot["source"] = shown["source"]
    userflow: dict[str, Any] = {"environment": shown["environment"], "api_key": reference["api_key"]}
    if shown["region"]:
        userflow["region"] = shown["region"]
    return {"integration": shown["integration"], "hubspot": hubspot, "userflow": userflow, "mappings": []}
