"""Writes an integration file's keys as YAML that reads back as what was written."""

from collections.abc import Mapping
from typing import Any

import yaml


class _Dumper(yaml.SafeDumper):
    """Escapes what YAML takes for an end of a line, and would read back as a space."""


def _scalar(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = '"' if any(letter in "\x85\u2028\u2029" for letter in text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _scalar)


def yaml_of(keys: Mapping[str, Any]) -> str:
    """The file, its keys in their order; Any: YAML's own values are whatever its library takes."""
    return str(yaml.dump(dict(keys), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120))
