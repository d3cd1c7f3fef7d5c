"""Who may import whom, read from the syntax trees; and what stays free of torch, seen in a fresh process."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ENGINE = sorted((ROOT / "advlab").rglob("*.py"))
EXPERIMENTS = sorted((ROOT / "experiments").rglob("*.py"))

BASE = {"registry", "schema", "results", "tables", "artifacts", "storage", "errors", "components"}
COMPONENTS = {"data", "models", "training", "attacks", "defenses", "probes", "metrics", "geometry", "classifiers"}
TOP = {"runner", "prepare", "fit", "cli", "launch", "compose", "sweeps", "commands", "__main__"}
RUNNING = {"runner", "prepare", "fit"}
HEAVY = ("torch", "torchvision")
TORCHLESS = [
    "advlab", "advlab.cli", "advlab.commands", "advlab.launch", "advlab.schema", "advlab.results", "advlab.runner",
    "advlab.tables", "advlab.prepare", "advlab.fit", "advlab.compose", "advlab.sweeps",
    "advlab.experiment", "advlab.claims", "advlab.data.sources", "advlab.data.foreign", "advlab.models.zoo",
    "advlab.models.torchvision_nets", "advlab.attacks.zoo", "advlab.attacks.status",
    "advlab.probes.sphere", "advlab.training.recipe", "advlab.plotting", "advlab.classifiers",
    *(f"advlab.plotting.{p.stem}" for p in (ROOT / "advlab" / "plotting").glob("[a-z]*.py")),
    *(f"advlab.classifiers.{p.stem}" for p in (ROOT / "advlab" / "classifiers").glob("[a-z]*.py")),
]  # fmt: skip


def label(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imports(path: Path, *, everywhere: bool) -> Iterator[str]:
    """Absolute names of what a module imports; at top level only, or also inside its functions (never for typing)."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = list(path.relative_to(ROOT).with_suffix("").parts[:-1])

    def visit(body: list[ast.stmt]) -> Iterator[str]:
        for node in body:
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = package[: len(package) + 1 - node.level] if node.level else []
                module = ".".join([*base, *([node.module] if node.module else [])])
                yield from (f"{module}.{alias.name}" for alias in node.names)
            elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                yield from visit(node.orelse)
            elif everywhere or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for field in ("body", "orelse", "finalbody"):
                    yield from visit(getattr(node, field, []))
                for handler in getattr(node, "handlers", []):
                    yield from visit(handler.body)

    return visit(tree.body)


def part(name: str) -> str:
    """`models` of `advlab.models.zoo.Model`; empty for what is not the engine's."""
    pieces = name.split(".")
    return pieces[1] if pieces[0] == "advlab" and len(pieces) > 1 else ""


@pytest.mark.parametrize("path", ENGINE, ids=label)
def test_the_engine_imports_downwards(path: Path) -> None:
    own = path.relative_to(ROOT / "advlab").with_suffix("").parts[0]
    top = {part(name) for name in imports(path, everywhere=False)}
    anywhere = {part(name) for name in imports(path, everywhere=True)}
    if own in BASE:
        assert not top & (COMPONENTS | TOP | {"plotting"})
        assert not anywhere & TOP
    if own in COMPONENTS:
        assert not anywhere & (TOP | {"plotting"})
    if own in RUNNING:
        assert not anywhere & (TOP - RUNNING)
    if own == "plotting":
        assert not anywhere & (COMPONENTS | TOP)


@pytest.mark.parametrize("path", ENGINE, ids=label)
def test_the_engine_knows_experiments_by_name_only(path: Path) -> None:
    names = list(imports(path, everywhere=True))
    assert not [name for name in names if name.startswith(("advlab.experiments", "experiments"))]


@pytest.mark.parametrize("path", EXPERIMENTS, ids=label)
def test_experiments_import_no_torch_at_top_level(path: Path) -> None:
    assert not [name for name in imports(path, everywhere=False) if name.split(".")[0] in HEAVY]


@pytest.mark.parametrize("path", EXPERIMENTS, ids=label)
def test_experiments_import_the_engine_absolutely_and_neighbours_relatively(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert not [
                alias.name for alias in node.names if alias.name.startswith(("experiments", "advlab.experiments"))
            ]
        if isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                depth = len(path.relative_to(ROOT / "experiments").parts)
                assert node.level <= depth, "a relative import must not leave experiments/"
            else:
                assert not module.startswith(("experiments", "advlab.experiments", "advlab.runner", "advlab.cli"))


def test_every_experiment_package_is_there() -> None:
    """A rule over an empty list would hold of anything."""
    assert len(ENGINE) > 20
    assert len(EXPERIMENTS) > 2


@pytest.mark.parametrize("module", ["advlab.components", "advlab.registry"])
def test_names_cost_nothing(module: str) -> None:
    names = set(imports(ROOT / (module.replace(".", "/") + ".py"), everywhere=True))
    assert {name.split(".")[0] for name in names} <= {
        "advlab",
        "__future__",
        "importlib",
        "collections",
        "typing",
        "dataclasses",
    }


def test_what_must_be_quick_imports_no_torch() -> None:
    """Parameters, results, figures and the command line, one after the other in one process."""
    modules = [
        *TORCHLESS,
        *("advlab." + label(p)[:-3].replace("/", ".").removesuffix(".__init__") for p in EXPERIMENTS),
    ]
    code = (
        "import importlib, sys\n"
        f"for name in {modules!r}:\n"
        "    importlib.import_module(name)\n"
        "    assert 'torch' not in sys.modules, name + ' imports torch'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_an_experiment_that_declares_no_torch_runs_without_it(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from advlab import cli, components\n"
        "names = [n for n in components.EXPERIMENTS.names() if not components.EXPERIMENTS.load(n).torch]\n"
        "assert 'training_grids' in names\n"
        "for name in names:\n"
        "    assert cli.run([f'experiment={name}', 'run.preset=tiny']) == 0, name\n"
        "    assert 'torch' not in sys.modules, name + ' loads torch'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
