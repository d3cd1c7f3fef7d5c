"""The tests mirror the tree, and what they share stands in tests/helpers/, read from their syntax trees."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests"
FILES = sorted(TESTS.rglob("*.py"))
CONFTESTS = [path for path in FILES if path.name == "conftest.py"]
HELPERS = sorted((TESTS / "helpers").glob("[!_]*.py"))
FOLDERS = sorted({path.parent.relative_to(TESTS) for path in TESTS.rglob("test_*.py")} - {Path(".")})

#: folders of tests about no single part: damage to a run from outside, all that runs on an accelerator, and (anywhere) the
#: suite that all components of a part pass
OWN = {"device", "reliability"}
SUITE = "contract"


def label(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_absolute() else str(path)


def imported(path: Path) -> set[str]:
    """The modules that a file imports from, wherever in it; a relative one with its dots."""
    modules = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            modules |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
    return modules


def test_the_lists_are_not_empty() -> None:
    assert len(FILES) > 100
    assert len(CONFTESTS) > 5
    assert len(HELPERS) > 8
    assert len(FOLDERS) > 20


@pytest.mark.parametrize("path", FILES, ids=label)
def test_nobody_imports_from_a_conftest_or_another_test(path: Path) -> None:
    """Of the tests' own modules only helpers are imported, by their full name."""
    own = [name for name in imported(path) if name.startswith((".", "tests"))]
    assert [name for name in own if not name.startswith("tests.helpers")] == []
    assert not any(part == "conftest" or part.startswith("test_") for name in own for part in name.split("."))


@pytest.mark.parametrize("path", CONFTESTS, ids=label)
def test_a_conftest_holds_fixtures_and_hooks_alone(path: Path) -> None:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        assert not isinstance(node, ast.ClassDef), f"class {node.name} belongs in tests/helpers/"
        if isinstance(node, ast.FunctionDef):
            decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
            fixture = any(decorator.startswith("pytest.fixture") for decorator in decorators)
            assert fixture or node.name.startswith("pytest_"), f"{node.name} belongs in tests/helpers/"


def test_a_name_of_the_helpers_means_one_thing() -> None:
    defined: Counter[str] = Counter()
    for path in HELPERS:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                defined[node.name] += 1
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                defined.update(target.id for target in targets if isinstance(target, ast.Name))
    assert len(defined) > 50
    assert [name for name, count in defined.items() if count > 1] == []


@pytest.mark.parametrize("folder", FOLDERS, ids=label)
def test_tests_mirror_the_tree(folder: Path) -> None:
    mirrored = folder.parent if folder.name == SUITE else folder
    places = [ROOT / "advlab" / mirrored, ROOT / mirrored]
    assert mirrored.name in OWN or any(place.is_dir() for place in places), f"tests/{folder} mirrors no folder"


def test_a_long_file_says_why() -> None:
    """One file, one idea: above 220 lines there are mostly two, or the first docstring gives the reason."""
    paths = [
        path
        for part in ("advlab", "benchmarks", "examples", "experiments", "tests", "website")
        for path in (ROOT / part).rglob("*.py")
    ]
    texts = {label(path): path.read_text(encoding="utf-8") for path in paths}
    long = {
        name: ast.get_docstring(ast.parse(text)) or "" for name, text in texts.items() if len(text.splitlines()) > 220
    }
    assert len(paths) > 400
    assert [name for name, docstring in long.items() if "Longer than other files: " not in docstring] == []
