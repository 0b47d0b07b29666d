"""The lint step that keeps modules and functions small."""

from pathlib import Path

import pytest

from tools import sizes


def write_function(folder: Path, statements: int, docstring_lines: int = 0) -> Path:
    """A module with one function of `statements` + 1 lines and a docstring."""
    docstring = ['    """Says much.' + "\n    More." * docstring_lines + '"""'] if docstring_lines else []
    path = folder / "module.py"
    path.write_text("\n".join(["def long():", *docstring, *["    pass"] * statements, ""]), "utf-8")
    return path


@pytest.mark.parametrize(("lines", "said"), [(40, []), (41, [False]), (50, [False]), (51, [True])])
def test_a_function_is_named_over_40_lines_and_refused_over_50(tmp_path: Path, lines: int, said: list[bool]) -> None:
    path = write_function(tmp_path, lines - 1)
    assert [long.refused for long in sizes.long_things(path)] == said


def test_a_docstring_costs_no_room(tmp_path: Path) -> None:
    assert not list(sizes.long_things(write_function(tmp_path, 30, docstring_lines=30)))


def test_a_module_over_400_lines_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "just.py").write_text("x = 1\n" * 400, "utf-8")
    assert sizes.main([str(tmp_path), str(tmp_path / "absent")]) == 0
    (tmp_path / "over.py").write_text("x = 1\n" * 401, "utf-8")
    assert sizes.main([str(tmp_path)]) == 1
    assert capsys.readouterr().out == f"too long: {tmp_path / 'over.py'} (401 lines)\n"
