"""The plain pages that a browser sees on the way to a grant: no script, nothing from elsewhere, nothing kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Final, Literal

from schemas.configuration import ConnectAnswer
from schemas.reasons import REASONS

PageName = Literal[
    "unknown", "used", "expired", "no_oauth", "foreign", "other_browser", "waiting", "late", "not_stored"
]

HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Page:
    """A heading, and sentences below it."""

    title: str
    sentences: tuple[str, ...]

    def html(self) -> str:
        """Everything in it escaped."""
        paragraphs = "\n".join(f"<p>{escape(sentence)}</p>" for sentence in self.sentences)
        return _HTML.format(title=escape(self.title), paragraphs=paragraphs)


_HTML: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>{title} - Pairstream</title>
</head>
<body>
<h1>{title}</h1>
{paragraphs}
</body>
</html>
"""
_NOTHING: Final = "Nothing was changed."
_ANEW: Final = "For a new link, run `pairstream connect` again."

_PAGES: Final[Mapping[PageName, Page]] = {
    "unknown": Page("This link is not known", (f"A newer one may have taken its place. {_NOTHING}", _ANEW)),
    "used": Page("This link was used already", (f"It counts once. {_NOTHING}", _ANEW)),
    "expired": Page("This link is too old", (f"It opens for 10 minutes. {_NOTHING}", _ANEW)),
    "no_oauth": Page(
        "This integration asks for no access",
        (f"It is disconnected, or its file has a token instead of `oauth:`. {_NOTHING}",),
    ),
    "foreign": Page("This answer belongs to no link", (f"What came back was not made here. {_NOTHING}", _ANEW)),
    "other_browser": Page(
        "Another browser opened the link",
        (f"Open it and grant access in the same browser, with cookies allowed. {_NOTHING}", _ANEW),
    ),
    "waiting": Page("One moment", ("What you granted is being checked. This page looks again by itself.",)),
    "late": Page("Still being checked", ("The connector has not answered yet. The terminal tells how it ends.",)),
    "not_stored": Page("Not taken yet", ("The brokers did not take the answer. Reload this page.",)),
}


def page(name: PageName) -> Page:
    """The page of that name."""
    return _PAGES[name]


def outcome_page(integration: str, account: str, answer: ConnectAnswer) -> Page:
    """What became of a link."""
    if answer.reason is None:
        return Page(
            "Connected", (f"HubSpot account {account} is connected to {integration}.", "You can close this page.")
        )
    return Page("Not connected", (f"{why(integration, account, answer)} {_NOTHING}", _ANEW))


def why(integration: str, account: str, answer: ConnectAnswer) -> str:
    """A sentence on a link that ended without a grant."""
    if answer.reason == "wrong_account":
        return f"You chose HubSpot account {answer.account or 'unknown'}; {integration} belongs to account {account}."
    known = REASONS.get(answer.reason or "")
    return f"{known.sentence[0].upper()}{known.sentence[1:]}." if known is not None else f"{answer.reason}."
