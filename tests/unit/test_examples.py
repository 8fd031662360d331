"""How often a property is tried: by its share of the profile, so that one option searches deeper everywhere."""

import re
from pathlib import Path

import hypothesis

from tests.examples import share

TESTS = Path(__file__).parents[1]
OF_ITS_OWN = re.compile(r"\(max_examples=\d")


def test_a_share_is_of_the_profile_in_force() -> None:
    profile = hypothesis.settings().max_examples
    assert share(1.0) == profile
    assert share(10.0) == 10 * profile
    assert share(0.0001) == 1


def test_no_property_has_a_number_of_its_own() -> None:
    """Some had a thousand examples, and took them in every run."""
    found = [path.name for path in TESTS.rglob("test_*.py") if OF_ITS_OWN.search(path.read_text("utf-8"))]
    assert found == [], "write share(0.6) of tests.examples instead of 60"
