"""The catalog of requirements and the document that is made from it."""

from tests.support.conformance import Evidence, Requirement, load_catalog, render


def test_the_catalog_has_every_chapter_and_no_empty_line() -> None:
    catalog = load_catalog()
    assert {id_[0] for id_ in catalog} == set("TSPWLBRHKEXGN")
    assert all(requirement.text and requirement.source for requirement in catalog.values())


def test_a_requirement_without_a_test_is_open_and_one_failed_case_fails_it() -> None:
    catalog = {id_: Requirement(id_, "Chapter", f"text of {id_}", "source") for id_ in ("T1", "T2", "T3")}
    proved, broken = Evidence(), Evidence()
    proved.add("tests/unit/test_a.py::test_one", passed=True)
    broken.add("tests/unit/test_a.py::test_two", passed=False)
    broken.add("tests/unit/test_a.py::test_two", passed=True)

    document = render(catalog, {"T1": proved, "T2": broken})

    assert "1 hold, 1 fail, 1 are open" in document
    assert "| T1 | text of T1 | source | `tests/unit/test_a.py::test_one` | holds |" in document
    assert "| `tests/unit/test_a.py::test_two` | FAILS |" in document
    assert "| T3 | text of T3 | source |  | open |" in document
