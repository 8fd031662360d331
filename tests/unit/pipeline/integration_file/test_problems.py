"""How a problem finds its line and how it reads."""

from pipeline.integration_file.problems import Positions, Problem, near, render

POSITIONS = Positions("acme.yaml", {"": (1, 1), "mappings[0]": (3, 5), "mappings[0].match": (6, 5)})


def test_a_path_without_a_place_takes_its_nearest_parents() -> None:
    assert POSITIONS.at("mappings[0].match.hubspot") == (6, 5)
    assert POSITIONS.at("mappings[0].to_userflow[3].from") == (3, 5)
    assert POSITIONS.at("mappings[7]") == (1, 1)


def test_a_model_without_a_file_has_no_lines() -> None:
    problem = Positions().problem("mappings[0].name", "no name", "add one")

    assert (problem.line, problem.column) == (0, 0)
    assert str(problem) == "mappings[0].name: no name. Fix: add one."


def test_problems_are_shown_in_the_order_of_the_file() -> None:
    later = POSITIONS.problem("mappings[0].match", "later", "fix it")
    earlier = Problem(2, 1, "hubspot", "earlier", "fix it", "acme.yaml")

    assert render([later, earlier]) == (
        "acme.yaml:2: hubspot: earlier. Fix: fix it.\nacme.yaml:6: mappings[0].match: later. Fix: fix it."
    )


def test_a_near_miss_is_suggested_and_a_far_one_is_not() -> None:
    assert near("contact", ["contacts", "deals"], "read the manual") == "did you mean `contacts`"
    assert near("zebra", ["contacts", "deals"], "read the manual") == "read the manual"
