"""Keep modules and functions small enough to hold in the head.

Prints every module over 400 lines and every function over 40; exits 1 for a module over 400 lines or a function over
50. The gap between 40 and 50 is where a person decides: a long table reads better whole than split. Migration steps are
passed over: they list columns, and once released they never change.

Usage: python tools/sizes.py FOLDER…   (folders that do not exist are passed over)
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MODULE_LIMIT = 400
FUNCTION_NOTICE = 40
FUNCTION_LIMIT = 50
PASSED_OVER = ("migrations", "versions")


@dataclass(frozen=True)
class Long:
    """One thing that is long: where, how many lines, and whether that is too many."""

    where: str
    lines: int
    refused: bool


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method of a module, nested ones too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from `def` to the end, without the docstring: explaining must never cost room."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


def long_things(path: Path) -> Iterator[Long]:
    """What is long in one file."""
    text = path.read_text("utf-8")
    count = len(text.splitlines())
    if count > MODULE_LIMIT:
        yield Long(str(path), count, refused=True)
    for function in functions(ast.parse(text, str(path))):
        if (lines := length(function)) > FUNCTION_NOTICE:
            yield Long(f"{path}:{function.lineno} {function.name}", lines, refused=lines > FUNCTION_LIMIT)


def main(folders: list[str]) -> int:
    """Print what is long under the folders; 1 if anything is too long."""
    paths = [path for folder in folders for path in sorted(Path(folder).rglob("*.py"))]
    found = [long for path in paths if path.parts[-3:-1] != PASSED_OVER for long in long_things(path)]
    for long in found:
        print(f"{'too long' if long.refused else 'long'}: {long.where} ({long.lines} lines)")
    return int(any(long.refused for long in found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
