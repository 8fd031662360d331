"""An object is explained by its rows alone: its pairs, its fields, what was written; and no value is shown."""

from pipeline.core.mapping import MappingView
from pipeline.operations.explain import explain
from pipeline.operations.object_report import Explained
from schemas.topics import object_key
from schemas.values import System
from tests.unit.pipeline.core.given import CONTACT, EMAIL, USER, contact, gone, mapping, receipt, user, written
from tests.unit.pipeline.middle import ALL_READ, NOTHING_READ, Middle

VIEW = mapping()
SECRETS = ("Dr", "Prof", "pro", EMAIL)


def told(
    middle: Middle,
    system: System = "hubspot",
    object_id: str = CONTACT,
    view: MappingView = VIEW,
    whole: frozenset[str] = ALL_READ,
) -> list[str]:
    row = middle.objects.get(object_key("acme", 1, system, view.object_type(system), object_id))
    pairs = {name: middle.pairs.get(f"acme:1:{name}:{value}") for name, value in (row.matches if row else {}).items()}
    lines = list(explain(Explained(system, object_id, row, pairs, {view.name: view}, whole)))
    assert not any(secret in line for line in lines for secret in SECRETS)
    return lines


def written_pair() -> Middle:
    middle = Middle(VIEW)
    middle.feed(contact(1_000, {"jobtitle": "Dr", "tier": None}), user(1_000, {"title": None, "plan": "pro"}))
    middle.feed(written("userflow", USER, 2_000, {"title": "Dr"}), written("hubspot", CONTACT, 2_000, {"tier": "pro"}))
    return middle


def test_a_pair_in_step() -> None:
    assert told(written_pair()) == [
        "known: email, jobtitle, tier",
        f"people: paired with userflow {USER}",
        "  -> title  in step, written",
        "  <- tier  in step, written",
    ]


def test_what_was_written_before_a_second_user_appeared() -> None:
    middle = written_pair()
    middle.feed(user(3_000, {"title": "own", "plan": "free"}, id="u-2"))
    for system, object_id in (("hubspot", CONTACT), ("userflow", "u-2")):
        assert told(middle, "hubspot" if system == "hubspot" else "userflow", object_id)[1:] == [
            f"people: ambiguous, nothing is written: its match value is held by hubspot {CONTACT}, userflow u-2, "
            f"userflow {USER}",
            f"  written while it was a pair, and still there: hubspot {CONTACT}: tier",
            f"  written while it was a pair, and still there: userflow {USER}: title",
        ]


def test_what_is_refused_and_what_is_on_its_way() -> None:
    middle = written_pair()
    middle.feed(contact(3_000, {"jobtitle": "Prof"}), receipt("userflow", USER, {"title": "Prof"}))
    middle.feed(user(4_000, {"plan": "pro 2"}))
    assert told(middle)[-2:] == ["  -> title  refused: not_an_option", "  <- tier  on its way"]


def test_a_side_that_nobody_read_or_asked() -> None:
    middle = Middle(VIEW)
    middle.view_as(VIEW, crawled=NOTHING_READ)
    middle.feed(contact(1_000, {"jobtitle": "Dr"}), user(1_000, {"title": None}))
    lines = told(middle, whole=NOTHING_READ)
    assert lines[2] == "  nothing is written before userflow told who else holds its match value"


def test_who_has_no_partner_no_match_value_or_is_not_there() -> None:
    middle = Middle(VIEW)
    assert told(middle) == [
        "never seen under this connection: `pairstream full-sync start` reads everything",
    ]
    middle.feed(contact(1_000, {"jobtitle": "Dr"}))
    assert told(middle)[1] == "people: no pair: nobody in userflow is known to hold its match value"
    middle.feed(contact(2_000, {"email": None}))
    assert told(middle)[1] == "people: no pair: it has no value in email, by which the mapping matches"
    middle.feed(gone("hubspot", CONTACT, 3_000))
    assert told(middle) == ["gone"]
