"""When topics are looked through: some times, the last once no webhook can come any more."""

from pipeline.erasure.schedule import LOOKS_S, Due, after_look, due, key_of, open_erasures, rewriting
from schemas.erasures import Erasure, ErasurePart, Looked, Rewriting

AT_MS = 1_700_000_000_000
ERASURE = Erasure("acme", 1, "hubspot", "contacts", "101", AT_MS, b"salt")
KEY = key_of(ERASURE)


def test_after_the_last_look_nothing_is_left_of_it() -> None:
    parts: dict[str, ErasurePart] = {KEY: ErasurePart(erasure=ERASURE)}
    for looks, wait_s in enumerate(LOOKS_S):
        at_ms = AT_MS + int(wait_s * 1000)
        assert due(parts, at_ms - 1) == []
        assert due(parts, at_ms) == [Due(KEY, ERASURE, looks)]
        for key, part in after_look(Due(KEY, ERASURE, looks), at_ms).items():
            if part is None:
                parts.pop(key)
            else:
                parts[key] = part
    assert parts == {}


def test_a_later_erasure_of_the_same_object_begins_anew() -> None:
    later = Erasure("acme", 1, "hubspot", "contacts", "101", AT_MS + 5, b"salt")
    parts = {KEY: ErasurePart(erasure=later), f"looked/{KEY}": ErasurePart(looked=Looked(AT_MS, 2, AT_MS))}
    assert open_erasures(parts) == [Due(KEY, later, 0)]


def test_rewriting_that_was_begun_is_known_by_its_place() -> None:
    begun = Rewriting(100, 50)
    parts = {"rewriting/sync.receipts/3": ErasurePart(rewriting=begun), KEY: ErasurePart(erasure=ERASURE)}
    assert rewriting(parts) == {("sync.receipts", 3): begun}
