"""The settings: `pipeline/config.py` as a table."""

from pydantic.fields import FieldInfo

from docs.tables.markdown import code, table
from pipeline.config import Settings, secret_variables
from pipeline.secret_files import SUFFIX
from pipeline.setting_words import shown, variable


def page() -> str:
    """Name, default, meaning and an example of every setting."""
    return table(
        ("Setting", "Default", "Meaning", "Example"),
        [_row(name, field) for name, field in Settings.model_fields.items()],
    )


def _row(name: str, field: FieldInfo) -> tuple[str, str, str, str]:
    default = "" if field.default is None or field.default == () else code(shown(field.default))
    meaning = f"{field.description}; or `{variable(name)}{SUFFIX}`" if variable(name) in secret_variables() else ""
    return code(variable(name)), default, meaning or field.description or "", code(str((field.examples or [""])[0]))
