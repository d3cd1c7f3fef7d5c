"""Who may import whom, read from the syntax trees."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.import_graph import (
    ENGINE,
    EXPERIMENTS,
    MODULE_FILES,
    ROOT,
    STRINGS_THAT_IMPORT_NOTHING,
    files_imported,
    imported,
    module_name,
    modules_in_strings,
    names_imported,
    path_label,
    tree_of,
)

PAPERS = sorted(
    path.parent.name for path in (ROOT / "experiments").glob("*/__init__.py") if path.parent.name != "figures"
)
BENCHMARKS = sorted((ROOT / "benchmarks").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))

#: the parts of advlab from the lowest to the highest: each may import those before its own line, and itself
LEVELS = (
    ("collection", "errors", "progress", "shell"),
    ("store",),
    ("config",),
    ("statistics",),
    ("plotting",),
    ("results",),
    ("cluster", "data"),
    ("models",),
    ("polynomials", "open_set"),
    ("metrics",),
    ("attacks",),
    ("defenses", "geometry", "probes"),
    ("training",),
    ("lab",),
    ("plugins",),
    ("engine",),
    ("api",),
    ("",),  # advlab/__init__.py, which a user imports
    ("cli",),
    ("__main__", "testing"),
    ("experiments",),
)
RANK = {part: rank for rank, parts in enumerate(LEVELS) for part in parts}


def part(name: str) -> str:
    """`models` of `advlab.models.base`; empty for `advlab` itself."""
    return name.split(".")[1] if "." in name else ""


@pytest.mark.parametrize("path", [*ENGINE, *EXPERIMENTS], ids=path_label)
def test_no_import_climbs(path: Path) -> None:
    """Nor does one go to a neighbour of the same level; `advlab` itself is what others are imported by."""
    own = part(module_name(path))
    assert own in RANK, f"advlab/{own} has no place among the levels"
    climbing = [
        other for other in files_imported(path)
        if part(other) != own and RANK[part(other)] >= RANK[own]
    ]  # fmt: skip
    assert not climbing, f"{path_label(path)} imports {climbing}"


def components(edges: dict[str, set[str]]) -> Iterator[set[str]]:
    """The strongly connected components of a graph that have more than one node."""
    reach: dict[str, set[str]] = {}
    for node in edges:
        seen, waiting = set(), [node]
        while waiting:
            for other in edges.get(waiting.pop(), ()):
                if other not in seen:
                    seen.add(other)
                    waiting.append(other)
        reach[node] = seen
    for node in edges:
        circle = {other for other in reach[node] if node in reach.get(other, ())}
        if len(circle) > 1 and node == min(circle):
            yield circle


def test_there_are_no_circles_of_files() -> None:
    assert not list(components({name: set(files_imported(path)) for name, path in MODULE_FILES.items()}))


@pytest.mark.parametrize(
    "inside", ["advlab", "advlab.attacks", "advlab.experiments", *(f"advlab.experiments.{paper}" for paper in PAPERS)]
)
def test_there_are_no_circles_of_folders(inside: str) -> None:
    """Folders and files beside each other; what stands in `__init__.py` is the folder's own."""

    def beside(name: str) -> str:
        return name.removeprefix(inside + ".").split(".")[0] if name.startswith(inside + ".") else ""

    edges: dict[str, set[str]] = {}
    for name, path in MODULE_FILES.items():
        if own := beside(name):
            edges.setdefault(own, set()).update(o for o in map(beside, files_imported(path)) if o not in ("", own))
    assert len(edges) > 2
    assert not list(components(edges))


@pytest.mark.parametrize("path", ENGINE, ids=path_label)
def test_the_engine_knows_experiments_by_name_only(path: Path) -> None:
    assert not [name for name in imported(path) if name.startswith(("advlab.experiments", "experiments"))]


@pytest.mark.parametrize("path", EXPERIMENTS, ids=path_label)
def test_experiments_import_the_engine_absolutely_and_neighbours_relatively(path: Path) -> None:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
            assert not [name for name in names if name.startswith(("experiments", "advlab.experiments"))]
        if isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                depth = len(path.relative_to(ROOT / "experiments").parts)
                assert node.level <= depth, "a relative import must not leave experiments/"
            else:
                assert not module.startswith(
                    ("experiments", "advlab.experiments", "advlab.engine.runner", "advlab.cli")
                )


@pytest.mark.parametrize("path", [path for path in EXPERIMENTS if path.parent.name == "figures"], ids=path_label)
def test_figures_import_no_experiment(path: Path) -> None:
    """Experiments import them: otherwise a paper and its figures would be a circle of folders."""
    names = [name for name in files_imported(path) if name.startswith("advlab.experiments.")]
    assert not [name for name in names if name.split(".")[3:4] not in ([], ["figures"])]


@pytest.mark.parametrize("path", [*ENGINE, *EXPERIMENTS], ids=path_label)
def test_what_is_installed_imports_neither_tests_nor_benchmarks(path: Path) -> None:
    assert not [name for name in imported(path) if name.split(".")[0] in ("tests", "benchmarks")]


@pytest.mark.parametrize("path", BENCHMARKS, ids=path_label)
def test_of_tests_two_benchmarks_import_helpers_and_no_other_anything(path: Path) -> None:
    """The snapshot makes every attack of the tests' cases, and the script for a GPU is tried on the tests' pretended device.

    tests/benchmarks tests both: helpers lie below all.
    """
    names = {name for name in names_imported(ast.walk(tree_of(path)), "") if name.startswith("tests")}
    if path.is_relative_to(ROOT / "benchmarks/snapshot") or path == ROOT / "benchmarks/gpu/setting.py":
        names = {name for name in names if not name.startswith("tests.helpers.")}
    assert not names


@pytest.mark.parametrize("path", TESTS, ids=path_label)
def test_benchmarks_are_imported_by_their_own_tests_alone(path: Path) -> None:
    if not path.is_relative_to(ROOT / "tests/benchmarks"):
        names = names_imported(ast.walk(tree_of(path)), "")
        assert not [name for name in names if name.split(".")[0] == "benchmarks"]


def test_the_rules_are_not_about_an_empty_list() -> None:
    assert len(ENGINE) > 100
    assert len(EXPERIMENTS) > 30
    assert len(PAPERS) > 3
    assert len(BENCHMARKS) > 10
    assert len(files_imported(MODULE_FILES["advlab.engine.runner"])) > 5
    assert set(STRINGS_THAT_IMPORT_NOTHING) <= set(MODULE_FILES)


def test_a_module_that_a_string_names_is_imported() -> None:
    source = """
import_module("advlab.engine.runner"), add("recipe", "advlab.training.recipe:Recipe"), f"advlab.lab.run_context:{name}"
"advlab.nowhere", "of advlab.store in a sentence"
"""
    assert modules_in_strings(ast.parse(source)) == {
        "advlab.engine.runner", "advlab.training.recipe", "advlab.lab.run_context",
    }  # fmt: skip


@pytest.mark.parametrize("module", ["advlab.config.components", "advlab.config.groups", "advlab.config.registry"])
def test_names_cost_nothing(module: str) -> None:
    assert {name.split(".")[0] for name in imported(MODULE_FILES[module])} <= {*sys.stdlib_module_names, "advlab"}
