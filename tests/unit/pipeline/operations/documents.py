"""Integration files as they are stored: secrets are placeholders."""

_HEAD = """\
integration: acme
hubspot: {account: 1, app_secret: "${APP_SECRET}", token: "${TOKEN}"}
userflow: {environment: production, api_key: "${API_KEY}"}
mappings:
"""
_MAPPING = """\
  - name: %s
    hubspot: contacts
    userflow: users
    match: {hubspot: email, userflow: email}
    to_userflow: [{from: jobtitle, to: %s}]
"""


def document_of(*mappings: str) -> str:
    """A file with mappings of these names."""
    return _HEAD + "".join(_MAPPING % (name, name) for name in mappings)
