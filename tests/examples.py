"""How many examples a property is tried with: each by its weight, all by the profile of Hypothesis in force."""

import hypothesis


def share(of_the_profile: float) -> int:
    """For a property whose examples are large; the profiles are in `tests/conftest.py`."""
    return max(1, round(hypothesis.settings().max_examples * of_the_profile))
