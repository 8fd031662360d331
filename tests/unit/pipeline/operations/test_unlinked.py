"""Who is not linked, by the rules that link: of each why one."""

from pipeline.core.candidates import MOST_CANDIDATES
from pipeline.core.mapping import MappingView
from pipeline.operations.unlinked import Unlinked, unlinked
from schemas.records import StampedValue
from schemas.state import Candidate, ObjectState, PairState
from tests.unit.pipeline.core.given import flow, mapping

VIEW: MappingView = mapping(flow("jobtitle", "title"))
SOMEBODY = Candidate(1, 0, {})


def user(email: str | None, at_ms: int = 5, *, present: bool = True) -> ObjectState:
    fields = {} if email is None else {"email": StampedValue(email, 1)}
    return ObjectState(1, present, at_ms, 0, fields, {})


def pair(hubspot: int, *users: str, looked_up_ms: int = 0) -> PairState:
    return PairState(
        1,
        {str(number): SOMEBODY for number in range(hubspot)},
        dict.fromkeys(users, SOMEBODY),
        looked_up_ms=looked_up_ms,
    )


def test_each_is_there_for_its_own_reason_and_who_is_linked_is_not() -> None:
    users = {
        "linked": user("linked@example.com"),
        "alone": user(" ALONE@example.com "),
        "new": user("new@example.com"),
        "nameless": user(None),
        "one": user("several@example.com"),
        "two": user("several@example.com"),
        "of-many": user("crowd@example.com"),
        "gone": user("alone@example.com", present=False),
        "late": user("linked@example.com", 9),
    }
    pairs = {
        "linked@example.com": pair(1, "linked"),
        "alone@example.com": pair(0, "alone", looked_up_ms=77),
        "several@example.com": pair(1, "one", "two"),
        "crowd@example.com": pair(MOST_CANDIDATES + 1, "of-many"),
    }
    assert list(unlinked(VIEW, users.items(), pairs.get)) == [
        Unlinked("alone", "unmatched", 5, 77),
        Unlinked("new", "unmatched", 5, 0),
        Unlinked("nameless", "no_match_value", 5, 0),
        Unlinked("one", "ambiguous", 5, 0),
        Unlinked("two", "ambiguous", 5, 0),
        Unlinked("of-many", "crowded", 5, 0),
        Unlinked("late", "unmatched", 9, 0),
    ]
