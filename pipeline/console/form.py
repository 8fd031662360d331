"""The fields of a form that was sent. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form that was sent; each may be there several times."""

    fields: tuple[tuple[str, str], ...] = ()

    def one(self, name: str) -> str:
        """The field's text; empty where there is none."""
        return next((text for key, text in self.fields if key == name), "")

    def several(self, name: str) -> tuple[str, ...]:
        return tuple(text for key, text in self.fields if key == name)
