"""Tables and pages made from the code when the site is built: one function each, by the word that a page asks with."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from docs.tables import (
    commands,
    decisions,
    events,
    explain,
    file_keys,
    findings,
    metrics,
    reasons,
    records,
    settings,
    topics,
)

TABLES: Final[Mapping[str, Callable[[], str]]] = {
    "settings": settings.page,
    "commands": commands.page,
    "exit-codes": commands.exit_codes,
    "file-keys": file_keys.page,
    "metrics": metrics.page,
    "topics": topics.page,
    "keys": topics.keys,
    "records": records.page,
    "outcomes": reasons.outcomes,
    "conversion-reasons": reasons.conversions,
    "webhook-results": reasons.webhooks,
    "reasons": reasons.page,
    "decisions": decisions.page,
    "events": events.page,
    "findings": findings.page,
    "explain": explain.page,
}
"""A page holds `<!-- table: settings -->` on a line of its own where the result stands."""

PAGES: Final[tuple[Callable[[], Iterator[tuple[str, str]]], ...]] = (findings.pages, reasons.pages)
"""Pages made whole: their place in the site, and what they say."""
