"""Sections of the page of results are replaced one by one."""

from tests.benchmarks.results import RESULTS, section_of, with_section

PAGE = "# Results\n\nhead\n\n## One\n\n1\n\n## Two\n\n2\n"


def test_a_section_takes_the_place_of_the_one_of_its_title() -> None:
    assert with_section(PAGE, "## One\n\nnew\n") == PAGE.replace("\n1\n", "\nnew\n")
    assert with_section(PAGE, "## Three\n\n3\n") == f"{PAGE}\n## Three\n\n3\n"
    assert with_section(PAGE, section_of(PAGE, "## Two") or "") == PAGE
    assert section_of(PAGE, "## Four") is None


def test_the_page_that_there_is_stays_as_it_is() -> None:
    page = RESULTS.read_text()
    title = next(line for line in page.splitlines() if line.startswith("## "))
    assert with_section(page, section_of(page, title) or "") == page
