"""Integration files for tests: one that is right, and ways to spoil it."""

from pathlib import Path

import pipeline.integration_file
from pipeline.integration_file.loader import load
from pipeline.integration_file.model import IntegrationFile
from pipeline.integration_file.problems import Problem, render

EXAMPLES = Path(pipeline.integration_file.__file__).parent / "examples"
ENVIRONMENT = {
    "HUBSPOT_APP_SECRET": "app-secret-0",
    "HUBSPOT_TOKEN": "token-0",
    "HUBSPOT_CLIENT_ID": "client-id-0",
    "HUBSPOT_CLIENT_SECRET": "client-secret-0",
    "HUBSPOT_REFRESH_TOKEN": "refresh-token-0",
    "USERFLOW_API_KEY": "api-key-0",
}

HEAD = """\
integration: acme
hubspot:
  account: 123
  app_secret: ${HUBSPOT_APP_SECRET}
  token: ${HUBSPOT_TOKEN}
userflow:
  environment: production
  api_key: ${USERFLOW_API_KEY}
"""
"""Eight lines; `mappings:` is line 9."""

CONTACTS = """\
mappings:
  - name: contacts-users
    hubspot: contacts
    userflow: users
    match: {hubspot: email, userflow: email}
    to_userflow:
      - jobtitle
"""
"""Lines 9 to 15; a rule appended to it is line 16."""

GOOD = HEAD + CONTACTS


def loaded(text: str) -> IntegrationFile:
    file = load(text, "acme.yaml", ENVIRONMENT)
    assert isinstance(file, IntegrationFile), render(file)
    return file


def refused(text: str, environment: dict[str, str] | None = None) -> list[str]:
    """The problems as a user reads them."""
    problems = load(text, "acme.yaml", ENVIRONMENT if environment is None else environment)
    assert not isinstance(problems, IntegrationFile), "nothing was refused"
    return shown(problems)


def shown(problems: tuple[Problem, ...]) -> list[str]:
    return render(problems).splitlines()
