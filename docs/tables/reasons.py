"""The reasons: why a record, a value, a webhook or an integration did not go on, by where the codes are declared."""

from collections.abc import Iterator, Mapping

from connectors.receiver.ports import WEBHOOK_RESULTS, WebhookResult
from connectors.receiver.responses import WebhookRefusal
from docs.tables.markdown import code, table
from pipeline.core.conversion import MEANING
from pipeline.core.outcome import OUTCOMES
from pipeline.provisioning.remedies import EITHER, REMEDIES
from schemas.reasons import KINDS, REASONS, ReasonKind

FOLDER = "reference/reasons"
CONVERSION = "The value does not fit the type of its target: dead letter from PAIRS; the other fields go on."


def page() -> str:
    """A section for each kind of reason: what it means, what follows, what to do where that is known."""
    return "\n\n".join(_section(kind) for kind in KINDS)


def outcomes() -> str:
    """How records end."""
    return table(("Outcome", "Meaning"), [(code(one), sentence) for one, sentence in OUTCOMES.items()])


def conversions() -> str:
    """Why a value does not fit the type of its target."""
    return table(("Reason", "Meaning"), [(_linked(one), sentence) for one, sentence in MEANING.items()])


def webhooks() -> str:
    """How the receiver answers."""
    return table(
        ("Result", "HTTP status", "Meaning"),
        [(code(one), _status(one), sentence) for one, sentence in WEBHOOK_RESULTS.items()],
    )


def pages() -> Iterator[tuple[str, str]]:
    """Place in the site and content of the page of each code, of conversion too."""
    conversions: Mapping[str, str] = dict(MEANING.items())
    for one in {**REASONS, **conversions}:
        yield f"{FOLDER}/{one}.md", _page_of(one, conversions.get(one))


def _page_of(one: str, conversion: str | None) -> str:
    reason, parts = REASONS.get(one), list[str]()
    if reason is not None:
        parts.append(f"**It means:** {reason.sentence}.\n\n**What follows:** {KINDS[reason.kind]}")
    if conversion is not None:
        parts.append(f"**Of a conversion it means:** {conversion}.\n\n**What follows:** {CONVERSION}")
    fix = _fix(one)
    if fix:
        parts.append(f"**Do:** {fix}.")
    said = "\n\n".join(parts)
    return (
        f"# {one}\n\n{said}\n\n"
        "Dead letters with it: `pairstream dead-letters list --reason "
        f"{one}`. [All reasons](../reasons.md) · [dead letters](../../how-to/dead-letters.md)\n"
    )


def _section(kind: ReasonKind) -> str:
    rows = [(_linked(one), reason.sentence, _fix(one)) for one, reason in REASONS.items() if reason.kind == kind]
    shown = rows if any(fix for _, _, fix in rows) else [row[:2] for row in rows]
    heads = ("Reason", "Meaning", "Fix")[: len(shown[0])]
    return f"### {kind.capitalize()}\n\n{KINDS[kind]}\n\n{table(heads, shown)}"


def _linked(one: str) -> str:
    return f"`{one}` [more](../{FOLDER}/{one}.md)"


def _fix(reason: str) -> str:
    """What `apply` and `doctor` say, for each system that says something else."""
    if reason in EITHER:
        return EITHER[reason][1]
    fixes = {known[reason].fix: system for system, known in REMEDIES.items() if reason in known}
    return "; ".join(fixes)


def _status(result: WebhookResult) -> str:
    return "2xx" if result == "stored" else str(WebhookRefusal(result, "").status)
